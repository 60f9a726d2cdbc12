"""A callback that tells somebody how a training goes, epoch by epoch: a tuning, which may end it by raising."""

from __future__ import annotations

from collections.abc import Callable

from fastai.callback.core import Callback as FastaiCallback

from nbdeploy.training.epoch import Epoch, last_figures


class Heed(FastaiCallback):  # type: ignore[misc]
    """Calls `after` with every Epoch, and `step` with the share of epochs that are done, 0..1, after every batch.

    `planned` counts the epochs of all fits it is handed to. What either raises ends the training.
    """

    order = 66  # after Recorder has the figures

    def __init__(self, planned: int, after: Callable[[Epoch], None], step: Callable[[float], None]) -> None:
        super().__init__()
        self.planned, self.tell, self.step = planned, after, step
        self.done = 0

    def after_batch(self) -> None:
        if self.training:
            self.step((self.done + (self.iter + 1) / self.n_iter) / self.planned)

    def after_epoch(self) -> None:
        self.done += 1
        figures = last_figures(self.learn)
        self.tell(Epoch(self.done, self.planned, figures["valid_loss"], figures["accuracy"]))
