"""How long each step took on this machine, so that the next time can be foretold: one small file in the cache."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdeploy.core.files import cache_dir

_KEPT = 5
_ALIKE = 1.5
"""Models whose numbers of parameters differ by less than this factor take about the same time."""
_EVERYWHERE = frozenset({"plan", "check", "export", "probe", "start"})
"""Steps for which the recipe does not matter."""


def seconds(phase: str, target: str, recipe: str, parameters: int) -> tuple[float, bool] | None:
    """What it took here with the model nearest in size, and whether that is one about as large; None: never done."""
    rows = _read().get(_key(phase, target, recipe), [])
    if not rows:
        return None
    nearest = min(rows, key=lambda row: _apart(row[0], parameters))
    alike = [took for size, took in rows if _apart(size, nearest[0]) < math.log(_ALIKE)]
    return sorted(alike)[len(alike) // 2], _apart(nearest[0], parameters) < math.log(_ALIKE)


def keep(took: Mapping[str, float], target: str, recipe: str, parameters: int) -> None:
    """Note what steps took, phase -> seconds. A cache that cannot be written to is no fault."""
    table = _read()
    for phase, value in took.items():
        rows = table.setdefault(_key(phase, target, recipe), [])
        rows.append([parameters, round(value, 3)])
        del rows[:-_KEPT]
    with contextlib.suppress(OSError, RuntimeError):
        place = _place()
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f"{place.name}.{os.getpid()}")
        beside.write_text(json.dumps(table), encoding="utf-8")
        beside.replace(place)


def _place() -> Path:
    return cache_dir() / "steps.json"


def _key(phase: str, target: str, recipe: str) -> str:
    return f"{phase} {target}" if phase in _EVERYWHERE else f"{phase} {target} {recipe}"


def _apart(one: float, other: float) -> float:
    return abs(math.log(max(1.0, one) / max(1.0, other)))


def _read() -> dict[str, list[list[Any]]]:
    try:
        raw = json.loads(_place().read_text(encoding="utf-8"))
        return {str(key): [[float(size), float(took)] for size, took in rows] for key, rows in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError):
        return {}
