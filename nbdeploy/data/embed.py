"""What a Learner's own body makes of pictures: the vectors in which pictures that mean the same lie close."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nbdeploy.core.progress import track
from nbdeploy.errors import UsageError

_EACH = 256
_BODY_AND_HEAD = 2


def embeddings(learn: Any, paths: Sequence[Path]) -> np.ndarray:
    """(files, features) float32, of readable pictures. The Learner is left as it was.

    Of a model of body and head, as fastai cuts them, the body's output averaged over the picture; of another, what
    goes into its last linear layer. Raises UsageError where `learn` is no such Learner.
    """
    model = getattr(learn, "model", None)
    if model is None or not hasattr(learn, "get_preds") or getattr(learn, "dls", None) is None:
        raise UsageError(
            f"{type(learn).__name__} is not a fastai Learner with data.", hint="Pass learn=, your Learner."
        )
    caught: list[np.ndarray] = []
    hook = _watch(model, caught)
    some: list[np.ndarray] = []
    try:
        with learn.no_bar(), learn.no_logging():
            for start in track(range(0, len(paths), _EACH), "asking the model", unit="batch"):
                loader = learn.dls.test_dl(list(paths[start : start + _EACH]), num_workers=0)
                learn.get_preds(dl=loader)
                some.append(np.concatenate(caught))
                caught.clear()
    finally:
        hook.remove()
    return np.concatenate(some) if some else np.zeros((0, 1), np.float32)


def _watch(model: Any, caught: list[np.ndarray]) -> Any:
    parts = list(model.children())
    if len(parts) == _BODY_AND_HEAD and len(list(parts[0].children())) > 1:
        return parts[0].register_forward_hook(lambda _module, _inputs, output: caught.append(_flat(output)))
    linear = [module for module in model.modules() if getattr(getattr(module, "weight", None), "ndim", 0) == 2]  # noqa: PLR2004
    if not linear:
        raise UsageError("The model has no linear layer to read pictures' features from.", hint="Leave learn= out.")
    return linear[-1].register_forward_pre_hook(lambda _module, inputs: caught.append(_flat(inputs[0])))


def _flat(output: Any) -> np.ndarray:
    values = np.asarray(output.detach().float().cpu().numpy())
    if values.ndim == 4:  # noqa: PLR2004 - pictures, features, height, width
        values = values.mean((2, 3))
    return values.reshape(len(values), -1)
