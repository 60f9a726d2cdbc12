"""advise(): where a model should run, with what decides it and what it costs."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.advising.answers import MONTH_H, UTILISATION, Answers
from nbdeploy.advising.costs import FORMULA
from nbdeploy.advising.judging import Option, money, options, plain
from nbdeploy.advising.measured import Measured, folder_of_bundle, measured
from nbdeploy.advising.prices import age, read_prices
from nbdeploy.core import look
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.numbers import SPACE, milliseconds, quantity, size
from nbdeploy.errors import UsageError
from nbdeploy.providers.base import Price
from nbdeploy.tracking.recording import unrecorded
from nbdeploy.verification.emulator import arch_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKS = {
    "for": ("+", "nbd-passed"),
    "against": ("−", "nbd-failed"),
    "open": ("?", "nbd-warned"),
    "plain": ("·", "nbd-quiet"),
}
_HEADS = ("Rank", "Where", "Per 1,000", "A month", "What decides")
_QUESTIONS = {
    "offline": "--offline",
    "privacy": "--privacy",
    "requests_per_day": "--requests-per-day",
    "peak": "--peak",
    "round_trip_ms": "--round-trip-ms",
    "updates_per_month": "--updates-per-month",
}


@dataclass(frozen=True)
class Advice:
    """Where a model should run: `options`, best first, those that are ruled out last, with the reason."""

    options: tuple[Option, ...]
    measured: Measured
    answers: Answers
    prices: Mapping[str, Price]
    day: dt.date
    """On which it was given: prices age."""

    @property
    def best(self) -> Option | None:
        """The option ranked first; None where all are ruled out."""
        return next((option for option in self.options if option.rank == 1), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``{"options": [...], "measured", "answers", "formula", "hours_a_month", "day"}``."""
        return {
            "options": [plain(option, self.day) for option in self.options],
            "measured": self.measured.to_dict(),
            "answers": self.answers.to_dict(),
            "formula": FORMULA,
            "hours_a_month": MONTH_H,
            "day": self.day.isoformat(),
        }

    def plot(self) -> Figure:
        """A month's cost against requests a day, both on log axes; without a price, the hours of machines."""
        from nbdeploy.advising.chart import chart  # noqa: PLC0415 - loads matplotlib

        return chart(self)

    def __str__(self) -> str:
        lines = [f"{self._title()}: {self._verdict()}"]
        for option in self.options:
            title = f"Ruled out: {option.title}" if option.rank is None else f"{option.rank}. {option.title}"
            lines += ["", f"{title}: {self._costs(option)}"]
            lines += [f"   ✗ {option.ruled_out}"] if option.ruled_out else []
            lines += [f"   {_MARKS[fact.sign][0]} {fact.text}" for fact in option.facts if _told(option, fact.sign)]
        lines += ["", *self._next(), *self._remarks()]
        return "\n".join(lines).replace(SPACE, " ")

    __repr__ = __str__

    def _costs(self, option: Option) -> str:
        each, month = _each(option), _month(option)
        if option.cost.monthly is None:
            return "cost unknown" + (f" ({month[1]})" if month[1] else "")
        at_load = f", {each[1]}" if each[1] else ""
        return f"{month[0]} a month ({month[1]}), {each[0]} per 1,000{at_load}"

    def _repr_html_(self) -> str:
        rows = []
        for option in self.options:
            rank = "–" if option.rank is None else str(option.rank)
            rows.append((rank, option.title, _cell(_each(option)), _cell(_month(option)), _facts(option)))
        return look.output(
            look.head(f"{self._title()}: {self._verdict()}"),
            look.table(rows, "lHnnw", heads=_HEADS, css="nbd-full nbd-advice"),
            *map(look.quiet, self._next()),
            look.details("How this was reckoned", *map(look.quiet, self._remarks())),
        )

    def _title(self) -> str:
        return f"Where {self.measured.name} {self.measured.version} should run"

    def _verdict(self) -> str:
        if self.best is None:
            return "nowhere, as the answers are"
        best = self.best
        equal = [option for option in self.options if option.rank and option.points == best.points]
        if len(equal) == 1:
            return best.title
        if all(option.cost.monthly == best.cost.monthly for option in equal):
            return " or ".join(option.title for option in equal)
        return f"{best.title}, by cost alone before {equal[1].title}"

    def _remarks(self) -> Iterator[str]:
        found, answers = self.measured, self.answers
        yield f"Measured: {'; '.join(self._figures())}."
        for name, price in self.prices.items():
            hour = money(price.hourly, price.currency)
            yield f"Price of {name}: {hour} an hour for {price.of}; {age(price, self.day)}."
        if self.prices and found.rps is not None:
            assumed = "" if answers.utilisation != UTILISATION else " (assumed)"
            yield (
                f'Cost: {FORMULA}. Utilisation {100 * answers.utilisation:g}{SPACE}%{assumed}; "yours" is at '
                "the requests that you gave. It holds for machines that sustain as much and run all the time; traffic, "
                "disks and taxes are not in it."
            )
        elif not self.prices:
            yield "No price is shipped, and none is made up: give those that you pay, --price server=HOURLY:CURRENCY."
        yield (
            "Ranked by the facts for it (+) less those against it (−), then by cost a month, an unknown one last; what "
            "is not known yet (?) counts for nothing. What breaks a hard answer is ruled out."
        )

    def _next(self) -> Iterator[str]:
        lacking = [option for key, option in _QUESTIONS.items() if getattr(self.answers, key) in {None, False}]
        if lacking:
            yield f"Not answered, so it decides nothing: {', '.join(lacking)}."
        if self.best is not None:
            target = self.best.target
            made = target == self.measured.target and not self.measured.passing
            step = "this bundle is made for it" if made else f"deploy with --target {target}"
            yield f"Next: {step}. A figure of cost against requests a day: advice.plot(), or --plot FILE in a terminal."

    def _figures(self) -> Iterator[str]:
        found = self.measured
        yield f"model {size(found.size_bytes)} ({found.target} {found.recipe})"
        if found.latency_ms is not None:
            where = f" on {found.measured_on}" if found.measured_on else ""
            yield f"{milliseconds(found.latency_ms)} for the model alone, 1 thread{where}"
        if found.payload_bytes is not None:
            yield f"{size(found.payload_bytes)} a picture, mean of {found.samples} samples"
        if found.rps is None:
            yield f"requests a second {found.rps_how}"
        else:
            yield f"{quantity(found.rps)} requests a second sustained ({found.rps_how})"


