"""What the panel's page and its static view show: the choices, the estimate, the steps."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from nbdeploy.core.look import Html, head, output, quiet, sign, table, tag
from nbdeploy.core.numbers import SPACE, duration
from nbdeploy.core.recipe import recipe_named
from nbdeploy.errors import NbdeployError
from nbdeploy.registry import providers, targets
from nbdeploy.shipping.card import card
from nbdeploy.shipping.choices import Choice, offered, words_of
from nbdeploy.shipping.estimate import Estimate
from nbdeploy.shipping.faults import fault_of
from nbdeploy.shipping.served import qr, who_reaches
from nbdeploy.shipping.shipment import CANCELLED, CHOOSING, FAILED, SHIPPED, UNDONE, WORKING, Shipment, explain
from nbdeploy.shipping.stages import WORDS
from nbdeploy.shipping.wanted import CLOUD, Wanted

_FIRST_TARGET, _FIRST_RECIPE = "tflite", "fp16"
_FEW = 100_000
_PAGES = frozenset({"web", "tfjs"})
_SIGNS = {"done": "passed", "failed": "failed", "cancelled": "warned", "skipped": "not_run"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be chosen here, and what is chosen at first."""

    targets: tuple[Choice, ...]
    providers: tuple[Choice, ...]
    first: Wanted

    def mended(self, wanted: Wanted) -> Wanted:
        """`wanted` with a recipe that its target has."""
        has = self._recipes(wanted.lowered_to)
        if not has or wanted.recipe in has:
            return wanted
        return dataclasses.replace(wanted, recipe=_FIRST_RECIPE if _FIRST_RECIPE in has else has[0])

    def secret(self, provider: str) -> frozenset[str]:
        """The provider's settings that are kept out of what is shown."""
        place = next((one for one in self.providers if one.name == provider), None)
        return frozenset(one.name for one in place.settings if one.secret) if place else frozenset()

    def _recipes(self, target: str) -> tuple[str, ...]:
        return next((one.recipes for one in self.targets if one.name == target), ())


@cache
def _offered(kind: str) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    return offered(kind)


def choices_of(asked: Mapping[str, str | None], more: Mapping[str, Any], kind: str) -> Offer:
    """The Offer for a model of that `kind`, which begins with what was asked for. Raises UnknownName."""
    some, places = _offered(kind)
    target = targets.canonical(asked["target"]) if asked["target"] else _usual(some)
    provider = providers.canonical(asked["provider"]) if asked["provider"] else ""
    recipe = recipe_named(asked["recipe"]).name if asked["recipe"] else _FIRST_RECIPE
    chosen = Wanted(target, recipe, provider, asked["name"] or "", asked["out"] or "", **more)
    offer = Offer(some, places, chosen)
    return Offer(some, places, offer.mended(chosen))


def _usual(some: tuple[Choice, ...]) -> str:
    ready = [one.name for one in some if one.ready]
    return _FIRST_TARGET if _FIRST_TARGET in ready or not ready else ready[0]


def offer_of(offer: Offer) -> dict[str, Any]:
    """What the page gets once: all that can be chosen."""
    return {
        "targets": [dataclasses.asdict(one) for one in offer.targets],
        "providers": [dataclasses.asdict(one) for one in offer.providers],
        "recipes": {name: words_of(name) for one in offer.targets for name in one.recipes},
        "cloud": CLOUD,
    }


def shown(shipment: Shipment, wanted: Wanted) -> dict[str, Any]:
    """The panel's state as the page gets it."""
    about = shipment.about
    ahead = shipment.estimate(wanted if shipment.state != WORKING else shipment.wanted)
    return {
        "state": shipment.state,
        "model": {"name": about.name, "kind": about.kind, "facts": _facts(shipment)},
        "wanted": {
            "target": wanted.target,
            "recipe": wanted.recipe,
            "provider": wanted.provider,
            "name": wanted.name,
            "out": wanted.out,
            "endpoint": wanted.endpoint,
            "settings": dict(wanted.settings),
        },
        "estimate": _estimate(ahead),
        "stages": _stages(shipment, ahead),
        "seconds": shipment.seconds,
        "what": _what(shipment),
        "said": shipment.said,
        "remarks": list(shipment.stages.remarks),
        "fault": fault_of(shipment.error) if shipment.state == FAILED and shipment.error else None,
        "can_undo": shipment.can_undo,
        "can_redo": shipment.can_redo,
    }


