"""How a Learner of rows or texts is fitted: seeded, watched, and stopped at a loss that is no number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from nbdeploy.core.hush import hushed
from nbdeploy.core.live import in_notebook
from nbdeploy.core.progress import is_quiet
from nbdeploy.errors import TrainError, UsageError


def fit(learn: Any, *, epochs: int, rate: float, weight_decay: float | None = None, cbs: Iterable[Any] = ()) -> None:
    """`epochs` of fastai's one cycle. Shows a table in a notebook, a line an epoch elsewhere. Raises TrainError."""
    with hushed():
        import fastai.callback.all  # noqa: F401, PLC0415 - fastai adds methods to Learner from many modules

        from nbdeploy.training.callbacks import EpochLines, EpochTable, StopAtNaN  # noqa: PLC0415 - fastai takes seconds

    stop = StopAtNaN()
    watching: list[Any] = [stop, *cbs]
    with ExitStack() as stack:
        stack.enter_context(learn.no_bar())
        stack.enter_context(learn.no_logging())
        if not is_quiet() and in_notebook():
            watching.append(table := EpochTable(epochs, 0))
            stack.callback(table.close)
        elif not is_quiet():
            watching.append(EpochLines(epochs))
        learn.fit_one_cycle(epochs, rate, wd=weight_decay, cbs=watching)
    if stop.where:
        raise TrainError(
            f"The loss was no longer a number in {stop.where}: training has diverged.",
            hint=f"Type a lower learning rate, lr={rate / 10:g} instead of {rate:g}.",
        )


def check(*, epochs: int | None, lr: float | None, batch_size: int | None) -> None:
    """Raise UsageError for what cannot be."""
    for name, value, least in (("epochs", epochs, 1), ("batch_size", batch_size, 2)):
        if value is not None and value < least:
            raise UsageError(f"{name} is {value}.", hint=f"It must be at least {least}.")
    if lr is not None and not 0 < lr < math.inf:
        raise UsageError(f"lr is {lr}.", hint="It must be above 0; 0.005 is usual.")


def epochs_for(examples: int, batch_size: int, *, steps: int, most: int) -> int:
    """So many epochs that there are about `steps` steps, from 5 to `most`."""
    return min(most, max(5, round(steps / max(1, examples // batch_size))))
