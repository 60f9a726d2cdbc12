"""Permutation importance: how much worse a model does when the values of one column are dealt out anew among the rows.

L. Breiman, Random Forests (2001), takes the drop of accuracy; A. Fisher, C. Rudin and F. Dominici, All Models are
Wrong, but Many are Useful (2019), the rise of the loss, for any model. Both are given, on held-out rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.core.look import Html, bar, details, joined, quiet, table
from nbdeploy.core.numbers import MINUS, percent

if TYPE_CHECKING:
    import pandas as pd

REPEATS = 10
SEED = 0
MOST_ROWS = 5_000
"""Of more held-out rows, so many are drawn."""
_SHOWN = 15

Measured = tuple[np.ndarray, np.ndarray]
"""Of each row: its loss, and whether its answer is right."""


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """One column: the mean over the repeats, and their standard deviation."""

    column: str
    loss_rise: float
    loss_rise_sd: float
    accuracy_drop: float
    """As a share, 0..1; below 0 where the shuffled values happened to do better."""
    accuracy_drop_sd: float


@dataclass(frozen=True, slots=True)
class Importance:
    """Of all columns, the greatest rise of the loss first; `loss` and `accuracy` are those without shuffling."""

    columns: tuple[ColumnRow, ...]
    rows: int
    """Held-out rows that were shuffled."""
    repeats: int
    seed: int
    loss: float
    accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def html(self) -> Html:
        """The table for people."""
        most = max((row.loss_rise for row in self.columns), default=0.0)
        heads = (
            "Column",
            "",
            f"Loss (now {self.loss:.3f}) rises by",
            f"Accuracy (now {percent(self.accuracy)}) drops by",
        )
        rows = [_cells(row, most) for row in self.columns]
        rest = rows[_SHOWN:]
        return joined(
            table(rows[:_SHOWN], "htnn", heads=heads),
            details(f"{len(rest)} more columns", table(rest, "htnn", heads=heads)) if rest else "",
            quiet(
                f"Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019): what is lost when the values "
                f"of a column are shuffled among {self.rows:,} held-out rows. Mean ± standard deviation of "
                f"{self.repeats} shuffles, seed {self.seed}. A rise that is no larger than its deviation says nothing. "
                "Columns that tell the same stand in for one another, so each looks less important than it is."
            ),
        )

    def __str__(self) -> str:
        told = (f"{row.column} {_signed(row.loss_rise, 3)} ± {row.loss_rise_sd:.3f}" for row in self.columns[:5])
        return f"columns by how much the loss of {self.loss:.3f} rises when they are shuffled: {', '.join(told)}"


def measure(
    frame: pd.DataFrame, parts: Mapping[str, Sequence[str]], measured: Callable[[pd.DataFrame], Measured]
) -> Importance:
    """The importance of the columns of `frame`. `parts` names what belongs to each and is shuffled together.

    Every column is shuffled in the same ways, so that two equal ones get equal figures.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    numbers = np.random.default_rng(SEED)
    if len(frame) > MOST_ROWS:
        frame = frame.iloc[np.sort(numbers.choice(len(frame), MOST_ROWS, replace=False))]
    count = len(frame)
    loss, right = (float(values.mean()) for values in measured(frame))
    # All repeats are one long table, so that the model is asked once a column.
    many = pd.concat([frame] * REPEATS, ignore_index=True)
    order = np.concatenate([start * count + numbers.permutation(count) for start in range(REPEATS)])
    rows = []
    for column, names in parts.items():
        dealt = many.assign(**{name: many[name].to_numpy()[order] for name in names})
        losses, rights = (values.reshape(REPEATS, count).mean(1) for values in measured(dealt))
        rows.append(
            ColumnRow(
                column,
                float(losses.mean() - loss),
                float(losses.std(ddof=1)),
                float(right - rights.mean()),
                float(rights.std(ddof=1)),
            )
        )
    rows.sort(key=lambda row: -row.loss_rise)
    return Importance(tuple(rows), count, REPEATS, SEED, loss, right)


def _cells(row: ColumnRow, most: float) -> tuple[str, ...]:
    return (
        row.column,
        bar(row.loss_rise / most if most > 0 else 0.0),
        f"{_signed(row.loss_rise, 3)} ± {row.loss_rise_sd:.3f}",
        f"{_signed(100 * row.accuracy_drop, 1)} ± {100 * row.accuracy_drop_sd:.1f} points",
    )


def _signed(value: float, decimals: int) -> str:
    text = f"{abs(value):.{decimals}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text
