"""What watches a training: plain lines for a pipe, and a stop when the loss is no number. Neither stays attached."""

from __future__ import annotations

import math
import time

from fastai.callback.core import Callback, CancelFitException

from nbdeploy.errors import say


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


class StopAtNaN(Callback):  # type: ignore[misc]
    """Ends a fit, and refuses the next, once a loss is NaN or infinite; `where` then says in which batch."""

    order = -10

    def __init__(self) -> None:
        super().__init__()
        self.where = ""

    def before_fit(self) -> None:
        if self.where:
            raise CancelFitException

    def after_loss(self) -> None:
        # Before the step, so that the weights are not spoilt too.
        if not math.isfinite(self.learn.loss.item()):
            side = "training" if self.training else "held-out"
            self.where = f"epoch {self.epoch + 1}, {side} batch {self.iter + 1}"
            raise CancelFitException
