"""Small line charts as SVG, drawn by ourselves: they follow the theme of the page and need no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from nbdeploy.core.look import Html, joined, tag
from nbdeploy.core.numbers import SPACE, superscript

WIDTH, HEIGHT = 408, 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 8, 24
_MOST_POINTS = 240
"""Of one line: more than a line of that width can show."""
_MOST_DOTS = 40
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, or its dots. `css` is "accent" (what it is about) or "plain" (what it is compared with)."""

    name: str
    points: Sequence[Point]
    css: str = "accent"
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, with `ticks` (place, words). `log`: equal steps are equal factors."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def share(self, value: float) -> float:
        """Where `value` lies: 0 at `low`, 1 at `high`."""
        low, high, value = (math.log(end) if self.log else end for end in (self.low, self.high, value))
        return (value - low) / ((high - low) or 1.0)


def linear(low: float, high: float, *, text: Callable[[float], str] = "{:.4g}".format, most: int = 4) -> Axis:
    """An axis that ends at a round number at or above `high`, with about `most` ticks."""
    span = (high - low) or 1.0
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(one * power for one in _ROUND if one * power >= raw - 1e-12)
    count = max(1, math.ceil(span / step - 1e-9))
    return Axis(low, low + count * step, [(low + n * step, text(low + n * step)) for n in range(count + 1)])


def epochs(planned: int) -> Axis:
    """An axis of whole epochs, 0 to `planned`."""
    step = next(one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, planned) if planned / one <= 8)  # noqa: PLR2004 - more ticks would touch
    return Axis(0, planned, [(n, str(n)) for n in range(0, planned + 1, step)])


def powers(low: float, high: float) -> Axis:
    """A log axis with a tick at each power of ten inside."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return Axis(low, high, [(10.0**n, f"10{superscript(n)}") for n in range(first, last + 1)], log=True)


def percents(low: float) -> Axis:
    """An axis of shares up to 100 %, from a round tenth well below `low`."""
    below = 10 - max(0, math.floor(10 * low - 0.5))  # in tenths
    step = 1 if below <= 5 else 2  # noqa: PLR2004 - at most six ticks
    start = 10 - math.ceil(below / step) * step
    return Axis(start / 10, 1.0, [(n / 10, f"{10 * n}{SPACE}%") for n in range(start, 11, step)])


def chart(
    title: str,
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    says: str,
    under: str = "",
    marks: Sequence[tuple[float, str]] = (),
    ring: Point | None = None,
) -> Html:
    """A chart with its title and legend above it. `says` is read out in its place; `under` names the x axis.

    `marks` are upright lines (place on `x`, words). `ring` circles a point. Points that are no finite numbers are left
    out, those beyond an axis are drawn at its end.
    """
    inner = joined(
        *(_row(y, place, words) for place, words in y.ticks),
        *(_column(x, place, words) for place, words in x.ticks),
        *(_mark(x, place, words) for place, words in marks),
        *(_drawn(line, x, y) for line in lines),
        _ring(x, y, ring) if ring else "",
    )
    names = [line for line in lines if line.name]
    legend = tag("span", "nbd-legend", *(_key(line) for line in names)) if len(names) > 1 else ""
    foot = tag("div", "nbd-under", under) if under else ""
    drawing = Html(
        f'<svg class="nbd-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(says)}" '
        f'font-size="11" fill="none">{inner}</svg>'
    )
    return tag("div", "nbd-figure", tag("div", "nbd-caption", tag("span", "", title), legend), drawing, foot)


def _at(x: Axis, y: Axis, point: Point) -> Point:
    across, up = (min(1.0, max(0.0, axis.share(value))) for axis, value in zip((x, y), point, strict=True))
    return (
        round(_LEFT + across * (WIDTH - _LEFT - _RIGHT), 1),
        round(HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM), 1),
    )


def _row(y: Axis, place: float, words: str) -> Html:
    _, at = _at(Axis(0, 1, ()), y, (0, place))
    return Html(
        f'<line class="nbd-grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at}" y2="{at}" stroke="currentColor" '
        f'stroke-opacity=".14"/><text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end" fill="currentColor">'
        f"{escape(words)}</text>"
    )


def _column(x: Axis, place: float, words: str) -> Html:
    at, _ = _at(x, Axis(0, 1, ()), (place, 0))
    return Html(f'<text x="{at}" y="{HEIGHT - 8}" text-anchor="middle" fill="currentColor">{escape(words)}</text>')


def _mark(x: Axis, place: float, words: str) -> Html:
    at, _ = _at(x, Axis(0, 1, ()), (place, 0))
    side, anchor = (-4, "end") if at > WIDTH * 0.7 else (4, "start")
    return Html(
        f'<line class="nbd-mark" x1="{at}" x2="{at}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" stroke="currentColor" '
        f'stroke-opacity=".5" stroke-dasharray="2 3"/><text x="{at + side}" y="{_TOP + 9}" text-anchor="{anchor}" '
        f'fill="currentColor">{escape(words)}</text>'
    )


def _drawn(line: Line, x: Axis, y: Axis) -> Html:
    finite = [point for point in line.points if all(map(math.isfinite, point))]
    places = [_at(x, y, point) for point in _thinned(finite)]
    if not places:
        return Html("")
    path = " ".join(f"{across},{up}" for across, up in places)
    width = "2" if line.css == "accent" else "1.5"
    drawn = f'<polyline class="nbd-of-{line.css}" points="{path}" stroke="currentColor" stroke-width="{width}"/>'
    if line.dots and len(places) <= _MOST_DOTS:
        drawn += "".join(
            f'<circle class="nbd-dot-{line.css}" cx="{across}" cy="{up}" r="3" fill="currentColor"/>'
            for across, up in places
        )
    return Html(drawn)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most `_MOST_POINTS`: the means of equal parts, the ends as they are."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    edges = [round(n * len(points) / _MOST_POINTS) for n in range(_MOST_POINTS + 1)]
    parts = [points[start:end] for start, end in pairwise(edges)]
    means = [(sum(p[0] for p in part) / len(part), sum(p[1] for p in part) / len(part)) for part in parts]
    return [points[0], *means[1:-1], points[-1]]


def _ring(x: Axis, y: Axis, point: Point) -> Html:
    across, up = _at(x, y, point)
    return Html(
        f'<circle class="nbd-of-accent" cx="{across}" cy="{up}" r="6" stroke="currentColor" stroke-width="1.5"/>'
    )


def _key(line: Line) -> Html:
    dot = f'<circle class="nbd-dot-{line.css}" cx="10" cy="5" r="3" fill="currentColor"/>' if line.dots else ""
    sample = Html(
        '<svg class="nbd-sample" width="20" height="10" aria-hidden="true" fill="none">'
        f'<line class="nbd-of-{line.css}" x1="0" x2="20" y1="5" y2="5" stroke="currentColor" stroke-width="2"/>'
        f"{dot}</svg>"
    )
    return tag("span", "", sample, line.name)
