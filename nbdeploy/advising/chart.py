"""The figure of an advice: a month's cost against requests a day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.advising.answers import MONTH_H
from nbdeploy.advising.costs import month_at
from nbdeploy.core.figures import ACCENT, FAILED, MUTED, PLAIN, TEXT, WARNED, check_picture, drawing, frame, save_figure
from nbdeploy.core.numbers import quantity, superscript
from nbdeploy.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbdeploy.advising.advice import Advice
    from nbdeploy.advising.judging import Option

_COLOURS = {"server": ACCENT, "cloud": WARNED, "browser": PLAIN}
_STYLES = ("-", "--", ":", "-.")
_DECADES = 3
"""Shown to each side of the user's own number of requests."""


def chart(advice: Advice) -> Figure:
    """One panel a currency; where no price is given, one of machine hours. Raises UsageError without `rps`."""
    if advice.measured.rps is None:
        raise UsageError(
            f"The requests a second that a machine sustains are {advice.measured.rps_how}.",
            hint="Give them: rps=50 (--rps 50)",
        )
    currencies = sorted({option.cost.currency for option in advice.options if option.cost.currency}) or [""]
    with drawing() as plt:
        wide = 7.2 if len(currencies) == 1 else 5.6 * len(currencies)
        figure: Figure
        figure, panels = plt.subplots(1, len(currencies), figsize=(wide, 4.2), squeeze=False, layout="constrained")
        plt.close(figure)  # it is shown as the value of a cell, once
        figure.set_facecolor("white")
        for panel, currency in zip(panels[0], currencies, strict=True):
            _panel(panel, advice, currency)
        figure.supxlabel("\n".join(_notes(advice)), x=0.01, ha="left", fontsize=8, color=MUTED)
    return figure


def save(advice: Advice, file: str | Path) -> str:
    """Draw into `file`, which must not be there. Gives its name. Raises UsageError, OutputError."""
    check_picture(file)  # what cannot be is said before it is drawn
    return save_figure(chart(advice), file)


def _panel(panel: Axes, advice: Advice, currency: str) -> None:
    import numpy as np  # noqa: PLC0415

    answers, rps = advice.answers, advice.measured.rps or 1.0
    middle = round(np.log10(answers.requests_per_day)) if answers.requests_per_day else 5
    x = np.logspace(max(0, middle - _DECADES), max(0, middle - _DECADES) + 2 * _DECADES, 1200)
    drawn = [option for option in advice.options if option.cost.currency == currency and option.cost.price]
    lines = [(option.title + _out(option), option, option.cost.price.hourly) for option in drawn if option.cost.price]
    if not currency:
        lines = [("machines, at any price", advice.options[0], 1.0)]
    tops = []
    for place, (name, option, hourly) in enumerate(lines):
        if option.where == "browser":
            y = np.full_like(x, hourly * MONTH_H)
        else:
            y = np.array([month_at(float(count), hourly, rps, answers) for count in x])
        if not hourly:
            continue  # no place on a log axis; the notes say so
        colour = _COLOURS.get(option.where, ACCENT) if currency else ACCENT
        panel.plot(x, y, color=colour, linewidth=2, linestyle=_STYLES[place % len(_STYLES)], label=name, zorder=3)
        tops.append(y)
    frame(panel, f"A month's cost, {currency}" if currency else "Hours of machines a month: no price is given")
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlim(x[0], x[-1])
    low, high = (min(y.min() for y in tops), max(y.max() for y in tops)) if tops else (1.0, 10.0)
    limit = answers.limit
    if limit and limit[1] == currency and currency and limit[0]:
        low, high = min(low, limit[0]), max(high, limit[0])
        panel.axhline(limit[0], color=FAILED, linewidth=1.4, zorder=2)
        panel.annotate(
            f"budget {quantity(limit[0])}",
            (x[0], limit[0]),
            (4, 4),
            textcoords="offset points",
            color=FAILED,
            fontsize=9,
        )
    high = _top(low / 2, high * 2, [float(y[len(x) // 2]) for y in tops])
    panel.set_ylim(low / 2, high)
    if answers.requests_per_day:
        panel.axvline(answers.requests_per_day, color=MUTED, linewidth=1, zorder=1)
        panel.annotate(
            f"yours: {quantity(answers.requests_per_day)}",
            (answers.requests_per_day, high),
            (4, -12),
            textcoords="offset points",
            color=MUTED,
            fontsize=9,
        )
    _ticks(panel)
    panel.set_xlabel("requests a day, log scale", color=MUTED, fontsize=9)
    if tops:
        panel.legend(loc="upper left", frameon=False, fontsize=9, labelcolor=TEXT)


def _top(low: float, high: float, middles: Sequence[float]) -> float:
    """So far up that the names of the lines stand clear of their left halves, and at least two decades are shown."""
    clear = max(0.3, 0.9 - 0.08 * len(middles))
    return max([high, 100 * low, *(float(low * (middle / low) ** (1 / clear)) for middle in middles)])


def _out(option: Option) -> str:
    return " (ruled out)" if option.ruled_out else ""


def _notes(advice: Advice) -> list[str]:
    answers = advice.answers
    spread = (
        f"peak {quantity(answers.peak / answers.mean)} times the mean"
        if answers.peak and answers.mean
        else "requests spread evenly over the day"
    )
    said = [f"{quantity(advice.measured.rps or 0)} requests a second a machine; {spread}."]
    free = [option.title for option in advice.options if option.cost.monthly == 0]
    unknown = [option.title for option in advice.options if option.cost.monthly is None]
    said += [f"0, so not on a log axis: {', '.join(free)}."] if free else []
    said += [f"Cost unknown: {', '.join(unknown)}."] if unknown else []
    return said


def _ticks(panel: Axes) -> None:
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(lambda value, _: _power(value))
        axis.set_tick_params(which="minor", length=0, labelbottom=False, labelleft=False)


def _power(value: float) -> str:
    """10,000 as it is, more as a power of ten."""
    from math import log10  # noqa: PLC0415

    exact = round(log10(value))
    return f"10{superscript(exact)}" if abs(exact) > 4 else f"{value:,.6g}"  # noqa: PLR2004 - longer is hard to read
