"""Two sets of answers to the same files, compared: pure arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbdeploy.core.numbers import wilson
from nbdeploy.core.recipe import Recipe
from nbdeploy.core.report import Check, FileResult, Status


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing gave: checks, metrics, the files that changed answer, the confusion matrix, drift a file."""

    checks: tuple[Check, ...]
    metrics: dict[str, Any]
    changed: tuple[FileResult, ...]
    confusion: tuple[tuple[int, ...], ...]
    drifts: tuple[float, ...]


def judge(name: str, value: float, limit: float, why: str, *, at_least: bool = False) -> Check:
    """A check that `value` stays within `limit`; NaN never does."""
    good = value >= limit if at_least else value <= limit
    return Check(name, Status.passed if good else Status.failed, value, limit, why)


def compare(
    expected: np.ndarray,
    got: np.ndarray,
    *,
    files: Sequence[str],
    truth: Sequence[str | None],
    labels: Sequence[str],
    recipe: Recipe,
) -> Comparison:
    """Hold `got` to `expected`, both float32 ``[files, classes]``; a file that was not answered is a row of NaN.

    A different top-1 answer whose probability the original puts within ``recipe.tie`` of its own is a tie and counts
    as agreement.
    """
    answered = np.isfinite(got).all(axis=1)
    safe = np.where(np.isfinite(got), got, -1.0)
    first, second = expected.argmax(axis=1), safe.argmax(axis=1)
    rows = np.arange(len(expected))
    gap = expected[rows, first] - expected[rows, second]
    same = (first == second) & answered
    tied = ~same & answered & (gap <= recipe.tie)
    agreement = float((same | tied).mean())
    apart = np.abs(got - expected)
    drifts = np.where(answered, np.nan_to_num(apart, nan=1.0).max(axis=1), np.nan)
    worst = float(drifts.max())  # NaN where a file was not answered
    mean = float(apart.mean())
    metrics: dict[str, Any] = {
        "files": len(expected),
        "top1_agreement": agreement,
        "ties": int(tied.sum()),
        "max_abs_diff": worst,
        "mean_abs_diff": mean,
    }
    unanswered = [files[i] for i in np.flatnonzero(~answered).tolist()]
    checks = [
        judge(
            "top1_agreement",
            agreement,
            recipe.min_agreement,
            f"the same answer on {int((same | tied).sum())} of {len(expected)} held-out files"
            + (f", {int(tied.sum())} of them ties" if tied.any() else ""),
            at_least=True,
        ),
        Check(
            "answers_are_numbers",
            Status.failed if unanswered else Status.passed,
            len(unanswered),
            0,
            f"no usable answer on {', '.join(unanswered[:3])}" if unanswered else "every file got probabilities",
        ),
        judge("mean_drift", mean, recipe.mean_drift, "mean change of a probability over all files and classes"),
    ]
    if recipe.max_drift is not None:
        checks.append(judge("max_drift", worst, recipe.max_drift, "largest change of any probability"))
    accuracy, more, confusion = _accuracy(first, second, truth, labels, recipe)
    checks.append(accuracy)
    metrics.update(more)
    changed = [
        FileResult(
            file=files[i],
            label=truth[i],
            original=labels[first[i]],
            deployed=labels[second[i]] if answered[i] else "(no answer)",
            original_probability=float(expected[i, first[i]]),
            deployed_probability=float(got[i, second[i]]),
            drift=float(drifts[i]),
        )
        for i in np.flatnonzero(~same).tolist()
    ]
    return Comparison(tuple(checks), metrics, tuple(changed), confusion, tuple(float(d) for d in drifts))


def _accuracy(
    first: np.ndarray, second: np.ndarray, truth: Sequence[str | None], labels: Sequence[str], recipe: Recipe
) -> tuple[Check, dict[str, Any], tuple[tuple[int, ...], ...]]:
    index = {label: i for i, label in enumerate(labels)}
    known = [(i, index[label]) for i, label in enumerate(truth) if label in index]
    if not known:
        return Check("accuracy", Status.not_run, why="the true labels of the held-out files are not known"), {}, ()
    at, true = (np.array(column) for column in zip(*known, strict=True))
    right = [int((answers[at] == true).sum()) for answers in (first, second)]
    shares = [count / len(known) for count in right]
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (true, second[at]), 1)
    metrics = {
        "accuracy_original": shares[0],
        "accuracy_original_interval": list(wilson(right[0], len(known))),
        "accuracy_deployed": shares[1],
        "accuracy_deployed_interval": list(wilson(right[1], len(known))),
    }
    why = f"accuracy {shares[0]:.2%} before, {shares[1]:.2%} deployed; the value is the drop"
    check = judge("accuracy_drop", shares[0] - shares[1], recipe.max_accuracy_drop, why)
    return check, metrics, tuple(tuple(int(n) for n in row) for row in confusion)
