"""What watches a training: how far it is, for a pipe and a notebook, and a stop at a loss that is no number.

None of them stays attached.
"""

from __future__ import annotations

import math
import time

from fastai.callback.core import Callback, CancelFitException

from nbdeploy.core.live import Live
from nbdeploy.core.look import Html, bar, chance, output, quiet, table, tag
from nbdeploy.core.numbers import duration
from nbdeploy.errors import say
from nbdeploy.tracking.recording import Recorded

_GUESS_FROM = 0.5
"""Epochs after which the time left is guessed."""


class EpochLines(Callback):  # type: ignore[misc]
    """One line an epoch on standard error. `planned` counts the epochs of all fits it is handed to."""

    order = 65  # after Recorder has the figures

    def __init__(self, planned: int) -> None:
        super().__init__()
        self.planned = planned
        self.done = 0
        self.spent = 0.0

    def before_epoch(self) -> None:
        self.began = time.monotonic()

    def after_epoch(self) -> None:
        took = time.monotonic() - self.began
        self.done += 1
        self.spent += took
        train_loss, valid_loss, accuracy = self.recorder.values[-1][:3]
        left = self.spent / self.done * (self.planned - self.done)
        estimate = f", about {left:.0f} s left" if self.done < self.planned else ""
        say(
            f"epoch {self.done}/{self.planned}: train loss {train_loss:.3g}, valid loss {valid_loss:.3g}, "
            f"accuracy {accuracy:.3f}, {took:.1f} s{estimate}"
        )


class EpochTable(Callback):  # type: ignore[misc]
    """One row an epoch in a notebook, and below it how far the training is; `frozen` of the epochs train the head."""

    order = 65  # after Recorder has the figures

    def __init__(self, epochs: int, frozen: int) -> None:
        super().__init__()
        self.frozen, self.planned = frozen, frozen + epochs
        self.rows: list[tuple[str, ...]] = []
        self.live, self.began = Live(), time.monotonic()

    def before_fit(self) -> None:
        self._draw(0.0)

    def before_epoch(self) -> None:
        self.began_epoch = time.monotonic()

    def after_batch(self) -> None:
        if self.training:
            self._draw((self.iter + 1) / self.n_iter, urgent=False)

    def after_epoch(self) -> None:
        train_loss, valid_loss, accuracy = self.recorder.values[-1][:3]
        part = "head only" if len(self.rows) < self.frozen else ""
        took = duration(time.monotonic() - self.began_epoch)
        row = (f"{len(self.rows) + 1}", f"{train_loss:.3f}", f"{valid_loss:.3f}", chance(accuracy), took, part)
        self.rows.append(row)
        self._draw(0.0)

    def close(self) -> None:
        """Training is over, or was stopped: say how long it took."""
        took = duration(time.monotonic() - self.began)
        done = len(self.rows) == self.planned
        end = (
            f"{self.planned} epoch{'s' if self.planned > 1 else ''} in {took}"
            if done
            else f"stopped in epoch {len(self.rows) + 1}, after {took}"
        )
        self._show(quiet(end), end)

    def _draw(self, share: float, *, urgent: bool = True) -> None:
        done = len(self.rows) + share
        spent = time.monotonic() - self.began
        # The first batches are the slowest, so a guess from them would frighten.
        left = f", about {duration(round(spent / done * (self.planned - done)))} left" if done >= _GUESS_FROM else ""
        text = f"epoch {min(len(self.rows) + 1, self.planned)} of {self.planned}{left}"
        self._show(tag("div", "nbd-beside nbd-mid", bar(done / self.planned), quiet(text)), text, urgent=urgent)

    def _show(self, below: Html, text: str, *, urgent: bool = True) -> None:
        heads = ("Epoch", "Train loss", "Held-out loss", "Held-out accuracy", "Time", "")
        page = output(table(self.rows, "nnnnnl", heads=heads) if self.rows else "", below)
        lines = ["  ".join(row).rstrip() for row in [heads, *self.rows]] if self.rows else []
        self.live.show(page, "\n".join([*lines, text]), urgent=urgent)


class StopAtNaN(Callback):  # type: ignore[misc]
    """Ends a fit, and refuses the next, once a loss is NaN or infinite; `where` then says in which batch.

    `epochs` counts those that were finished, of all fits.
    """

    order = -10

    def __init__(self) -> None:
        super().__init__()
        self.where = ""
        self.epochs = 0

    def after_epoch(self) -> None:
        self.epochs += 1

    def before_fit(self) -> None:
        if self.where:
            raise CancelFitException

    def after_loss(self) -> None:
        # Before the step, so that the weights are not spoilt too.
        if not math.isfinite(self.learn.loss.item()):
            side = "training" if self.training else "held-out"
            self.where = f"epoch {self.epoch + 1}, {side} batch {self.iter + 1}"
            raise CancelFitException


class Series(Callback):  # type: ignore[misc]
    """Notes the figures of every epoch for a run, counted over all fits."""

    order = 65  # after Recorder has the figures

    def __init__(self, run: Recorded) -> None:
        super().__init__()
        self.run = run
        self.epochs = 0

    def after_epoch(self) -> None:
        self.epochs += 1
        names = [name for name in self.recorder.metric_names if name not in {"epoch", "time"}]
        self.run.metrics(dict(zip(names, self.recorder.values[-1], strict=False)), step=self.epochs)
