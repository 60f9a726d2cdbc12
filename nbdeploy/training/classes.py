"""Weights of classes in the loss, so that rare ones are not neglected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nbdeploy.errors import UsageError

Weights = bool | Mapping[str, float]


def class_weights(wanted: Weights, labels: Sequence[str], train: Sequence[str]) -> list[float] | None:
    """The weight of each of `labels`; None for none. `train` holds the label of every training file.

    True: n / (k * n_c), with n training files, k classes and n_c files of class c, so that every class counts alike
    and their mean over the files is 1. It is the rule that scikit-learn calls "balanced" (G. King and L. Zeng, Logistic
    Regression in Rare Events Data, 2001). A mapping gives the weights itself, one for each label.
    """
    if isinstance(wanted, Mapping):
        return _given(wanted, labels)
    if not wanted:
        return None
    counts = Counter(train)
    return [len(train) / (len(labels) * counts[label]) for label in labels]


def _given(weights: Mapping[str, Any], labels: Sequence[str]) -> list[float]:
    lacking, unknown = sorted(set(labels) - set(weights)), sorted(set(weights) - set(labels))
    if lacking or unknown:
        wrong = f'no weight for "{lacking[0]}"' if lacking else f'a weight for "{unknown[0]}", which is no class'
        raise UsageError(f"class_weights has {wrong}.", hint=f"Give one for each of {', '.join(labels[:10])}.")
    bad = [label for label in labels if not 0 < weights[label] < float("inf")]
    if bad:
        raise UsageError(f'class_weights["{bad[0]}"] is {weights[bad[0]]}.', hint="It must be above 0; 1 is usual.")
    return [float(weights[label]) for label in labels]
