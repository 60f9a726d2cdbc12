"""The figure of a tuning: how it went, what mattered, and what accuracy costs in bytes and milliseconds."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from nbdeploy.core.figures import ACCENT, MUTED, PLAIN, TEXT, drawing, frame
from nbdeploy.core.numbers import SPACE, quantity
from nbdeploy.tuning import words
from nbdeploy.tuning.study import hushed_optuna
from nbdeploy.tuning.trial import OBJECTIVES, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbdeploy.tuning.result import Tuning

_LEAST = 4
"""Trials that ended, before it is said what mattered."""
_AXES = {"size": "size, log scale", "latency": "latency, 1 thread, log scale"}


def plots(tuning: Tuning) -> Figure:
    """History and importance, and a panel for every objective beside accuracy."""
    others = [name for name in tuning.objectives if name != "accuracy"]
    rows = 2 if others else 1
    figure: Figure
    with drawing() as plt:
        figure, panels = plt.subplots(rows, 2, figsize=(10.4, 3.5 * rows), squeeze=False, layout="constrained")
        plt.close(figure)  # it is shown as the value of a cell, once
        figure.set_facecolor("white")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # type: ignore[union-attr, call-arg] # constrained
        _history(panels[0][0], tuning)
        _importance(panels[0][1], tuning)
        for panel, name in zip(panels[-1], others, strict=False):
            _front(panel, tuning, name)
        if len(others) == 1:
            panels[-1][1].set_axis_off()
    return figure


def importance(tuning: Tuning) -> dict[str, float]:
    """Parameter -> share, 0..1, of how much the accuracy moved with it (fANOVA); empty where too few trials ended."""
    import optuna  # noqa: PLC0415 - a second

    distributions = tuning.space.distributions()
    with hushed_optuna():
        study = optuna.create_study(direction="maximize")
    ended = [trial for trial in tuning.tried if trial.state == "complete"]
    for trial in ended:
        known = {name: distributions[name] for name in trial.params}
        study.add_trial(
            optuna.trial.create_trial(params=dict(trial.params), distributions=known, value=trial.values["accuracy"])
        )
    if len(ended) < _LEAST or len({trial.values["accuracy"] for trial in ended}) < 2:  # noqa: PLR2004 - a difference
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=tuning.seed)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _history(panel: Axes, tuning: Tuning) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - loaded by now

    frame(panel, f"Accuracy of each trial, {tuning.files:,} files set apart")
    best, top, line = tuning.best, 0.0, []
    for at, trial in enumerate(tuning.tried):
        if trial.good:
            top = max(top, trial.values["accuracy"])
            panel.plot(at, trial.values["accuracy"], "o", color=ACCENT, markersize=5, zorder=3)
        elif (trial.state == "pruned" and trial.curve) or trial.values:
            reached = trial.values.get("accuracy", trial.curve[max(trial.curve)] if trial.curve else 0.0)
            panel.plot(at, reached, "o", markerfacecolor="white", color=PLAIN, markersize=5, zorder=3)
        line.append(top or None)
    panel.step(range(len(line)), [value or float("nan") for value in line], where="post", color=ACCENT, linewidth=1.2)
    at = [trial.number for trial in tuning.tried].index(best.number)
    _ring(panel, at, best.values["accuracy"])
    panel.set_xlabel("trial, in the order they were tried; hollow: pruned, or a check failed", color=MUTED, fontsize=9)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.yaxis.set_major_formatter(lambda value, _: _percent(value))


def _importance(panel: Axes, tuning: Tuning) -> None:
    frame(panel, "What the accuracy depended on")
    panel.grid(visible=False)
    found = importance(tuning)
    if not found:
        panel.set_axis_off()
        _note(panel, 0.9, f"Said after {_LEAST} trials that differ.")
        return
    names = list(found)[::-1]
    panel.barh(range(len(names)), [found[name] for name in names], 0.5, color=ACCENT, zorder=2)
    for place, name in enumerate(names):
        panel.annotate(
            f"{100 * found[name]:.0f}{SPACE}%",
            (found[name], place),
            (5, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=9,
        )
    panel.set_yticks(range(len(names)), [words.title(name) for name in names])
    panel.set_ylim(-0.8, max(len(names), 3) - 0.2)
    panel.set_xlim(0, 1.15 * max(found.values()))
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    panel.tick_params(axis="y", length=0, labelcolor=TEXT, labelsize=10)
    _note(panel, -0.06, "share of its variation, fANOVA on these trials")


def _front(panel: Axes, tuning: Tuning, name: str) -> None:
    frame(panel, f"Accuracy against {name}")
    ended = [trial for trial in tuning.tried if trial.state == "complete"]
    fronted = {trial.number for trial in tuning.pareto}
    for trial in ended:
        colour = ACCENT if trial.number in fronted else PLAIN
        at = (trial.values[name], trial.values["accuracy"])
        dot = panel.plot(*at, "o", color=colour, markersize=6 if trial.number in fronted else 5, zorder=3)[0]
        if not trial.good:
            dot.set_markerfacecolor("white")
    steps = _steps([trial for trial in ended if trial.good], name)
    panel.plot(*zip(*steps, strict=True), color=ACCENT, linewidth=1.2, drawstyle="steps-post", zorder=2)
    best = tuning.best
    _ring(panel, best.values[name], best.values["accuracy"])
    _name(panel, best, name)
    panel.set_xscale("log")
    amounts = [trial.values[name] for trial in ended]
    low, high = min(amounts) / 1.25, max(amounts) * 1.25
    panel.set_xlim(low, high)
    ticks = _ticks(low, high)
    panel.set_xticks(ticks, [_short(name, tick) for tick in ticks])
    panel.tick_params(axis="x", which="minor", length=0, labelbottom=False)
    panel.set_xlabel(f"{_AXES[name]}; blue: no other trial beats it", color=MUTED, fontsize=9)
    panel.yaxis.set_major_formatter(lambda value, _: _percent(value))


def _steps(trials: list[Trial], name: str) -> list[tuple[float, float]]:
    """The best accuracy that so much of `name` buys."""
    points: list[tuple[float, float]] = []
    for trial in sorted(trials, key=lambda one: (-OBJECTIVES[name] * one.values[name], -one.values["accuracy"])):
        if not points or trial.values["accuracy"] > points[-1][1]:
            points.append((trial.values[name], trial.values["accuracy"]))
    return points


def _note(panel: Axes, y: float, text: str) -> None:
    panel.text(0.0, y, text, color=MUTED, fontsize=9, transform=panel.transAxes)


def _ring(panel: Axes, x: float, y: float) -> None:
    panel.plot(x, y, "o", markerfacecolor="none", color=ACCENT, markersize=11, markeredgewidth=1.4, zorder=4)


def _name(panel: Axes, trial: Trial, name: str) -> None:
    panel.annotate(
        f"trial {trial.number}",
        (trial.values[name], trial.values["accuracy"]),
        (9, -11),
        textcoords="offset points",
        fontsize=9,
        color=TEXT,
        zorder=5,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between the ends, five at most."""
    from math import floor, log10  # noqa: PLC0415

    marks = [step * 10.0**power for power in range(floor(log10(low)), floor(log10(high)) + 1) for step in (1, 2, 5)]
    inside = [mark for mark in marks if low <= mark <= high]
    return inside[:: max(1, -(-len(inside) // 5))] or [float(quantity((low * high) ** 0.5).replace(",", ""))]


def _short(name: str, tick: float) -> str:
    if name == "latency":
        return f"{tick:g}{SPACE}ms"
    return f"{tick / 1e6:g}{SPACE}MB" if tick >= 1e6 else f"{tick / 1e3:g}{SPACE}kB"  # noqa: PLR2004 - a million


def _percent(value: float) -> str:
    return f"{100 * value:g}{SPACE}%" if 0 <= value <= 1 else ""