def _told(option: Option, sign: str) -> bool:
    return not option.ruled_out or sign in {"for", "against"}


def _each(option: Option) -> tuple[str, str]:
    """Cost per 1,000, and the same at the user's own requests."""
    cost = option.cost
    if cost.per_1000 is None:
        return ("", "") if cost.monthly is None else ("–", "give --requests-per-day")
    if cost.per_1000_at_load is None or not cost.currency or option.where == "browser":
        return money(cost.per_1000, cost.currency), ""
    return money(cost.per_1000, cost.currency), f"yours: {money(cost.per_1000_at_load, cost.currency)}"


def _month(option: Option) -> tuple[str, str]:
    """Cost a month, and what it is of."""
    cost = option.cost
    if cost.monthly is None:
        count = "" if cost.machines is None else f"{cost.machines} machine{'s' if cost.machines > 1 else ''}"
        return "unknown", count
    if not cost.machines:
        return money(cost.monthly, cost.currency), "nothing to run"
    what = "to host the page" if option.where == "browser" else f"{cost.machines} machine{'s' * (cost.machines > 1)}"
    return money(cost.monthly, cost.currency), what


def _cell(lines: tuple[str, str]) -> str:
    return look.joined(lines[0] or "unknown", look.quiet(lines[1]) if lines[1] else "")


def _facts(option: Option) -> str:
    told = [fact for fact in option.facts if _told(option, fact.sign)]
    lines = (
        [look.tag("div", "nbd-fact nbd-failed", f"✗{SPACE}ruled out: {option.ruled_out}")] if option.ruled_out else []
    )
    for fact in told:
        mark, css = _MARKS[fact.sign]
        text = look.tag("span", "nbd-quiet", fact.text) if fact.sign == "plain" else fact.text
        lines.append(look.tag("div", "nbd-fact", look.tag("span", f"nbd-sign {css}", mark), f"{SPACE}", text))
    return look.joined(*lines)


