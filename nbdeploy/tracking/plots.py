"""Figures of runs: parallel coordinates over parameters and metrics, and what went how over epochs and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbdeploy.core.figures import ACCENT, FAILED, LINE, MUTED, PLAIN, TEXT, WARNED, drawing, frame
from nbdeploy.core.numbers import number
from nbdeploy.errors import UnknownName, UsageError
from nbdeploy.tracking.shown import less_is_better, metric_columns, param_columns, show, tick, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbdeploy.tracking.run import Run
    from nbdeploy.tracking.runs import Runs

_COLOURS = (ACCENT, WARNED, "#2e7d5b", FAILED, "#7a4fb5", "#0f7c8c", "#a0457e", MUTED)
_STYLES = ("-", "--", ":", "-.")
_MOST_LINES = 200
_MOST_CURVES = 12
_MOST_AXES = 8
_NAMED = 12
_FEW = 5
_BAND = 0.5
"""Of a name's room on its axis, the part that its lines share."""
_LOG_FROM = 50.0
"""From this ratio of the largest to the smallest on, an axis of positive numbers is a log one."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis: where each run's value stands on it, 0..1 (None: it has none), and what is written beside it."""

    name: str
    places: tuple[float | None, ...]
    ticks: tuple[tuple[float, str], ...]
    metric: bool


def parallel(runs: Runs, metrics: Sequence[str]) -> Figure:
    """A line a run over axes of parameters, then metrics; the best of the last metric is drawn strong.

    Raises UsageError where less than two runs have figures.
    """
    chosen = list(metrics) or metric_columns([run.metrics for run in runs], 4)
    _known(chosen, runs)
    drawn = [run for run in runs if any(number(run.metrics.get(name)) is not None for name in chosen)][:_MOST_LINES]
    if len(drawn) < 2:  # noqa: PLR2004 - one line shows nothing
        raise UsageError("Parallel coordinates take two runs with figures.", hint="nd.runs(all=True) finds more runs.")
    params = _varying(drawn)[: _MOST_AXES - len(chosen)]
    order = [number(run.metrics.get(chosen[0])) for run in drawn]
    ranks = [(0.0 if value is None else value) * (-1 if less_is_better(chosen[0]) else 1) for value in order]
    axes = [_axis(name, [run.params.get(name) for run in drawn], ranks) for name in params]
    axes += [_axis(name, [run.metrics.get(name) for run in drawn], ranks, metric=True) for name in chosen]
    figure: Figure
    with drawing() as plt:
        figure, panel = plt.subplots(figsize=(max(6.4, 1.7 * len(axes)), 4.4), layout="constrained")
        plt.close(figure)  # it is shown as the value of a cell, once
        figure.set_facecolor("white")
        best = _lines(panel, axes, drawn, chosen[0])
        for at, axis in enumerate(axes):
            _upright(panel, at, axis, last=at == len(axes) - 1)
        panel.set_xlim(-0.3, len(axes) - 0.45)
        panel.set_ylim(-0.06, 1.13)
        panel.axis("off")
        panel.set_title(
            f"{len(drawn)} runs; the strong line is {best}, the best {title(chosen[0])}",
            loc="left",
            fontsize=10,
            fontweight="bold",
            color=TEXT,
            pad=16,
        )
    return figure


def _lines(panel: Axes, axes: Sequence[_Axis], runs: Sequence[Run], metric: str) -> str:
    """Draw them, the best last; gives its id."""
    figures = [number(run.metrics.get(metric)) for run in runs]
    there = sorted((value for value in figures if value is not None), reverse=less_is_better(metric))
    best = figures.index(there[-1])
    for at in sorted(range(len(runs)), key=lambda at: at == best):
        points = [(x, axis.places[at]) for x, axis in enumerate(axes)]
        shown = [(x, y) for x, y in points if y is not None]
        strong = at == best
        x, y = [x for x, _ in shown], [y for _, y in shown]
        value = figures[at]
        rank = 0.0 if value is None else there.index(value) / max(1, len(there) - 1)
        width, colour = (2.6, ACCENT) if strong else (1.2, _mixed(rank))
        panel.plot(x, y, color=colour, linewidth=width, zorder=4 if strong else 2 + rank)
        if len(x) < len(axes) or strong:
            panel.plot(x, y, "o", color=colour, markersize=5 if strong else 3, zorder=5 if strong else 3)
    return runs[best].id


