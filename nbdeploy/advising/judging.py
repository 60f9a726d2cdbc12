"""The four places where a model can run, judged: what speaks for each, what against it, and what rules it out.

Only what was answered and what was measured counts. A point for and a point against weigh the same; what breaks a hard
answer (no connection, where data may go, the longest wait, the budget) is ruled out and is not ranked at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from nbdeploy.advising import costs
from nbdeploy.advising.answers import PRIVACY, Answers
from nbdeploy.advising.costs import Cost
from nbdeploy.advising.measured import PAGES, Measured
from nbdeploy.advising.prices import option_of
from nbdeploy.core.numbers import SPACE, milliseconds, quantity, size
from nbdeploy.providers.base import Price

Sign = Literal["for", "against", "open", "plain"]
TITLES = {"device": "device", "browser": "browser", "server": "own server", "cloud": "cloud"}
LARGE_APP, LARGE_PAGE = 50_000_000, 20_000_000
"""Bytes of a model from which on its download counts against an app and a page."""
SLOWER = 4
"""A phone may be some times slower than this machine: a way that is this many times shorter counts for it."""
OFTEN = 4
"""Updates a month from which on bringing them to people counts."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One deciding fact: ``for``, ``against``, ``open`` (not known yet) or ``plain`` (for knowing), in words."""

    sign: Sign
    text: str


@dataclass(frozen=True, slots=True)
class Option:
    """One place where the model can run."""

    name: str
    """``device``, ``browser``, ``server`` or ``cloud``, and what a price was given of: ``cloud/big``."""
    where: str
    """The first part of `name`."""
    title: str
    cost: Cost
    facts: tuple[Fact, ...]
    ruled_out: str = ""
    """Why it cannot be taken; empty where it can."""
    rank: int | None = None
    """1 is best; None where it is ruled out."""
    target: str = ""
    """Of the bundle to make for it."""

    @property
    def points(self) -> int:
        """Facts for it less those against it."""
        signs = [fact.sign for fact in self.facts]
        return signs.count("for") - signs.count("against")


def options(found: Measured, answers: Answers, prices: Mapping[str, Price]) -> list[Option]:
    """Every option, those that can be taken first, best first. A price of a place of its own makes an option of it."""
    made = [_device(found, answers), _browser(found, answers, prices.get("browser"))]
    for where in ("server", "cloud"):
        names = [name for name in prices if option_of(name) == where] or [where]
        made += [_machines(found, answers, name, where, prices.get(name)) for name in names]
    currencies = {option.cost.currency for option in made if option.cost.currency}
    order = sorted(made, key=lambda option: _key(option, comparable=len(currencies) <= 1))
    free = [option for option in order if not option.ruled_out]
    return [replace(option, rank=free.index(option) + 1 if option in free else None) for option in order]


def _key(option: Option, *, comparable: bool) -> tuple[bool, int, int, float]:
    """Ruled out last; then the points; then what a month costs, unknown ones after all that are known."""
    cost = option.cost
    if cost.monthly is None:
        money = (2, 0.0)
    elif comparable or not cost.monthly:
        money = (0, cost.monthly)
    else:
        money = (1, 0.0)  # amounts of two currencies have no order
    return bool(option.ruled_out), -option.points, *money


def _device(found: Measured, answers: Answers) -> Option:
    cost = Cost(monthly=0.0, per_1000=0.0, per_1000_at_load=0.0, why="computed on the person's device")
    facts = [*_at_hand(found, answers), *_download(found, found.size_bytes, LARGE_APP, "an app")]
    if answers.updates_per_month:
        each = f"each of {answers.updates_per_month:g} updates a month ({size(found.size_bytes)})"
        often = answers.updates_per_month >= OFTEN
        facts.append(Fact("against" if often else "plain", f"{each} has to reach every device"))
    facts += _arm(found)
    late = _late(answers, answers.device_ms)
    target = "tflite" if found.passing or found.target in {*PAGES, "cloud"} else found.target
    return _option("device", "device", cost, facts=facts, out=late, target=target)


