"""Which step is to blame when the deployed model does not answer as the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nbdeploy.core.recipe import Recipe

Run = Callable[[np.ndarray], np.ndarray]
# Two float32 runs of one graph; beyond this they are not the same computation.
_SAME = 1e-3
_MUCH_NEARER = 4.0


def diagnose(  # noqa: PLR0911 - one return a step that can be to blame
    *,
    prepared: Sequence[np.ndarray],
    expected: np.ndarray,
    got: np.ndarray,
    program: Run,
    base: Run | None,
    deployed: Run,
    recipe: Recipe,
    pictures: bool = True,
) -> str:
    """One or two sentences on the step to blame and what to do, from the files with the largest drift.

    `prepared` is what the host makes of each file, uint8 ``[1, H, W, C]`` for `pictures`; `expected` the Learner's
    answers, `got` the bundle's own (both ``[n, classes]``). `program` is the exported model in PyTorch, `base` the
    unshrunk converted file where there is one, `deployed` the file in the bundle.
    """
    in_torch = _answers(program, prepared)
    in_runtime = _answers(deployed, prepared)
    if _apart(in_torch, expected) > _SAME:
        swapped = _apart(_answers(program, [_swap(p) for p in prepared]), expected) if pictures else np.inf
        if swapped * _MUCH_NEARER < _apart(in_torch, expected):
            return "Preparing is to blame: red and blue are swapped between the original's pixels and the host's."
        return (
            "Exporting is to blame: the exported model itself, run by PyTorch on what the host prepared, differs from "
            "the Learner. Look at the transforms and callbacks of the Learner."
        )
    if not np.isfinite(in_runtime).all():
        return "Converting is to blame: the converted model answers NaN. Try another target or recipe."
    if _apart(in_runtime, got) > _SAME:
        return (
            "The host code is to blame: the model file is right when given the right input. Compare "
            "app/python/predict.py and the signature in manifest.json with nbdeploy's own."
        )
    as_bgr = _apart(_answers(deployed, [_swap(p) for p in prepared]), expected) if pictures else np.inf
    reordered = _reordered(in_runtime, expected)
    if min(as_bgr, reordered) * _MUCH_NEARER < _apart(in_runtime, expected):
        if as_bgr <= reordered:
            return "Converting is to blame: the converted model takes blue-green-red, the original red-green-blue."
        return "The labels are to blame: the probabilities are right but stand in another order."
    if base is None or _apart(_answers(base, prepared), expected) > _SAME:
        return (
            "Converting is to blame: the unshrunk converted model already differs from the exported one. Try another "
            "target, or another version of the converter."
        )
    other = "dynamic_int8 or fp16" if recipe.calibrated else "fp32" if recipe.name == "fp16" else "fp16 or fp32"
    return (
        f"The recipe {recipe.name} is to blame: before shrinking, the converted model answers as the original. "
        f"Try {other}" + (", or more calibration files." if recipe.calibrated else ".")
    )


def loader(load: Callable[[str, int], Run], path: Path | None) -> Run | None:
    """The runner of a file, or None where there is no file."""
    return load(str(path), 0) if path is not None and path.exists() else None


def _answers(run: Run, prepared: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([np.asarray(run(one)).reshape(-1) for one in prepared])


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    apart = np.abs(one - other)
    return float(apart.mean(axis=0).max()) if np.isfinite(apart).all() else float("inf")


def _swap(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[..., ::-1])


def _reordered(one: np.ndarray, other: np.ndarray) -> float:
    """How far the columns of `one` are from those of `other` in the best other order; infinite where there is none."""
    nearest = np.abs(one[:, :, None] - other[:, None, :]).mean(axis=0).argmin(axis=1)
    return _apart(one, other[:, nearest]) if len(set(nearest.tolist())) == len(nearest) else float("inf")
