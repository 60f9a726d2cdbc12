"""How a training goes: its parts, the figures of its epochs, which epoch was best, and a wish to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nbdeploy.errors import UsageError

KEEP = ("last", "best", "accuracy")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
"""Which epoch's weights `train` gives: the last, that of the lowest held-out loss, or of the highest accuracy."""
_LOSS, _ACCURACY = 1, 2
"""Where they stand in an epoch's figures: train loss, held-out loss, accuracy, others."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One fit of the training: `frozen` leaves the body of the network as it is; `how` goes to `fit_one_cycle`."""

    epochs: int
    rate: Any
    """The highest learning rate; a slice spreads it over the layers."""
    frozen: bool = False
    thaw: bool = False
    how: dict[str, float] = field(default_factory=dict)


def phases_of(epochs: int, frozen: int, rate: float, *, pretrained: bool) -> tuple[Phase, ...]:
    """What `fine_tune` does where the head is trained first; else one cycle over all layers."""
    if frozen:
        # fastai's own figures: Learner.fine_tune.
        low = rate / 2
        head = Phase(frozen, slice(rate), frozen=True, how={"pct_start": 0.99})
        return head, Phase(epochs, slice(low / 100, low), thaw=True, how={"pct_start": 0.3, "div": 5.0})
    if pretrained:  # fine_tune's spread: early layers change least
        return (Phase(epochs, slice(rate / 100, rate), thaw=True),)
    return (Phase(epochs, rate),)


def check_keep(keep: str) -> None:
    """Raise UsageError for what names no epoch."""
    if keep not in KEEP:
        raise UsageError(f'keep is "{keep}".', hint=f"It is one of {', '.join(KEEP)}.")


@dataclass(eq=False)
class Course:
    """A training while it runs, over all its fits."""

    phases: tuple[Phase, ...]
    keep: str = "last"
    names: tuple[str, ...] = ("accuracy",)
    """Of the metrics."""
    rows: list[list[float]] = field(default_factory=list)
    """An epoch each: train loss, held-out loss, then the metrics."""
    took: list[float] = field(default_factory=list)
    """Seconds of each epoch; of those done before a kill too."""
    replayed: int = 0
    """Epochs that an earlier process did."""
    stop: str = ""
    """Why it is to stop at the next batch: "button" or "interrupt"."""

    @property
    def planned(self) -> int:
        """Epochs of all fits."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def frozen(self) -> int:
        """Epochs that train the head only."""
        return sum(phase.epochs for phase in self.phases if phase.frozen)

    @property
    def done(self) -> int:
        """Epochs that are complete."""
        return len(self.rows)

    @property
    def best(self) -> int:
        """The index of the best epoch so far, the earliest of equal ones; -1 where none is complete.

        It is that of the lowest held-out loss, or with keep="accuracy" of the highest accuracy (of equal ones, the
        lowest loss). A loss that is no number is the worst.
        """
        return min(range(self.done), key=self._rank, default=-1)

    def _rank(self, index: int) -> tuple[float, ...]:
        row = self.rows[index]
        loss = row[_LOSS] if math.isfinite(row[_LOSS]) else math.inf
        return (-row[_ACCURACY], loss) if self.keep == "accuracy" else (loss,)

    def history(self, rate: float, kept: int) -> dict[str, Any]:
        """What stays on the Learner: plain data, epochs counted from 1."""
        columns = ("train_loss", "valid_loss", *self.names)
        return {
            "epochs": [dict(zip(columns, map(float, row), strict=False)) for row in self.rows],
            "kept": kept + 1,
            "stopped": self.done + 1 if self.done < self.planned else None,
            "resumed": self.replayed,
            "lr": rate,
        }


def figures(row: Sequence[Any]) -> list[float]:
    """A row of the Recorder as plain floats."""
    return [math.nan if value is None else float(value) for value in row]
