"""What can be chosen: targets and providers, those ready here first, and the recipes that a target has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbdeploy import registry
from nbdeploy.checkup import Readiness, doctor
from nbdeploy.core.recipe import RECIPES
from nbdeploy.errors import UsageError

if TYPE_CHECKING:
    from nbdeploy.targets.base import Target

_WORDS = {
    "fp32": "Full precision: the answers of the original, its full size.",
    "fp16": "Half the size, nearly always the same answers. A good first choice for phones.",
    "dynamic_int8": "A quarter of the size without calibrating; inputs of layers are rounded as they come.",
    "static_int8": "A quarter of the size, and whole-number arithmetic; calibrated on training files.",
    "weight_int8": "A quarter of the size; computes in half precision.",
    "palette_6bit": "About a fifth of the size: each tensor keeps 64 values.",
    "palette_4bit": "About an eighth of the size: 16 values a tensor. Some nets lose answers, and then it fails.",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing to be told to a provider."""

    name: str
    about: str
    default: str | None
    secret: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A target or a provider. One that is not ready says what is missing and what to type."""

    name: str
    summary: str
    ready: bool
    missing: str = ""
    install: str = ""
    recipes: tuple[str, ...] = ()
    """Of a target."""
    tried: str = ""
    """Of a provider: how far it was tried where nbdeploy is developed."""
    settings: tuple[Setting, ...] = ()
    """Of a provider."""
    acts: bool = True
    """Whether a provider acts by itself; the others write files and commands for the person."""


def offered(kind: str = "image") -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    """Targets and providers, those first that are ready and take a model of that `kind` (see ``Signature.kind``)."""
    found = doctor()
    targets = (_target(name, one, kind) for name, one in found.targets.items())
    providers = (_provider(name, one) for name, one in found.providers.items())
    return _sorted(targets), _sorted(providers)


def words_of(recipe: str) -> str:
    """What a recipe does, in a line."""
    return _WORDS.get(recipe) or (f"{RECIPES[recipe].title.capitalize()}." if recipe in RECIPES else recipe)


def _sorted(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    return tuple(sorted(choices, key=lambda one: not one.ready))


def _target(name: str, found: Readiness, kind: str) -> Choice:
    if not found.ready:
        return Choice(name, found.summary, found.ready, _missing(found), found.install)
    target = registry.targets.load(name)()
    recipes = tuple(one for one in target.recipes if _takes(target, one, kind))
    if not recipes:
        return Choice(name, found.summary, ready=False, missing="takes pictures only")
    return Choice(name, found.summary, found.ready, _missing(found), found.install, recipes)


def _takes(target: Target, recipe: str, kind: str) -> bool:
    try:
        target.check(RECIPES[recipe], kind)
    except UsageError:
        return False
    return True


def _provider(name: str, found: Readiness) -> Choice:
    if not found.ready:
        return Choice(name, found.summary, found.ready, _missing(found), found.install)
    place = registry.providers.load(name)
    settings = tuple(Setting(one.name, one.about, one.default, one.secret) for one in place.settings)
    return Choice(
        name,
        found.summary,
        found.ready,
        tried=place.status_here,
        settings=settings,
        acts=place.acts,
    )


def _missing(found: Readiness) -> str:
    return "" if found.ready else f"needs {', '.join(found.missing)}"
