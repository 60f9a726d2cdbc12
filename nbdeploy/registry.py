"""Lazy tables of names: a class is imported when its name is first used.

An entry is a name, the ``"module:Class"`` it stands for, the extra that installs what it needs, and its aliases.
Packages add entries through the entry-point group ``nbdeploy.targets`` (name = ``module:Class``).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from nbdeploy.errors import MissingExtra, UnknownName


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table."""

    path: str
    """``"module:Class"``"""
    summary: str
    extra: str = ""
    """The extra of nbdeploy that installs what it needs; empty for the base install."""
    aliases: tuple[str, ...] = ()
    package: str = "nbdeploy"
    """The distribution that brought it."""


@dataclass(frozen=True)
class Registry(Mapping[str, Entry]):
    """A table of one kind of thing; `load` imports the class a name stands for."""

    kind: str
    group: str
    own: dict[str, Entry] = field(default_factory=dict)

    def _all(self) -> dict[str, Entry]:
        found = dict(self.own)
        for point in entry_points(group=self.group):
            package = point.dist.name if point.dist else "?"
            # A third party may add a name but never take over one of ours.
            found.setdefault(point.name, Entry(point.value, f"from {package}", package=package))
        return dict(sorted(found.items()))

    def __getitem__(self, name: str) -> Entry:
        return self._all()[self.canonical(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def names(self) -> list[str]:
        """Every name and alias, sorted: what completion offers."""
        return sorted([*self, *(alias for entry in self._all().values() for alias in entry.aliases)])

    def canonical(self, name: str) -> str:
        """The name itself for a name or an alias. Raises UnknownName."""
        table = self._all()
        if name in table:
            return name
        for known, entry in table.items():
            if name in entry.aliases:
                return known
        raise UnknownName(self.kind, name, self.names())

    def load(self, name: str) -> Any:
        """The class that `name` stands for. Raises UnknownName or MissingExtra."""
        entry = self[name]
        module, _, attribute = entry.path.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise MissingExtra(f'{self.kind} "{name}"', error.name or module, entry.extra) from error


targets = Registry(
    "target",
    "nbdeploy.targets",
    {
        "onnx": Entry("nbdeploy.targets.onnx:OnnxTarget", "ONNX, run by onnxruntime"),
        "tflite": Entry("nbdeploy.targets.tflite:TfliteTarget", "TFLite, run by LiteRT", aliases=("litert",)),
        "tfjs": Entry("nbdeploy.targets.tfjs:TfjsTarget", "web page, run by LiteRT.js", "tfjs", ("tensorflow-js",)),
        "web": Entry("nbdeploy.targets.web:WebTarget", "web page, run by onnxruntime-web", "web", ("pwa",)),
    },
)