def _browser(found: Measured, answers: Answers, price: Price | None) -> Option:
    cost, page = costs.of_page(price, answers), found.page_bytes
    what = "a page, with what runs the model" if page else "a page, and what runs the model comes on top"
    facts = [
        *_at_hand(found, replace(answers, device_ms=None), page=True),  # an app's time is not a page's
        *_download(found, page or found.size_bytes, LARGE_PAGE, what),
    ]
    if answers.updates_per_month:
        facts.append(Fact("plain", "an update is taken at the next visit"))
    facts += _unknown(answers, cost)
    out = _dear(answers, cost)
    target = found.target if found.target in PAGES else "web"
    return _option("browser", "browser", cost, facts=facts, out=out, target=target)


def _machines(found: Measured, answers: Answers, name: str, where: str, price: Price | None) -> Option:
    cost = costs.of_machines(price, found.rps, answers, name)
    facts = [*_over_the_network(found, answers), *_load(found, answers, cost, where), *_unknown(answers, cost)]
    out = ""
    if answers.offline:
        out = "it has to answer without a connection"
    elif answers.privacy == "device" or (answers.privacy == "own" and where == "cloud"):
        out = PRIVACY[answers.privacy]
    elif answers.privacy == "own":
        facts.insert(0, Fact("for", "pictures stay on machines that you run"))
    if found.here_ms is not None:
        out = out or _late(answers, found.here_ms + (answers.round_trip_ms or 0))
    return _option(name, where, cost, facts=facts, out=out or _dear(answers, cost), target="cloud")


def _option(name: str, where: str, cost: Cost, *, facts: Sequence[Fact], out: str, target: str) -> Option:
    label = name.partition("/")[2] or ("" if name == where else name)
    title = f"{TITLES[where]} ({label})" if label else TITLES[where]
    rank = {"for": 0, "against": 1, "open": 2, "plain": 3}
    ordered = tuple(sorted(facts, key=lambda fact: rank[fact.sign]))
    return Option(name, where, title, cost, ordered, out, target=target)


def _at_hand(found: Measured, answers: Answers, *, page: bool = False) -> Iterator[Fact]:
    """What speaks for computing where the person is."""
    if answers.offline:
        yield Fact("for", "answers without a connection" + (", after the first visit" if page else ""))
    if answers.privacy:
        yield Fact("for", "pictures stay on the device")
    if answers.peak is not None and found.rps is not None and answers.peak > found.rps:
        yield Fact("for", f"a peak of {quantity(answers.peak)} a second costs nothing: each device computes its own")
    yield from _way(found, answers, near=True)
    if answers.within_ms is not None and answers.device_ms is None:
        here = "" if found.here_ms is None else f"; this machine takes {milliseconds(found.here_ms)}"
        yield Fact("open", f"wanted within {milliseconds(answers.within_ms)}, and no device was timed{here}")


def _over_the_network(found: Measured, answers: Answers) -> Iterator[Fact]:
    yield from _way(found, answers, near=False)
    if answers.within_ms is not None and answers.round_trip_ms is None:
        yield Fact(
            "open", f"wanted within {milliseconds(answers.within_ms)}, and the way is not known: --round-trip-ms"
        )
    if answers.updates_per_month:
        often = answers.updates_per_month >= OFTEN
        yield Fact("for" if often else "plain", "an update is made in one place, for everybody at once")
    if found.size_bytes > LARGE_APP:
        yield Fact("for", f"nobody downloads the {size(found.size_bytes)} of the model")
    if found.payload_bytes is not None and answers.requests_per_month is not None:
        sent = (
            f"{size(found.payload_bytes)} a picture, {size(found.payload_bytes * answers.requests_per_month)} a month"
        )
        yield Fact("plain", f"{sent} are sent")


def _way(found: Measured, answers: Answers, *, near: bool) -> Iterator[Fact]:
    """Whether computing near the person or over the network answers sooner."""
    trip, here = answers.round_trip_ms, found.here_ms
    if trip is None or here is None:
        return
    far, device = trip + here, answers.device_ms
    text = f"{milliseconds(far)} an answer over the network ({milliseconds(trip)} of it the way)"
    if device is not None:
        sooner = device < far
        told = f"{milliseconds(device)} an answer on the device, {text}"
    else:
        sooner = far >= SLOWER * here
        told = f"{text}; without the way a device may be {quantity(far / here)} times slower than this machine"
    if near:
        yield Fact("for" if sooner else "against" if device is not None else "plain", told)
    else:
        yield Fact("against" if sooner else "for" if device is not None else "plain", text)


