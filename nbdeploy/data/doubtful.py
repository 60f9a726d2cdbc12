"""Labels that look wrong, judged by a model that has not seen them, and pictures unlike the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nbdeploy.core.finding import Finding, Guess
from nbdeploy.data.folds import Doubt, judge, linear
from nbdeploy.data.twins import Entry

_COMPONENTS = 64
_EASE = 0.1  # inverse strength of regularisation
_ROWS = 8192  # at a time
_NEIGHBOURS = 10
_FAR = 5.0  # times the usual spread of the distances to the neighbours
_REFERENCES = 20_000
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Doubts:
    """Findings, and what there is to say about them."""

    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    guesses: Mapping[Path | int, Guess] = field(default_factory=dict)
    """What the model says of each file, out of fold."""


def label_doubts(entries: Sequence[Entry], features: np.ndarray, *, seed: int) -> Doubts:
    """Label errors among `entries`, as `folds.judge` finds them by a logistic regression of `features`.

    `features` is (files, features). Identical files stay in one fold.
    """
    judged = judge(
        [entry.label for entry in entries],
        np.array([entry.facts.sha256 for entry in entries]),
        lambda use: linear(_components(features, use), components=_COMPONENTS, ease=_EASE),
        seed=seed,
        what="pictures",
        better=("; learn= gives a better one", " Train one and pass learn=."),
    )
    found = (_finding(entries[doubt.at], doubt) for doubt in judged.doubts)
    guesses: dict[Path | int, Guess] = {entries[at].path: guess for at, guess in judged.guesses.items()}
    return Doubts(tuple(found), judged.remarks, guesses)


def _components(features: np.ndarray, use: np.ndarray) -> np.ndarray:
    """The chosen rows along the axes on which they differ most, which say nearly all in a fraction of the time.

    Block by block, so that a million rows are never held twice.
    """
    if features.shape[1] <= _COMPONENTS:
        return np.asarray(features[use], np.float32)
    blocks = [use[start : start + _ROWS] for start in range(0, len(use), _ROWS)]
    middle = sum(features[some].sum(0, dtype=np.float64) for some in blocks) / len(use)
    square = np.zeros((features.shape[1], features.shape[1]))
    for some in blocks:
        centred = (features[some] - middle).astype(np.float32)
        square += centred.T @ centred
    axes = np.linalg.eigh(square)[1][:, -_COMPONENTS:].astype(np.float32)
    return np.concatenate([(features[some] - middle).astype(np.float32) @ axes for some in blocks])


def _finding(entry: Entry, doubt: Doubt) -> Finding:
    score, sha256 = 1 - doubt.own, entry.facts.sha256
    suggest = f"relabel:{doubt.other}"
    return Finding(entry.path, "label_error", score, doubt.evidence, suggest=suggest, sha256=sha256)


def outliers(entries: Sequence[Entry], features: np.ndarray, *, seed: int) -> Iterator[Finding]:
    """Pictures whose ten nearest neighbours in `features` are far away, measured by the spread of that distance."""
    if len(entries) <= 2 * _NEIGHBOURS:
        return
    rows = features.astype(np.float32)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    references = rows
    if len(rows) > _REFERENCES:
        references = rows[np.random.default_rng(seed).choice(len(rows), _REFERENCES, replace=False)]
    far = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        likeness = rows[start : start + _BLOCK] @ references.T
        # One neighbour more: the picture itself.
        nearest = -np.partition(-likeness, _NEIGHBOURS, axis=1)[:, : _NEIGHBOURS + 1]
        far[start : start + _BLOCK] = 1 - nearest.mean(1)
    usual = float(np.median(far))
    spread = 1.4826 * float(np.median(np.abs(far - usual))) + 1e-6
    for index in np.flatnonzero(far > usual + _FAR * spread):
        times = (far[index] - usual) / spread
        evidence = f"its nearest pictures are {far[index] / max(usual, 1e-6):.1f} times as far away as usual"
        entry = entries[int(index)]
        yield Finding(entry.path, "outlier", float(1 - _FAR / 2 / times), evidence, sha256=entry.facts.sha256)
