"""How a Learner of rows or texts is fitted: one cycle, watched and stopped as a training on pictures is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from nbdeploy.core.hush import hushed
from nbdeploy.errors import UsageError
from nbdeploy.tracking.recording import current
from nbdeploy.training.counts import check_counts
from nbdeploy.training.course import Course, Phase


def fit(
    learn: Any,
    *,
    epochs: int,
    rate: float,
    keep: str,
    weight_decay: float | None = None,
    cbs: Iterable[Any] = (),
) -> None:
    """`epochs` of fastai's one cycle; shown, stopped and kept as `nbdeploy.train` says. Raises TrainError."""
    with hushed():
        import fastai.callback.all  # noqa: F401, PLC0415 - fastai adds methods to Learner from many modules

        from nbdeploy.training.running import Run  # noqa: PLC0415 - fastai takes seconds

    current().params({"epochs": epochs, "lr": rate})
    how = {} if weight_decay is None else {"wd": weight_decay}
    course = Course((Phase(epochs, rate, how=how),), keep, tuple(metric.name for metric in learn.metrics))
    run = Run(learn, course, rate=rate, precision="fp32", checkpoints=None)
    run.go(cbs, resume=False)


def check(*, epochs: int | None, lr: float | None, batch_size: int | None) -> None:
    """Raise UsageError for what cannot be."""
    check_counts({"epochs": epochs, "batch_size": batch_size}, {"epochs": 1, "batch_size": 2})
    if lr is not None and not 0 < lr < math.inf:
        raise UsageError(f"lr is {lr}.", hint="It must be above 0; 0.005 is usual.")


def epochs_for(examples: int, batch_size: int, *, steps: int, most: int) -> int:
    """So many epochs that there are about `steps` steps, from 5 to `most`."""
    return min(most, max(5, round(steps / max(1, examples // batch_size))))