def _mixed(rank: float) -> tuple[float, ...]:
    """From pale grey, the worst, to a blue that is paler than the best's."""
    ends = [tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)) for colour in ("#c4cad1", "#6d8fdb")]
    return tuple(low + rank * (high - low) for low, high in zip(*ends, strict=True))


def _upright(panel: Axes, at: int, axis: _Axis, *, last: bool) -> None:
    panel.vlines(at, 0, 1, color=MUTED, linewidth=1, zorder=1)
    panel.annotate(
        title(axis.name),
        (at, 1.07),
        ha="center",
        va="bottom",
        fontsize=9,
        fontweight="bold" if axis.metric else "normal",
        color=TEXT,
        annotation_clip=False,
    )
    for place, text in axis.ticks:
        panel.plot([at - 0.015, at + 0.015], [place, place], color=MUTED, linewidth=1, zorder=3)
        panel.annotate(
            text,
            (at, place),
            (5 if last else -5, 0),
            textcoords="offset points",
            ha="left" if last else "right",
            va="center",
            fontsize=8,
            color=MUTED,
            zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
        )


def _axis(name: str, values: Sequence[Any], ranks: Sequence[float], *, metric: bool = False) -> _Axis:
    figures = [None if isinstance(value, bool) else number(value) for value in values]
    there = [value for value in figures if value is not None]
    few = not metric and len(set(there)) <= _FEW  # so few numbers are names: each is met by many lines
    if not few and len(there) == sum(value is not None for value in values) and len(set(there)) > 1:
        return _numbers(name, figures, there, metric=metric)
    known = sorted({value for value in values if value is not None}, key=_in_order)
    step = -(-len(known) // _NAMED)
    ticks = tuple(((at + 0.5) / len(known), _short(show(name, known[at]))) for at in range(0, len(known), step))
    return _Axis(name, _spread(values, known, ranks), ticks, metric)


def _spread(values: Sequence[Any], known: Sequence[Any], ranks: Sequence[float]) -> tuple[float | None, ...]:
    """Lines that meet in one value stand beside one another there, the better higher, so that each can be followed."""
    places: list[float | None] = [None] * len(values)
    for at, value in enumerate(known):
        held = sorted((place for place, one in enumerate(values) if one == value), key=lambda place: ranks[place])
        for rank, place in enumerate(held):
            share = 0.5 if len(held) == 1 else rank / (len(held) - 1)
            places[place] = (at + 0.5 + _BAND * (share - 0.5)) / len(known)
    return tuple(places)


def _in_order(value: Any) -> tuple[bool, float, str]:
    figure = None if isinstance(value, bool) else number(value)
    return figure is None, figure or 0.0, str(value)


def _short(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:9]}…{text[-10:]}"  # noqa: PLR2004 - what fits between two axes


def _numbers(name: str, figures: Sequence[float | None], there: Sequence[float], *, metric: bool) -> _Axis:
    """A figure's axis goes up where more is better, down where less is: the better end is the upper one."""
    from math import exp, log  # noqa: PLC0415

    low, high = min(there), max(there)
    logs = low > 0 and high / low >= _LOG_FROM
    down = metric and less_is_better(name)

    def place(value: float) -> float:
        share = (log(value) - log(low)) / (log(high) - log(low)) if logs else (value - low) / (high - low)
        return 1 - share if down else share

    def value_at(share: float) -> float:
        part = 1 - share if down else share
        return exp(log(low) + part * (log(high) - log(low))) if logs else low + part * (high - low)

    distinct = sorted(set(there))
    held = distinct if len(distinct) <= 4 else [value_at(share) for share in (0, 0.25, 0.5, 0.75, 1)]  # noqa: PLR2004
    whole = all(float(value).is_integer() for value in there)
    ticks = tuple((place(value), show(name, round(value) if whole else value)) for value in held)
    return _Axis(name, tuple(None if value is None else place(value) for value in figures), ticks, metric)


