"""Predictions: what a bundle answered, as plain data, a line and a picture with bars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.core import look
from nbdeploy.core.numbers import SPACE

_LABELS_SHOWN = 5
_WORTH_A_ROW = 0.001
_ROWS = 50


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a bundle answered for one picture, row or text. `probabilities` is label -> 0..1, in its own order."""

    file: str
    label: str
    probabilities: Mapping[str, float]
    inference_ms: float

    @property
    def probability(self) -> float:
        """Of the answer, 0..1."""
        return self.probabilities[self.label]

    def top(self, most: int = _LABELS_SHOWN) -> list[tuple[str, float]]:
        """The likeliest labels with their probabilities, likeliest first."""
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])[:most]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``nbdeploy predict --json`` prints it."""
        return {
            "file": self.file,
            "label": self.label,
            "probabilities": {k: p if math.isfinite(p) else None for k, p in self.probabilities.items()},
            "inference_ms": self.inference_ms,
        }

    def __str__(self) -> str:
        return f"{self.file}: {self.label}  {self.probability:.1%}  ({self.inference_ms:.1f} ms)"

    def __repr__(self) -> str:
        return f"Prediction({Path(self.file).name}: {self.label} {self.probability:.1%}, {self.inference_ms:.1f} ms)"

    def _repr_html_(self) -> str:
        shown = [(label, p) for label, p in self.top() if p >= _WORTH_A_ROW or label == self.label]
        others = len(self.probabilities) - len(shown)
        rows = [(label, look.chance(p), look.bar(p)) for label, p in shown]
        answer = look.tag(
            "div",
            "",
            look.head(self.label),
            look.quiet(f"{self.file}, {self.inference_ms:.1f}{SPACE}ms"),
            look.table(rows, "hnt", css="nbd-bare nbd-mid"),
            look.quiet(f"{others} other label{'s, each' if others > 1 else ','} less likely") if others else "",
        )
        picture = look.thumbnail(self.file, large=True) if _is_picture(self.file) else ""
        return look.output(look.tag("div", "nbd-beside", picture, answer))


def _is_picture(file: str) -> bool:
    """Whether there is a picture to show: rows and texts are files of their own endings, or no files."""
    try:
        return not file.endswith((".json", ".txt")) and Path(file).is_file()
    except (OSError, ValueError):  # a text is no name
        return False


class Predictions(list[Prediction]):
    """The answers for several pictures: a list that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        rows = [
            (
                look.thumbnail(one.file) if _is_picture(one.file) else "",
                one.label,
                look.chance(one.probability),
                look.bar(one.probability),
                ", ".join(f"{label} ({look.chance(p)})" for label, p in one.top(2)[1:]),
                f"{one.inference_ms:.1f}{SPACE}ms",
                Path(one.file).name,
            )
            for one in self[:_ROWS]
        ]
        heads = ("", "Answer", "Probability", "", "Next likeliest", "Time", "File")
        return look.output(
            look.table(rows, "phntlnt", heads=heads, css="nbd-mid"),
            look.quiet(f"and {len(self) - _ROWS} more") if len(self) > _ROWS else "",
        )
