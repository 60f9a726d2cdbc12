"""What an endpoint counts of itself: requests, errors and how long they took, out of its Prometheus text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? ([^ ]+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
REQUESTS, SECONDS = "nbdeploy_requests_total", "nbdeploy_request_seconds_bucket"


def figures(text: str) -> dict[str, Any]:
    """``requests errors p50_ms p99_ms`` of what was posted since the release was started. Errors are answers of 500
    and more, refusals for want of room too. A figure that is not known is None.
    """
    samples = list(_samples(text))
    posted = {at["route"] for name, at, _ in samples if name == REQUESTS and at.get("method") == "POST"}
    counted = [(at["status"], value) for name, at, value in samples if name == REQUESTS and at["route"] in posted]
    upto: dict[float, float] = {}
    for name, at, value in samples:
        if name == SECONDS and at["route"] in posted:
            bound = float(at["le"].replace("+Inf", "inf"))
            upto[bound] = upto.get(bound, 0) + value
    return {
        "requests": int(sum(value for _, value in counted)),
        "errors": int(sum(value for status, value in counted if status.startswith("5"))),
        "p50_ms": _quantile(upto, 0.5),
        "p99_ms": _quantile(upto, 0.99),
    }


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in text.splitlines():
        if (found := _LINE.match(line)) and not line.startswith("#"):
            yield found[1], dict(_LABEL.findall(found[2] or "")), float(found[3])


def _quantile(upto: dict[float, float], share: float) -> float | None:
    """Milliseconds, inside its bucket by a straight line, as Prometheus does."""
    bounds = sorted(upto)
    whole = upto[bounds[-1]] if bounds else 0
    if not whole:
        return None
    rank, low, below = share * whole, 0.0, 0.0
    for bound in bounds:
        if upto[bound] >= rank:
            if math.isinf(bound):
                return 1000 * low
            within = upto[bound] - below
            return 1000 * (low + (bound - low) * ((rank - below) / within if within else 1))
        low, below = bound, upto[bound]
    return None
