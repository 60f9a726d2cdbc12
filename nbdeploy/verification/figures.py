"""The geometry of the report's plots. Plain data in, plain data out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nbdeploy.core.numbers import SPACE, compared, milliseconds, number, percent, quantity, superscript

HEAT_TABLE_MAX = 50
PAIRS_MAX = 20
_DECADES_MAX = 8
_BINS_A_DECADE = 4
_PLOT_PX = 96


def accuracy(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Accuracy of both models with 95 % intervals, as rows of a dot plot (positions in % of the width)."""
    rows: list[dict[str, Any]] = []
    for who in ("original", "deployed"):
        value = number(metrics.get(f"accuracy_{who}"))
        if value is None:
            continue
        ends = metrics.get(f"accuracy_{who}_interval")
        pair = [number(end) for end in ends] if isinstance(ends, list | tuple) else []
        low, high = pair if len(pair) == 2 and None not in pair else (None, None)  # noqa: PLR2004 - lo, hi
        rows.append({"who": who, "value": value, "low": low, "high": high, "text": percent(value)})
    if not any(row["who"] == "deployed" for row in rows):
        return None
    # The scale starts at a round tenth well below the lowest end, so a hair's difference does not look like a cliff.
    least = min(row["value"] if row["low"] is None else row["low"] for row in rows)
    start = max(0.0, math.floor(10 * least - 0.5) / 10)
    for row in rows:
        row["x"] = _percent_of(row["value"], start)
        if row["low"] is not None:
            row["x1"], row["x2"] = _percent_of(row["low"], start), _percent_of(row["high"], start)
            row["interval"] = f"{100 * row['low']:.1f} to {percent(row['high'])}"
    return {"rows": rows, "start": f"{100 * start:.0f}{SPACE}%", "end": f"100{SPACE}%"}


def _percent_of(value: float, start: float) -> float:
    return round(100 * min(1.0, max(0.0, (value - start) / (1.0 - start))), 2)


def bars(metrics: Mapping[str, Any], threads: object = None) -> list[dict[str, Any]]:
    """Time and memory as groups of bars, original above deployed; a group without a deployed figure is left out."""
    every = f"all {threads} threads" if threads else "all threads"
    groups = []
    for title, suffix in (("Time for a picture, 1 thread", ""), (f"Time for a picture, {every}", "_all")):
        rows = []
        for who, of in (("original", "_original"), ("deployed", "")):
            middle, most = (number(metrics.get(f"latency_ms_{p}{of}{suffix}")) for p in ("p50", "p90"))
            rows.append((who, middle, most))
        groups.append(_group(title, rows, ("faster", "slower"), milliseconds, "p90"))
    memory = [
        ("original", number(metrics.get("peak_memory_mb_original")), None),
        ("deployed", number(metrics.get("peak_memory_mb")), None),
    ]
    groups.append(_group("Peak memory", memory, ("smaller", "larger"), lambda v: f"{quantity(v)}{SPACE}MB", ""))
    shown = [group for group in groups if group]
    # The two timings share one scale, so that a bar means the same in both.
    top = max((row["most"] for group in shown if group["p90"] for row in group["rows"]), default=0.0)
    for group in shown:
        scale = (top if group["p90"] else max(row["most"] for row in group["rows"])) or 1.0
        for row in group["rows"]:
            row["width"] = round(100 * row["middle"] / scale, 2)
            row["end"] = round(100 * row["most"] / scale, 2)
    return shown


def _group(
    title: str, rows: Sequence[tuple[str, float | None, float | None]], words: tuple[str, str], text: Any, p90: str
) -> dict[str, Any] | None:
    found = {who: middle for who, middle, _ in rows if middle is not None}
    if "deployed" not in found:
        return None
    note = ""
    if "original" in found:
        note = compared(found["deployed"], found["original"], less=words[0], more=words[1])
    return {
        "title": title,
        "note": note,
        "p90": p90,
        "rows": [
            {
                "who": who,
                "middle": middle,
                "most": max(middle, most or 0.0),
                "text": text(middle),
                "most_text": text(most) if most is not None else "",
            }
            for who, middle, most in rows
            if middle is not None
        ],
    }


