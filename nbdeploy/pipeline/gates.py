"""Gates: what a bundle's figures have to be. One that was not measured is not passed."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nbdeploy.core import numbers
from nbdeploy.pipeline.spots import Spot

_TEXT = re.compile(r"\s*(>=|<=|>|<)\s*(\d+(?:_?\d+)*\.?\d*|\.\d+)\s*([A-Za-z%]*)\s*")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_WORDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_SHARE = {"": 1.0, "%": 0.01}
_BYTES = {"": 1.0, "B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_TIME = {"": 1.0, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that a gate may be about: the key of a report's metrics, its units, how it is said."""

    metric: str
    units: Mapping[str, float]
    shown: Callable[[float], str]
    about: str
    example: str


FIGURES: dict[str, Figure] = {
    "accuracy": Figure(
        "accuracy_deployed", _SHARE, numbers.percent, "held-out files that the bundle gets right", ">= 0.95"
    ),
    "agreement": Figure(
        "top1_agreement", _SHARE, numbers.percent, "held-out files answered as the original does", ">= 99 %"
    ),
    "drift": Figure("max_abs_diff", {"": 1.0}, numbers.quantity, "largest change of a probability", "< 0.05"),
    "size_bytes": Figure("size_bytes", _BYTES, numbers.size, "size of the model", "< 5 MB"),
    "latency_ms": Figure(
        "latency_ms_p50", _TIME, numbers.milliseconds, "median time of an answer here, one thread", "< 20 ms"
    ),
    "memory_mb": Figure(
        "peak_memory_mb",
        {"": 1.0, "MB": 1.0, "GB": 1e3},
        lambda mb: f"{numbers.quantity(mb)} MB",
        "peak memory",
        "< 500",
    ),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """``accuracy >= 0.95``. `limit` is in the figure's own unit: a share 0..1, bytes, milliseconds, MB."""

    figure: str
    sign: str
    limit: float

    def judged(self, metrics: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it holds for a bundle's metrics, and words on it."""
        figure = FIGURES[self.figure]
        value = numbers.number(metrics.get(figure.metric))
        wanted = f"{_WORDS[self.sign]} {figure.shown(self.limit)} is wanted"
        if value is None:
            return False, f"{self.figure} was not measured; {wanted}"
        return _COMPARE[self.sign](value, self.limit), f"{self.figure} is {figure.shown(value)}; {wanted}"


@dataclass(frozen=True, slots=True)
class GateText:
    """The kind of a gate's key: a comparison as a text, ``">= 0.95"``."""

    figure: str

    @property
    def words(self) -> str:
        return f'a comparison in quotes, as "{FIGURES[self.figure].example}"'

    def read(self, spot: Spot, name: str) -> Gate:
        units = FIGURES[self.figure].units
        found = _TEXT.fullmatch(spot.text) if isinstance(spot.value, str) else None
        if found is None or found[3] not in units:
            raise spot.wrong(f"{name} takes {self.words}, not {spot.shown}.", self._hint(spot))
        limit = float(found[2]) * units[found[3]]
        if units is _SHARE and limit > 1:
            percent = f'Type: {self.figure}: "{found[1]} {found[2]} %"'
            said = f"{name} is a share, so it is never more than 1 or 100 %, and here stands {spot.shown}."
            raise spot.wrong(said, percent if limit <= 100 and not found[3] else "")  # noqa: PLR2004
        return Gate(self.figure, found[1], limit)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\s*(>=|<=|>|<)", "examples": [FIGURES[self.figure].example]}

    def _hint(self, spot: Spot) -> str:
        if isinstance(spot.value, int | float) and not isinstance(spot.value, bool):
            return f'Type: {self.figure}: ">= {spot.text}"'
        units = [unit for unit in FIGURES[self.figure].units if unit]
        return f"Units: {', '.join(units)}, or none." if units else "It has no unit."