def card_of(shipment: Shipment) -> dict[str, Any]:
    """The result as the page gets it: that of its bundle, and how an endpoint is reached."""
    made: dict[str, Any] = {}
    with contextlib.suppress(NbdeployError, OSError, ValueError):
        bundle = shipment.bundle
        made = card(bundle) if bundle is not None else {}
    made["endpoint"] = ""
    if shipment.wanted.provider:
        made |= _reached(shipment.result)
    made["a_page"] = bool(made.get("path")) and shipment.wanted.lowered_to in _PAGES
    return made


def _reached(endpoint: Any) -> dict[str, Any]:
    """How an endpoint is asked; a code of its address only where that leads to it from here."""
    ask = [line.partition(": ")[::2] for line in endpoint.usage()]
    made = {"endpoint": endpoint.name, "url": endpoint.url, "ask": [list(one) for one in ask]}
    if not endpoint.url:
        return made
    if endpoint.place.reach(endpoint.record) is not None:
        return made | {
            "caption": "That address is the machine's own; from here it is asked through a connection to it."
        }
    return made | {"caption": who_reaches(endpoint.url, token=bool(endpoint.token)), "qr": qr(endpoint.url)}


def _facts(shipment: Shipment) -> str:
    about = shipment.about
    size = f"{about.parameters / 1e6:,.1f} million parameters"
    if about.parameters < _FEW:
        size = f"{about.parameters:,} parameters"
    return f"{about.kind}, {size}, {about.held_out:,} held-out files"


def _what(shipment: Shipment) -> str:
    wanted = shipment.wanted
    where = f"{wanted.provider} ({wanted.lowered_to})" if wanted.provider else wanted.target
    return f"{wanted.name.strip() or shipment.about.name} to {where}, {wanted.recipe}"


def _estimate(ahead: Estimate) -> dict[str, Any]:
    return {
        "size": _plain(ahead.size),
        "time": _plain(f"about {_rounded(ahead.seconds)}"),
        "known": ahead.known,
        "files": _plain(ahead.files),
        "place": str(ahead.place),
        "endpoint": ahead.endpoint,
        "replaces": ahead.replaces,
        "problem": ahead.problem,
        "hint": ahead.hint,
        "steps": [
            {"title": WORDS[name][0], "seconds": one.seconds, "known": one.known} for name, one in ahead.steps.items()
        ],
    }


def _stages(shipment: Shipment, ahead: Estimate) -> list[dict[str, Any]]:
    if shipment.state == CHOOSING:
        return []
    return [
        {
            "name": one.name,
            "title": one.title,
            "about": WORDS[one.name][1],
            "state": one.state,
            "note": _plain(one.note),
            "counting": one.counting,
            "seconds": one.seconds,
            "expected": ahead.steps[one.name].seconds if one.name in ahead.steps else None,
            "done": one.done,
            "total": one.total,
            "unit": one.unit,
        }
        for one in shipment.stages.every
    ]


def _rounded(seconds: float) -> str:
    return duration(seconds) if seconds >= 60 else f"{max(1, round(seconds))}{SPACE}s"  # noqa: PLR2004 - a minute


def _plain(text: str) -> str:
    return text.replace(SPACE, " ")


def static(shipment: Shipment, made: Mapping[str, Any], place: str) -> str:
    """A page for a notebook that is opened without its kernel."""
    words = {
        CHOOSING: ("not_run", "nothing deployed yet"),
        WORKING: ("not_run", "was at work when this was saved"),
        SHIPPED: ("passed", "deployed"),
        FAILED: ("failed", "not deployed"),
        CANCELLED: ("warned", "cancelled"),
        UNDONE: ("warned", "taken back"),
    }
    title = f"Ship {shipment.about.name}" if shipment.state == CHOOSING else f"Ship {_what(shipment)}"
    steps = [
        (sign(_SIGNS.get(one.state, "not_run"), one.state), one.title, duration(one.seconds), one.note)
        for one in shipment.stages.every
    ]
    error = shipment.error
    parts = [
        head(title),
        tag("div", "nbd-line", sign(*words[shipment.state])),
        tag("div", "nbd-told", explain(error)) if shipment.state == FAILED and error is not None else "",
        quiet(shipment.said),
        table(steps, "lHnt", css="nbd-bare") if shipment.state != CHOOSING else "",
        table(made.get("figures", []), "Hnnl", heads=("Measured", "Deployed", "Original", "")) if made else "",
        quiet(str(made.get("path", ""))),
        quiet("Run the cell to go on."),
    ]
    return f'<div data-nbd-static="{place}">{output(*(Html(part) if part else "" for part in parts))}</div>'