def history(runs: Runs, metrics: Sequence[str]) -> Figure:
    """A panel a metric that was noted epoch by epoch, with a curve a run, and one of the final figures over time.

    Raises UsageError where there is nothing to draw.
    """
    from nbdeploy.tracking import store  # noqa: PLC0415

    held = store.series(run.id for run in runs)
    curves = [run for run in runs if held[run.id]][:_MOST_CURVES]
    names = list(metrics) or _curve_names([held[run.id] for run in curves])
    if metrics:
        _known(names, runs, also={name for one in held.values() for name in one})
    finals = [name for name in names if any(number(run.metrics.get(name)) is not None for run in runs)]
    if not finals:
        finals = metric_columns([run.metrics for run in runs], 1)
    over_time = sorted((run for run in runs if finals and number(run.metrics.get(finals[-1])) is not None), key=_began)
    names = [name for name in names if any(name in held[run.id] for run in curves)]
    if not names and not over_time:
        raise UsageError("None of these runs has figures to draw.", hint="nd.runs(all=True) finds more runs.")
    count = len(names) + bool(over_time)
    figure: Figure
    with drawing() as plt:
        wide = 2 if count == 4 else count  # noqa: PLR2004 - two by two can be read in a notebook
        shape = (-(-count // wide), wide)
        size = (max(4.8, 3.8 * wide), 0.6 + 2.9 * shape[0])
        figure, grid = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained")
        plt.close(figure)
        figure.set_facecolor("white")
        panels = list(grid.flat)
        for panel, name in zip(panels, names, strict=False):
            _curves(panel, name, curves, held)
        if over_time:
            _over_time(panels[-1], finals[-1], over_time)
        if names and len(curves) > 1:
            handles, labels = panels[0].get_legend_handles_labels()
            figure.legend(
                handles, labels, loc="outside lower left", ncols=4, frameon=False, labelcolor=MUTED, fontsize=9
            )
    return figure


def _curves(panel: Axes, name: str, runs: Sequence[Run], held: Any) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    frame(panel, title(name))
    for at, run in enumerate(runs):
        points = [(step, value) for step, value in held[run.id].get(name, ()) if value is not None]
        colour, style = _COLOURS[at % len(_COLOURS)], _STYLES[at // len(_COLOURS) % len(_STYLES)]
        x, y = [step for step, _ in points], [value for _, value in points]
        few = len(points) <= 10  # noqa: PLR2004 - more dots would hide the line
        panel.plot(x, y, color=colour, linestyle=style, marker="o" if few else "", markersize=3.5, label=run.id)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    panel.yaxis.set_major_formatter(lambda value, _: tick(name, float(value)))
    panel.set_xlabel("epoch", color=MUTED, fontsize=9)


def _over_time(panel: Axes, name: str, runs: Sequence[Run]) -> None:
    """In the order of the runs: hours between them say nothing, and would push them together."""
    frame(panel, f"{title(name)}, run by run")
    values = [float(run.metrics[name]) for run in runs]
    best = values.index((min if less_is_better(name) else max)(values))
    panel.plot(range(len(values)), values, color=LINE, linewidth=1.4, zorder=2)
    panel.plot(range(len(values)), values, "o", color=PLAIN, markersize=5, zorder=3)
    panel.plot(best, values[best], "o", color=ACCENT, markersize=8, zorder=4)
    panel.annotate(
        f"best: {runs[best].id}",
        (best, values[best]),
        (0, 9 if not less_is_better(name) else -14),
        textcoords="offset points",
        ha="left" if best < len(values) / 2 else "right",
        color=ACCENT,
        fontsize=9,
        zorder=5,
    )
    panel.margins(x=0.08, y=0.18)
    panel.set_xticks([0, len(values) - 1] if len(values) > 1 else [0])
    panel.set_xticklabels([f"{run.began.astimezone():%d %b %H:%M}" for run in dict.fromkeys((runs[0], runs[-1]))])
    panel.yaxis.set_major_formatter(lambda value, _: tick(name, float(value)))
    panel.set_xlabel(f"{len(values)} runs, oldest first", color=MUTED, fontsize=9)


def _began(run: Run) -> Any:
    return run.began


def _curve_names(held: Sequence[Any]) -> list[str]:
    """At most three of the metrics that were noted epoch by epoch."""
    first = ("train_loss", "valid_loss", "accuracy", "error_rate")
    names = dict.fromkeys(name for one in held for name in one)
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))[:3]


def _varying(runs: Sequence[Run]) -> list[str]:
    names = dict.fromkeys(name for run in runs for name in run.params)
    held = {name: [run.params.get(name) for run in runs] for name in names}
    simple = [name for name in names if not any(isinstance(value, dict | list) for value in held[name])]
    told = [name for name in simple if len({str(v) for v in held[name] if v is not None}) > 1 and name != "out"]
    usual = param_columns([run.params for run in runs], 8)
    return sorted(told, key=lambda name: usual.index(name) if name in usual else len(usual))


def _known(names: Sequence[str], runs: Runs, also: set[str] | None = None) -> None:
    known = {name for run in runs for name in run.metrics} | (also or set())
    for name in names:
        if name not in known:
            raise UnknownName("metric", name, known)
