"""What running on machines costs.

cost per 1,000 = hourly price x 1000 / (3600 x measured sustained requests a second x utilisation)
cost a month   = machines x hourly price x 730 hours
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

from nbdeploy.advising.answers import DAY_S, MONTH_H, Answers
from nbdeploy.advising.prices import age
from nbdeploy.providers.base import Price

FORMULA = (
    "per 1,000 = price an hour × 1000 / (3600 × requests a second sustained × utilisation); "
    "a month = machines × price an hour × 730 hours"
)


def per_1000(hourly: float, rps: float, utilisation: float) -> float:
    """Of 1,000 requests, in the currency of `hourly`."""
    return hourly * 1000 / (3600 * rps * utilisation)


def machines(rps: float, utilisation: float, *, mean: float | None = None, peak: float | None = None) -> int:
    """As many as the peak takes at what one sustains, and the day's mean at `utilisation` of that; at least one."""
    needs = [0.0 if peak is None else peak / rps, 0.0 if mean is None else mean / (rps * utilisation)]
    return max(1, math.ceil(max(needs) - 1e-9))


@dataclass(frozen=True, slots=True)
class Cost:
    """An option's cost. None is unknown, never 0; `why` says what is lacking."""

    monthly: float | None = None
    per_1000: float | None = None
    """At the utilisation that was given or assumed."""
    per_1000_at_load: float | None = None
    """The month's cost over the month's requests: the formula at the utilisation that these requests make."""
    currency: str = ""
    """Empty where nothing is paid, or nothing known."""
    machines: int | None = None
    busy: float | None = None
    """Share of what the machines sustain that is used over the day."""
    price: Price | None = None
    why: str = ""

    def to_dict(self, today: dt.date) -> dict[str, Any]:
        """Plain data."""
        price = self.price and {
            "hourly": self.price.hourly,
            "currency": self.price.currency,
            "of": self.price.of,
            "source": self.price.source,
            "date": self.price.date or None,
            "age": age(self.price, today),
        }
        return {
            "monthly": self.monthly,
            "per_1000": self.per_1000,
            "per_1000_at_load": self.per_1000_at_load,
            "currency": self.currency or None,
            "machines": self.machines,
            "busy": self.busy,
            "price": price,
            "why": self.why,
        }


def of_machines(price: Price | None, rps: float | None, answers: Answers, name: str) -> Cost:
    """Of `rps` requests a second sustained by each machine at `price`; unknown where either is."""
    if rps is None:
        return Cost(price=price, why="unknown: give --rps, the requests a second that a machine sustains")
    use, mean = answers.utilisation, answers.mean
    count = machines(rps, use, mean=mean, peak=answers.peak)
    busy = None if mean is None else mean / (count * rps)
    if price is None:
        return Cost(machines=count, busy=busy, why=f"unknown: give --price {name}=HOURLY:CURRENCY")
    monthly = count * price.hourly * MONTH_H
    load = answers.requests_per_month
    return Cost(
        monthly=monthly,
        per_1000=per_1000(price.hourly, rps, use),
        per_1000_at_load=None if load is None else monthly / load * 1000,
        currency=price.currency,
        machines=count,
        busy=busy,
        price=price,
    )


def of_page(price: Price | None, answers: Answers) -> Cost:
    """Of a page that is only handed out: one machine or service, whatever the number of requests."""
    if price is None:
        return Cost(why="unknown: give --price browser=HOURLY:CURRENCY, what hosting the page costs")
    monthly, load = price.hourly * MONTH_H, answers.requests_per_month
    each = None if load is None else monthly / load * 1000
    return Cost(monthly, each, each, price.currency, 1, price=price)


def month_at(requests_per_day: float, price: float, rps: float, answers: Answers) -> float:
    """A month's cost at another number of requests a day, the peak in the same proportion as in `answers`."""
    mean = requests_per_day / DAY_S
    ratio = answers.peak / answers.mean if answers.peak and answers.mean else 1.0
    return machines(rps, answers.utilisation, mean=mean, peak=mean * ratio) * price * MONTH_H
