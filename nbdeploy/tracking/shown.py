"""Values of runs as people read them, and which of them are worth a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nbdeploy.core import numbers
from nbdeploy.core.numbers import SPACE

SIGNS = {"done": "passed", "failed": "failed", "killed": "failed", "stopped": "warned", "running": "not_run"}
"""Status -> the sign of `look` that it is shown with."""
_UNKNOWN = "not_run"
"""The sign of a status that only a newer nbdeploy knows."""
_FIRST_PARAMS = ("arch", "target", "recipe", "provider", "size", "epochs", "lr", "batch_size")
_FIRST_METRICS = ("accuracy", "error_rate", "valid_loss", "agreement", "size_bytes", "latency_ms")
_SHARES = ("accuracy", "agreement", "error_rate", "precision", "recall", "f1_score")
_LESS = ("loss", "error", "size", "latency", "drift", "time", "_ms", "bytes", "mae", "rmse", "mse")
"""Parts of names of which less is better."""
_TITLES = {"size_bytes": "model size", "size": "size, px"}
_LONGEST = 48


def less_is_better(metric: str) -> bool:
    """Whether the smaller value of that metric is the better one."""
    return any(part in metric for part in _LESS)


def sign(status: str) -> str:
    """The sign of `look` that a status is shown with."""
    return SIGNS.get(status, _UNKNOWN)


def show(name: str, value: Any) -> str:
    """A value with its unit; a dash for none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return _figure(name, value)


def tick(name: str, value: float) -> str:
    """What stands at a tick of an axis; nothing beyond the whole of a share, where an axis has room to breathe."""
    return "" if name.startswith(_SHARES) and not 0 <= value <= 1 else show(name, value)


def _figure(name: str, value: float) -> str:
    if name.startswith(_SHARES) and 0 <= value <= 1:
        return numbers.percent(value)
    if name.endswith("bytes"):
        return numbers.size(value)
    if name.endswith("_ms"):
        return numbers.milliseconds(value)
    return f"{value}" if isinstance(value, int) else numbers.quantity(value)


def when(began: datetime) -> str:
    """Day and time here, without what goes without saying."""
    here, now = began.astimezone(), datetime.now().astimezone()
    if here.date() == now.date():
        return f"today {here:%H:%M}"
    return f"{here.day}{SPACE}{here:%b}{SPACE}{here:%H:%M}" if here.year == now.year else f"{here:%Y-%m-%d %H:%M}"


def took(seconds: float | None) -> str:
    """How long it took; a dash where that is not known."""
    return "–" if seconds is None else numbers.duration(seconds)


def columns(rows: Sequence[Mapping[str, Any]], first: Iterable[str], most: int) -> list[str]:
    """At most so many names: those in `first`, what differs between the rows, then the others, by how many have it."""
    ranked = list(first)
    have: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            have.setdefault(name, []).append(value)

    def rank(name: str) -> tuple[bool, int, int, str]:
        varies = len(set(map(str, have[name]))) > 1
        known = ranked.index(name) if name in ranked else len(ranked)
        return (not (varies and name in ranked), known, -len(have[name]), name)

    simple = [name for name in have if not any(isinstance(value, dict | list) for value in have[name])]
    return sorted(simple, key=rank)[:most]


def param_columns(rows: Sequence[Mapping[str, Any]], most: int = 4) -> list[str]:
    """The parameters that a table shows: usual ones, those that differ before the others."""
    usual = [{name: value for name, value in row.items() if name in _FIRST_PARAMS} for row in rows]
    return columns(usual, _FIRST_PARAMS, most)


def metric_columns(rows: Sequence[Mapping[str, Any]], most: int = 4) -> list[str]:
    """The metrics that a table shows."""
    figures = [
        {name: value for name, value in row.items() if isinstance(value, int | float) and name not in {"time", "files"}}
        for row in rows
    ]
    return sorted(columns(figures, _FIRST_METRICS, most), key=_place)


def _place(name: str) -> int:
    return _FIRST_METRICS.index(name) if name in _FIRST_METRICS else len(_FIRST_METRICS)


def title(name: str) -> str:
    """The name of a parameter or metric as a heading."""
    return _TITLES.get(name) or name.removesuffix("_ms").replace("_", " ")