def histogram(drifts: Sequence[float], limit: float | None) -> dict[str, Any] | None:
    """Per-file drift on a log scale: bars, ticks and the limit line (x in % of the width, heights in px)."""
    finite = sorted(d for d in (number(drift) for drift in drifts) if d is not None)
    if not finite:
        return None
    middle, largest = finite[len(finite) // 2], finite[-1]
    over = sum(d > limit for d in finite) if limit is not None else 0
    plot: dict[str, Any] = {
        "files": len(finite),
        "middle": quantity(middle),
        "largest": quantity(largest),
        "over": over,
        "limit": None if limit is None else quantity(limit),
        "columns": [],
    }
    if largest <= 0:
        return plot
    marks = [largest, *([limit] if limit else [])]
    high = min(0, math.ceil(math.log10(max(marks)) + 1e-9))
    low = min(math.floor(math.log10(max(min(d for d in finite if d > 0), 1e-12))), high - 2)
    low = max(min(low, math.floor(math.log10(min(marks)))), high - _DECADES_MAX)
    bins = (high - low) * _BINS_A_DECADE
    under = any(d < 10**low for d in finite)
    first = 2 if under else 0
    counts = [0] * bins
    for drift in finite:
        if drift >= 10**low:
            counts[min(bins - 1, int((math.log10(drift) - low) * _BINS_A_DECADE))] += 1
    step = 94 / (bins + first)
    left = 3 + first * step
    columns = [(left + i * step, n, 10 ** (low + i / _BINS_A_DECADE)) for i, n in enumerate(counts)]
    if under:
        columns.insert(0, (3.0, sum(d < 10**low for d in finite), 0.0))
    tallest = max(n for _, n, _ in columns)
    plot["tallest"] = tallest
    plot["columns"] = [
        {
            "x": round(x, 2),
            "width": round(step * 0.86, 2),
            "height": max(2, round(_PLOT_PX * n / tallest)),
            "files": n,
            "over": limit is not None and start >= limit,
            "from": quantity(start),
        }
        for x, n, start in columns
        if n
    ]
    plot["ticks"] = [
        {"x": round(left + (e - low) * _BINS_A_DECADE * step, 2), "text": _power(e)} for e in range(low, high + 1)
    ]
    if under:
        plot["ticks"].insert(0, {"x": round(3 + step / 2, 2), "text": "0" if finite[0] == 0 else "less"})
    if limit:
        plot["limit_x"] = round(left + (math.log10(limit) - low) * _BINS_A_DECADE * step, 2)
    return plot


def _power(exponent: int) -> str:
    return f"{10.0**exponent:.{-exponent}f}" if exponent >= -4 else f"10{superscript(exponent)}"  # noqa: PLR2004


def confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> dict[str, Any] | None:
    """A heat table up to `HEAT_TABLE_MAX` labels, and the pairs most often confused in any case."""
    if not matrix:
        return None
    names = [labels[i] if i < len(labels) else f"class {i}" for i in range(len(matrix))]
    totals = [sum(row) for row in matrix]
    pairs = sorted(
        ((n, t, a) for t, row in enumerate(matrix) for a, n in enumerate(row) if n and t != a),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    table: dict[str, Any] = {
        "names": names,
        "wrong": sum(n for n, _, _ in pairs),
        "files": sum(totals),
        "more": max(0, len(pairs) - PAIRS_MAX),
        "pairs": [
            {"true": names[t], "answer": names[a], "times": n, "of": totals[t], "share": percent(n / totals[t])}
            for n, t, a in pairs[:PAIRS_MAX]
        ],
        "rows": [],
    }
    if len(matrix) <= HEAT_TABLE_MAX:
        table["narrow"] = all(len(name) <= 3 for name in names)  # noqa: PLR2004 - fits across a cell
        table["rows"] = [
            {
                "name": names[t],
                "files": totals[t],
                "cells": [
                    # A lone mistake among many must still be seen, hence the floor.
                    {"files": n, "right": t == a, "heat": round(max(0.2, n / totals[t]), 2) if n else 0.0}
                    for a, n in enumerate(row)
                ],
            }
            for t, row in enumerate(matrix)
        ]
    return table
