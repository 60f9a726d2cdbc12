"""What several verbs ask for, and the tables that names of options come from."""

from __future__ import annotations

import argparse
from typing import Any

from nbdeploy.core.recipe import RECIPES, recipe_named
from nbdeploy.errors import UnknownName
from nbdeploy.parsing import Named, Parser, whole
from nbdeploy.registry import engines, providers, targets
from nbdeploy.verification.emulator import ARCHES, arch_named


def _archs() -> list[str]:
    from nbdeploy.training.images import arch_names  # noqa: PLC0415 - imports torch

    return arch_names()


class Settings(argparse.Action):
    """``--set NAME=VALUE``, as often as wanted: a dictionary."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name, given_value, value = str(values).partition("=")
        if not name or not given_value:
            raise argparse.ArgumentError(self, f"takes NAME=VALUE, not {values}")
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), name.replace("-", "_"): value})


def one_of(what: str, known: tuple[str, ...]) -> Named:
    """The type of an option whose value is one of a few words."""

    def check(name: str) -> str:
        if name not in known:
            raise UnknownName(what, name, known)
        return name

    return Named(lambda: known, check)


TARGET = Named(targets.names, targets.canonical)
PROVIDER = Named(providers.names, providers.canonical)
RECIPE = Named(lambda: RECIPES, lambda name: recipe_named(name).name)
NET = Named(_archs, str)  # train() itself refuses an unknown one; asking here would import torch for a typing error
ARCH = Named(lambda: ARCHES, arch_named)
ENGINE = Named(engines.names, engines.canonical)


def seed(parser: Parser) -> None:
    """Add --seed."""
    parser.add_argument("--seed", type=whole(0), default=42, metavar="N", help="the same seed, the same result (42)")


def listed(text: str) -> list[str]:
    """``a,b`` as a list."""
    return [name for part in text.split(",") if (name := part.strip())]
