"""What only the user knows: the questions of `advise`, checked."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from nbdeploy.errors import UnknownName, UsageError

PRIVACY = {
    "device": "data must not leave the device",
    "own": "data must not leave machines that you run",
}
"""How far pictures may go; without an answer there is no bound."""
_MONEY = re.compile(r"(\d+(?:\.\d+)?)(?::([A-Za-z]{3}))?")
DAY_S, MONTH_H = 86_400, 730
UTILISATION = 0.5
"""Assumed where it is not given: half of what a machine sustains, which leaves room for the hours of the day."""


@dataclass(frozen=True, slots=True)
class Answers:
    """None: not answered, so it decides nothing."""

    offline: bool = False
    """It has to answer without a connection."""
    privacy: str | None = None
    """A key of `PRIVACY`."""
    requests_per_day: float | None = None
    peak: float | None = None
    """Requests a second."""
    round_trip_ms: float | None = None
    """To the server and back, as users have it."""
    within_ms: float | None = None
    """An answer that takes longer is of no use."""
    budget: str | float | None = None
    """A month's, ``"50:EUR"``; without a currency that of the prices."""
    updates_per_month: float | None = None
    utilisation: float = UTILISATION
    """Share of what a machine sustains that is used, over the day; assumed where it is not given."""
    device_ms: float | None = None
    """An answer on the device that it is for, where that was measured."""

    def __post_init__(self) -> None:
        if self.privacy is not None and self.privacy not in PRIVACY:
            raise UnknownName("answer to privacy", self.privacy, PRIVACY)
        for name in ("requests_per_day", "peak", "within_ms", "device_ms"):
            _check(name, getattr(self, name), least="above 0")
        for name in ("round_trip_ms", "updates_per_month"):
            _check(name, getattr(self, name), least="of at least 0")
        _check("utilisation", self.utilisation, least="above 0")
        if self.utilisation > 1:
            raise UsageError(f"utilisation is a share of at most 1, not {self.utilisation:g}.", hint="0.5 is a half.")
        if self.peak is not None and self.mean is not None and self.peak < self.mean:
            raise UsageError(
                f"A peak of {self.peak:g} a second is below the day's mean, {self.mean:.3g}.",
                hint=f"{self.requests_per_day:g} requests a day are {self.mean:.3g} a second on average.",
            )
        _ = self.limit

    @property
    def mean(self) -> float | None:
        """Requests a second over the whole day."""
        return None if self.requests_per_day is None else self.requests_per_day / DAY_S

    @property
    def requests_per_month(self) -> float | None:
        """In `MONTH_H` hours."""
        return None if self.mean is None else self.mean * 3600 * MONTH_H

    @property
    def limit(self) -> tuple[float, str] | None:
        """The budget's amount and its currency, which may be empty. Raises UsageError."""
        if self.budget is None:
            return None
        found = _MONEY.fullmatch(str(self.budget).strip())
        if not found or not math.isfinite(float(found[1])):
            raise UsageError(f'"{self.budget}" is no budget.', hint="Type: --budget 50:EUR (a month)")
        return float(found[1]), (found[2] or "").upper()

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def _check(name: str, value: float | None, *, least: str) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (value == 0 and least == "above 0"):
        raise UsageError(f"{name} takes a number {least}, not {value!r}.", hint="Leave it out where you do not know.")
