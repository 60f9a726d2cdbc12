"""A report's checks and figures as rows of text: what a terminal and a notebook both show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbdeploy.core.numbers import SPACE, compared, milliseconds, number, percent, points, quantity, size

if TYPE_CHECKING:
    from nbdeploy.core.report import Check, Report

_CHANGED_SHOWN = 20
_BOUNDS: dict[str, tuple[Callable[[float], str], str]] = {
    "top1_agreement": (percent, "at least "),
    "accuracy_drop": (lambda share: points(share).removeprefix("+"), "at most "),
    "mean_drift": (quantity, "at most "),
    "max_drift": (quantity, "at most "),
    "samples": (quantity, "at most "),
    "fresh_process": (quantity, "at most "),
    "browser": (quantity, "at most "),
    "on_the_device": (quantity, "at most "),
    "answers_are_numbers": (quantity, "at most "),
    "file_hashes": (quantity, "at most "),
    "labels": (quantity, "exactly "),
    "package_labels": (quantity, "exactly "),
}
"""Check -> its unit, and which side of the limit is good. Checks of others are plain numbers."""
_BESIDE: tuple[tuple[str, str, str, Callable[[float], str], tuple[str, str]], ...] = (
    ("accuracy", "accuracy_deployed", "accuracy_original", percent, ("", "")),
    ("size", "size_bytes", "size_bytes_original", size, ("smaller", "larger")),
    ("latency, 1 thread", "latency_ms_p50", "latency_ms_p50_original", milliseconds, ("faster", "slower")),
    (
        "latency, all threads",
        "latency_ms_p50_all",
        "latency_ms_p50_original_all",
        milliseconds,
        ("faster", "slower"),
    ),
    (
        "peak memory",
        "peak_memory_mb",
        "peak_memory_mb_original",
        lambda mb: f"{quantity(mb)}{SPACE}MB",
        ("smaller", "larger"),
    ),
)
"""Row -> the deployed model's figure, the original's, the unit, and the words for less and more."""


def check_row(check: Check) -> tuple[str, str, str, str]:
    """Title, value, limit, meaning."""
    text, bound = _BOUNDS.get(check.name, (quantity, ""))

    def amount(value: float | str | None) -> str:
        exact = number(value)
        if value is None or exact is None or isinstance(value, str):
            return "–" if value is None else "not a number" if str(value) == "nan" else str(value)
        return f"{value:,}" if isinstance(value, int) and text is quantity else text(exact)

    limit = f"{bound}{amount(check.limit)}" if number(check.limit) is not None else amount(check.limit)
    return check.title, amount(check.value), limit, check.why


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Figure, deployed, original, how they compare. What was not measured has no row."""
    rows = []
    for title, key, other, text, words in _BESIDE:
        deployed, original = number(metrics.get(key)), number(metrics.get(other))
        if deployed is None:
            continue
        beside = "" if original is None else _beside(deployed, original, words)
        rows.append((title, text(deployed), "–" if original is None else text(original), beside))
    return rows


def _beside(deployed: float, original: float, words: tuple[str, str]) -> str:
    if words[0]:
        return compared(deployed, original, less=words[0], more=words[1])
    return "the same" if deployed == original else points(deployed - original)


def remarks(metrics: Mapping[str, Any]) -> list[str]:
    """Sentences for the figures that stand alone."""
    get = {key: number(value) for key, value in metrics.items()}
    said = []
    mean, worst = get.get("mean_abs_diff"), get.get("max_abs_diff")
    if mean is not None and worst is not None:
        said.append(f"Probabilities moved by {quantity(mean)} on average and {quantity(worst)} at most, from 0 to 1.")
    ends = metrics.get("accuracy_deployed_interval")
    if isinstance(ends, list | tuple) and all(number(end) is not None for end in ends):
        low, high = (100 * float(end) for end in ends)
        said.append(f"Accuracy deployed: {low:.1f} to {high:.1f}{SPACE}% with 95{SPACE}% confidence.")
    runs, where = get.get("latency_runs"), metrics.get("measured_on")
    if runs is not None:
        said.append(f"Latency: median of {runs:,.0f} runs of the model alone" + (f", {where}." if where else "."))
    return said


def verdict(report: Report) -> str:
    """How many checks ended how, failed ones first."""
    if report.checks and all(check.status == "passed" for check in report.checks):
        return f"all {len(report.checks)} checks passed"
    counts = {"failed": len(report.failed), "not run": 0, "passed": 0}
    for check in report.checks:
        if check.status != "failed":
            counts[check.status.replace("_", " ")] += 1
    shown = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    return f"{len(report.checks)} checks: {shown}"


def changed_rows(report: Report) -> list[tuple[str, str, str, str]]:
    """File, true label, the original's answer, the deployed model's, for the first files that changed answer."""
    return [
        (
            row.file,
            "not known" if row.label is None else row.label,
            f"{row.original} ({_share(row.original_probability)})",
            f"{row.deployed} ({_share(row.deployed_probability)})",
        )
        for row in report.changed[:_CHANGED_SHOWN]
    ]


def _share(value: float) -> str:
    share = number(value)
    return "not a number" if share is None else f"{100 * share:.0f}{SPACE}%"


def in_columns(rows: Sequence[tuple[str, ...]], *, right: tuple[int, ...] = ()) -> list[str]:
    """Rows as aligned lines; the columns in `right` are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
