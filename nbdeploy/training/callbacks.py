"""What goes along with a training: its figures, the best weights, a stop that was asked for, a loss that is no number.

None of them stays attached.
"""

from __future__ import annotations

import math
import time
from typing import Any

from fastai.callback.core import Callback, CancelFitException
from torch import Tensor

from nbdeploy.errors import say
from nbdeploy.tracking.recording import Recorded
from nbdeploy.training.course import Course, figures


class Follow(Callback):  # type: ignore[misc]
    """Notes each epoch in the course, and copies the weights of the best one where they may be wanted."""

    order = 60  # after Recorder has the figures, before those who show or save them

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course
        self.best: dict[str, Tensor] = {}
        """Of the best epoch so far, on the CPU; empty until one is complete."""

    def before_epoch(self) -> None:
        self.began = time.monotonic()

    def after_epoch(self) -> None:
        course = self.course
        course.rows.append(figures(self.recorder.values[-1]))
        if course.done > course.replayed:
            course.took.append(time.monotonic() - self.began)
            if course.best == course.done - 1:
                self.best = weights_of(self.learn.model)

    def put_back(self, model: Any, index: int) -> None:
        """Give `model` the weights of epoch `index`: the best one, or the last as it stands."""
        if index == self.course.best and self.best:
            model.load_state_dict(self.best)


class StopWhenAsked(Callback):  # type: ignore[misc]
    """Ends a fit at the next batch, and refuses the next fit, once `course.stop` says why."""

    order = 70

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course

    def before_fit(self) -> None:
        self.after_batch()

    def after_batch(self) -> None:
        if self.course.stop:
            raise CancelFitException


class EpochLines(Callback):  # type: ignore[misc]
    """One line an epoch on standard error."""

    order = 65

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course

    def after_epoch(self) -> None:
        course = self.course
        if course.done <= course.replayed:
            return
        train_loss, valid_loss, *others = course.rows[-1]
        left = sum(course.took) / len(course.took) * (course.planned - course.done)
        estimate = f", about {left:.0f} s left" if course.done < course.planned else ""
        measured = ", ".join(f"{name} {value:.3f}" for name, value in zip(course.names, others, strict=False))
        say(
            f"epoch {course.done}/{course.planned}: train loss {train_loss:.3g}, valid loss {valid_loss:.3g}, "
            f"{measured}, {course.took[-1]:.1f} s{estimate}"
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


class Series(Callback):  # type: ignore[misc]
    """Notes the figures of every epoch for a run, counted over all fits."""

    order = 65  # after Recorder has the figures

    def __init__(self, run: Recorded) -> None:
        super().__init__()
        self.noted = run  # not `run`, which is fastai's own switch
        self.epochs = 0

    def after_epoch(self) -> None:
        self.epochs += 1
        names = [name for name in self.recorder.metric_names if name not in {"epoch", "time"}]
        self.noted.metrics(dict(zip(names, self.recorder.values[-1], strict=False)), step=self.epochs)


def weights_of(model: Any) -> dict[str, Tensor]:
    """A copy of a model's parameters and buffers on the CPU, also of one that is wrapped for several processes."""
    inner = getattr(model, "module", model) if type(model).__name__ == "DistributedDataParallel" else model
    return {name: value.detach().cpu().clone() for name, value in inner.state_dict().items()}
