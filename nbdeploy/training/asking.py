"""Ask a Learner about its own held-out examples, and leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from fastai.learner import Learner
from torch import Tensor

from nbdeploy.errors import DataError, UsageError
from nbdeploy.training.explaining import Explainer, explainer
from nbdeploy.training.seeds import seeded

_ONE = 1e-3
"""Rows of probabilities add up to 1 within this; other rows are scores yet."""
_LEAST = 1e-12


def opened(learn: Any) -> tuple[Explainer, tuple[str, ...]]:
    """The part that fits this Learner's kind, and its classes in output order.

    Raises UsageError for what is no classifier, DataError where nothing held out has a label.
    """
    if not isinstance(learn, Learner):
        raise UsageError(
            f"{type(learn).__name__} is not a fastai Learner.",
            hint="Pass what nd.train(...), vision_learner(...) or tabular_learner(...) gave.",
        )
    part = explainer(learn)
    labels = part.labels()
    if labels is None:
        raise UsageError(
            "This Learner is no classifier with one label each of pictures, rows, or texts as nd.train reads them.",
            hint="learn_report takes what nd.train(...), vision_learner(...) or tabular_learner(...) gave.",
        )
    if not len(learn.dls.valid_ds):
        raise DataError(
            f"This Learner holds no {part.noun} out.",
            hint="Train with some held out: valid=0.2. One that was loaded from a file has left its data behind.",
        )
    return part, tuple(map(str, labels))


def answers(learn: Learner, *, dl: Any = None, tta: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [examples, classes] and the indices of the true labels, of all that is held out, or of `dl`."""
    with seeded(0), _as_it_was(learn):
        outputs, truth = learn.tta(ds_idx=1, n=tta) if tta else learn.get_preds(ds_idx=1, dl=dl)
    rows = outputs.detach().as_subclass(Tensor).float().cpu()
    if len(rows) and (rows.min() < 0 or (rows.sum(1) - 1).abs().max() > _ONE):
        rows = rows.softmax(1)
    return rows.numpy(), np.asarray(truth.cpu(), dtype=int).reshape(-1)


def losses(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Minus the natural logarithm of each true label's probability, float64 [examples]."""
    own = probabilities[np.arange(len(truth)), truth].astype(float)
    found: np.ndarray = -np.log(np.maximum(own, _LEAST))
    return found


@contextmanager
def _as_it_was(learn: Learner) -> Iterator[None]:
    rows = list(getattr(learn.recorder, "values", ())) if hasattr(learn, "recorder") else None
    was_training = learn.model.training
    try:
        with learn.no_bar(), learn.no_logging():
            yield
    finally:
        learn.model.train(was_training)
        if rows is not None and hasattr(learn.recorder, "values"):
            learn.recorder.values[:] = rows  # asking counts as a validation in fastai's table
