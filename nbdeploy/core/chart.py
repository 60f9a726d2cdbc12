"""The figure of a comparison: three panels of bars that share their rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nbdeploy.core.figures import ACCENT, FAILED, MUTED, PLAIN, TEXT, drawing
from nbdeploy.core.numbers import SPACE, milliseconds, quantity, size, superscript

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbdeploy.core.comparison import Compared

_DEPLOYED, _BAR = 0.44, 0.22
"""Thickness of a bundle's bar and of its original's, in rows."""
_ROOM = 1.62
"""How far an axis goes beyond its longest bar, so that the number at its end has room."""
_NOT_RUN = f"–{SPACE}not run"


def chart(rows: Sequence[Compared]) -> Figure:
    """Size and latency with a bar for the bundle and one for its original, and drift on a log scale with its limit."""
    height = 1.2 + 0.54 * len(rows)
    with drawing() as plt:
        figure: Figure
        figure, panels = plt.subplots(1, 3, figsize=(10.4, height), sharey=True, layout="constrained")
        plt.close(figure)  # it is shown as the value of a cell, once
        figure.set_facecolor("white")
        _bars(panels[0], "Size", size, [(row.size_bytes, row.size_bytes_original) for row in rows])
        _dots(panels[1], [(row.max_drift, row.max_drift_limit) for row in rows])
        _bars(panels[2], "Latency, 1 thread", milliseconds, [(r.latency_ms, r.latency_ms_original) for r in rows])
        panels[0].set_yticks(range(len(rows)), _names(rows))
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        figure.legend(handles=_keys(), loc="outside lower left", ncols=4, frameon=False, labelcolor=MUTED, fontsize=9)
    return figure


def _names(rows: Sequence[Compared]) -> list[str]:
    """What tells the rows apart: no recipe or name that all of them share."""
    parts = [(row.name, row.target, row.recipe) for row in rows]
    told = [place for place in range(3) if place == 1 or len({part[place] for part in parts}) > 1]
    return [" ".join(part[place] for place in told) for part in parts]


def _bars(
    panel: Axes, title: str, text: Callable[[float], str], pairs: Sequence[tuple[float | None, float | None]]
) -> None:
    _frame(panel, title)
    longest = max((value for pair in pairs for value in pair if value is not None), default=1.0)
    for place, (deployed, original) in enumerate(pairs):
        if original is not None:
            panel.barh(place - 0.3, original, _BAR, color=PLAIN, zorder=2)
            _say(panel, original, place - 0.3, text(original), quiet=True)
        if deployed is not None:
            panel.barh(place + 0.04, deployed, _DEPLOYED, color=ACCENT, zorder=2)
            _say(panel, deployed, place + 0.04, text(deployed))
        else:
            _say(panel, 0.0, place + 0.04, _NOT_RUN, quiet=True)
    panel.set_xlim(0, longest * _ROOM)
    panel.set_xticks([])


def _dots(panel: Axes, pairs: Sequence[tuple[float | None, float | None]]) -> None:
    _frame(panel, "Largest drift, log scale")
    marks = [value for pair in pairs for value in pair if value]
    low = math.floor(math.log10(min(marks, default=1e-6)) - 0.3)
    high = max(low + 2, math.ceil(math.log10(max(marks, default=1.0)) - 1e-9))
    for place, (drift, limit) in enumerate(pairs):
        if limit is not None:
            panel.plot([limit] * 2, [place - 0.42, place - 0.16], color=FAILED, linewidth=2, zorder=3)
        if drift is None:
            _say(panel, 10.0**low, place + 0.04, _NOT_RUN, quiet=True)
            continue
        at = max(drift, 10.0**low)
        panel.hlines(place + 0.04, 10.0**low, at, color=ACCENT, linewidth=1.6, zorder=2)
        panel.plot(at, place + 0.04, "o", color=ACCENT, markersize=6, zorder=4, clip_on=False)
        _say(panel, at, place + 0.04, quantity(drift))
    panel.set_xscale("log")
    # The number beside the rightmost dot takes about two fifths of the panel.
    panel.set_xlim(10.0**low, 10.0 ** (high + 0.45 * (high - low)))
    shown = range(low, high + 1, max(1, (high - low) // 3))
    panel.set_xticks([10.0**power for power in shown], [f"10{superscript(power)}" for power in shown])
    panel.tick_params(axis="x", which="minor", bottom=False)


def _say(panel: Axes, x: float, y: float, text: str, *, quiet: bool = False) -> None:
    panel.annotate(
        text,
        (x, y),
        xytext=(7 if x or not quiet else 2, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=8 if quiet and text != _NOT_RUN else 9,
        color=MUTED if quiet else TEXT,
        zorder=5,
    )


def _frame(panel: Axes, title: str) -> None:
    panel.set_facecolor("white")
    panel.set_title(title, loc="left", fontsize=10, fontweight="bold", color=TEXT)
    panel.spines[["top", "right", "bottom"]].set_visible(False)
    panel.tick_params(length=0, colors=MUTED, labelsize=9)
    panel.tick_params(axis="y", labelcolor=TEXT, labelsize=10)


def _keys() -> list[Any]:
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    return [
        Patch(color=PLAIN, label="the original, PyTorch"),
        Patch(color=ACCENT, label="the bundle"),
        Line2D([], [], color=FAILED, linewidth=2, marker="", label="most drift that the recipe allows"),
    ]