def _download(found: Measured, count: int, most: int, what: str) -> Iterator[Fact]:
    text = f"{size(count)} to download in {what}"
    if found.payload_bytes:
        text += f", as much as {quantity(count / found.payload_bytes)} pictures"
    large = count > most
    yield Fact("against" if large else "plain", text + (f"; more than {size(most)}" if large else ""))


def _load(found: Measured, answers: Answers, cost: Cost, where: str) -> Iterator[Fact]:
    if found.rps is None or cost.machines is None:
        return
    each = f"sustains {quantity(found.rps)} requests a second"
    if cost.machines == 1:
        busy = "" if cost.busy is None else f", {_share(cost.busy)} of that used over the day"
        asked = answers.peak is not None or answers.mean is not None
        yield Fact("plain", f"one machine is enough: it {each}{busy}" if asked else f"one machine {each}")
        return
    peak = answers.peak is not None and answers.peak > found.rps
    need = f"a peak of {quantity(answers.peak or 0)} a second takes" if peak else "the day's requests take"
    own = where == "server"
    kept = "which you keep running" if own else "which a platform may add and take away"
    yield Fact("against" if own else "plain", f"{need} {cost.machines} machines, {kept}: one {each}")


def _share(share: float) -> str:
    return f"{quantity(100 * share)}{SPACE}%"


def _arm(found: Measured) -> Iterator[Fact]:
    if found.arm == "passed":
        yield Fact("for", "its answers were seen to hold on an ARM64 processor, as phones have")
    elif found.arm == "failed":
        yield Fact("against", f"its answers did not hold on an ARM64 processor: {found.arm_why}")
    elif found.target not in PAGES:
        yield Fact("open", "not held to the original on ARM64, as phones have: nbdeploy verify BUNDLE --arch aarch64")
    if found.arm_ms is not None:
        yield Fact("plain", f"{milliseconds(found.arm_ms)} for the model alone, {found.arm_how}")
    elif found.arm_how:
        yield Fact("open", f"not timed on ARM64: {found.arm_how}")


def _unknown(answers: Answers, cost: Cost) -> Iterator[Fact]:
    if cost.monthly is None:
        yield Fact("open", f"cost {cost.why}")
    elif answers.limit is not None and answers.limit[1] != cost.currency:
        yield Fact("open", f"its cost in {cost.currency} cannot be held to a budget in {answers.limit[1]}")


def _late(answers: Answers, takes_ms: float | None) -> str:
    if answers.within_ms is None or takes_ms is None or takes_ms <= answers.within_ms:
        return ""
    return f"an answer takes {milliseconds(takes_ms)}, wanted within {milliseconds(answers.within_ms)}"


def _dear(answers: Answers, cost: Cost) -> str:
    if answers.limit is None or cost.monthly is None:
        return ""
    amount, currency = answers.limit
    if cost.monthly <= amount or currency != cost.currency:
        return ""
    return f"{money(cost.monthly, cost.currency)} a month, over the budget of {money(amount, cost.currency)}"


def money(amount: float, currency: str) -> str:
    """An amount with its currency; 0 where nothing is paid."""
    shown = f"{amount:,.2f}" if amount >= 1 else quantity(amount)
    return f"{shown}{SPACE}{currency}" if currency else shown


def plain(option: Option, today: dt.date) -> dict[str, Any]:
    """An option as plain data."""
    return {
        "rank": option.rank,
        "name": option.name,
        "where": option.where,
        "title": option.title,
        "ruled_out": option.ruled_out or None,
        "points": option.points,
        "facts": [{"sign": fact.sign, "text": fact.text.replace(SPACE, " ")} for fact in option.facts],
        "cost": option.cost.to_dict(today),
        "target": option.target,
    }