def advise(
    model: Any,
    *,
    offline: bool = False,
    privacy: str | None = None,
    requests_per_day: float | None = None,
    peak: float | None = None,
    round_trip_ms: float | None = None,
    within_ms: float | None = None,
    budget: str | float | None = None,
    updates_per_month: float | None = None,
    prices: Mapping[str, Any] | None = None,
    price_file: str | Path | None = None,
    rps: float | None = None,
    utilisation: float = UTILISATION,
    device_ms: float | None = None,
    seconds: float = 2.0,
    arch: str | None = None,
) -> Advice:
    """Say where a model should run: on the device, in a browser, on an own server or in the cloud, and why.

    `model` is a Bundle or its folder; of a Learner, a Program or a saved model a bundle is made for the time being, to
    measure. The answers, each of which may be left out: `offline` (it has to answer without a connection), `privacy`
    (``"device"``: data must not leave it; ``"own"``: nor machines that you run), `requests_per_day`, `peak` in requests
    a second, `round_trip_ms` to a server, `within_ms` an answer is wanted, `budget` a month (``"50:EUR"``),
    `updates_per_month` of the model.

    `prices` are those of machines by the hour, ``{"server": "0.02:EUR", "cloud/big": "0.40:USD:2026-11-01"}``,
    `price_file` a .json or .csv of them; there is no default, and what has no price has an unknown cost. `rps`, the
    requests a second that such a machine sustains, is measured here for `seconds` where it is not given; `utilisation`
    is the share of that in use over the day; `device_ms` an answer on the device, where you timed one.
    `arch` ``"aarch64"`` times it on an ARM64 processor too, emulated where this machine has another.

    Raises UsageError, BundleError, and for a model what `deploy` raises.
    """
    today = dt.datetime.now(dt.UTC).date()
    answers = Answers(
        offline=offline,
        privacy=privacy,
        requests_per_day=requests_per_day,
        peak=peak,
        round_trip_ms=round_trip_ms,
        within_ms=within_ms,
        budget=budget,
        updates_per_month=updates_per_month,
        utilisation=utilisation,
        device_ms=device_ms,
    )
    arch = None if arch is None else arch_named(arch)
    if rps is not None and not 0 < rps < float("inf"):
        raise UsageError(f"rps takes a number above 0, not {rps!r}.", hint="Leave it out to have it measured.")
    given = read_prices(prices, price_file, today)
    answers = _with_currency(answers, given)
    found = _measured(model, rps=rps, seconds=seconds, arch=arch)
    return Advice(tuple(options(found, answers, given)), found, answers, given, today)


def _with_currency(answers: Answers, prices: Mapping[str, Price]) -> Answers:
    """A budget without a currency is in that of the prices. Raises UsageError where they have several."""
    if answers.limit is None or answers.limit[1]:
        return answers
    currencies = sorted({price.currency for price in prices.values()})
    if len(currencies) > 1:
        raise UsageError(
            f"The budget is in which currency: {' or '.join(currencies)}?", hint=f"Type: --budget 50:{currencies[0]}"
        )
    return replace(answers, budget=f"{answers.limit[0]:.15g}:{currencies[0]}") if currencies else answers


def _measured(model: Any, **how: Any) -> Measured:
    if isinstance(model, Bundle):
        return measured(model, **how)
    if isinstance(model, str | Path) and folder_of_bundle(model):
        return measured(Bundle.load(Path(model).expanduser()), **how)
    if isinstance(model, str | Path) and not Path(model).expanduser().exists():
        raise UsageError(f"There is no bundle and no model {model}.", hint="Name the folder that nd.deploy wrote.")
    from nbdeploy.flow import deploy  # noqa: PLC0415 - imports torch

    with tempfile.TemporaryDirectory(prefix="nbdeploy-") as job, unrecorded():
        return replace(measured(deploy(model, target="onnx", out=Path(job) / "bundle"), **how), passing=True)
