"""Labels that look wrong, judged by a model that has not seen them, and pictures unlike the others."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nbdeploy.core.finding import Finding, Guess
from nbdeploy.data.records import short
from nbdeploy.data.twins import Entry

FOLDS = 5
_FEWEST = 5  # pictures of a class, and so one a fold
_TRUSTED = 0.7  # cross-validated accuracy below which labels are not doubted: a weak model doubts everything
_WEAK = 0.85  # and below which only what the model is sure of is doubted
_SURE = 0.95
_COMPONENTS = 64
_EASE = 0.1  # inverse strength of regularisation
_ROWS = 8192  # at a time
_MOST_ROWS = 20_000  # a model of this size is learnt from at most so many pictures, drawn by the seed
_NEIGHBOURS = 10
_FAR = 5.0  # times the usual spread of the distances to the neighbours
_REFERENCES = 20_000
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Doubts:
    """Findings, and what there is to say about them."""

    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    guesses: Mapping[Path, Guess] = field(default_factory=dict)
    """What the model says of each file, out of fold."""


def label_doubts(entries: Sequence[Entry], features: np.ndarray, *, seed: int) -> Doubts:
    """Label errors among `entries`, ranked by self-confidence: what the model gives the label that stands there.

    `features` is (files, features). The model is a logistic regression, cross-validated in five folds that keep
    identical files together, so that every probability is out of fold.
    """
    names = sorted(name for name, number in Counter(entry.label for entry in entries).items() if number >= _FEWEST)
    use = np.array([index for index, entry in enumerate(entries) if entry.label in set(names)], dtype=int)
    if len(names) < 2:  # noqa: PLR2004 - a doubt needs another label
        return Doubts((), ())
    place = {name: number for number, name in enumerate(names)}
    given = np.array([place[entries[index].label] for index in use])
    groups = np.unique([entries[index].facts.sha256 for index in use], return_inverse=True)[1]
    chances = _out_of_fold(_components(features, use), given, groups, len(names), seed)
    own = chances[np.arange(len(given)), given]
    guesses = {
        entries[index].path: Guess(names[chances[at].argmax()], float(chances[at].max()), float(own[at]))
        for at, index in enumerate(use)
    }
    accuracy = float((chances.argmax(1) == given).mean())
    if accuracy < _TRUSTED:
        remark = (
            f"Labels were not judged: a model of these pictures is right {accuracy:.0%} of the time, and would doubt "
            "good labels. Train one and pass learn=."
        )
        return Doubts((), (remark,), guesses)
    # Confident elsewhere: at least as sure of another class as the model usually is of pictures that bear it.
    usual = np.array([own[given == number].mean() for number in range(len(names))])
    elsewhere = np.where(chances >= usual, chances, 0)
    elsewhere[np.arange(len(given)), given] = np.where(own >= usual[given], own, 0)
    doubted = (elsewhere.argmax(1) != given) & (elsewhere.max(1) > 0)
    wrong = chances.argmax(1) != given
    if accuracy < _WEAK:  # it errs itself: only what it is sure of is worth a person's time
        doubted &= chances.max(1) > _SURE
        wrong &= doubted
    ranked = np.argsort(own, kind="stable")
    expected = int(doubted.sum())
    chosen = [int(at) for at in ranked if wrong[at]][: 2 * expected]
    found = tuple(_finding(entries[use[at]], own[at], names[chances[at].argmax()], chances[at].max()) for at in chosen)
    if not found:
        return Doubts((), (), guesses)
    look = min(50, len(chosen))
    likely = int(doubted[chosen[:look]].sum())
    weak = ": a weak model, so doubt its doubts; learn= gives a better one" if accuracy < _WEAK else ""
    remark = (
        f"Labels: look at {look}, expect about {likely}; {expected} in all (a cross-validated model is right "
        f"{accuracy:.0%} of the time{weak})."
    )
    return Doubts(found, (remark,), guesses)


def _finding(entry: Entry, own: float, other: str, chance: float) -> Finding:
    evidence = (
        f'labelled "{short(entry.label)}" ({own:.1%}); a model that did not see this label says "{short(other)}" '
        f"({chance:.1%})"
    )
    sha256 = entry.facts.sha256
    return Finding(entry.path, "label_error", float(1 - own), evidence, suggest=f"relabel:{other}", sha256=sha256)


def _components(features: np.ndarray, use: np.ndarray) -> np.ndarray:
    """The chosen rows along the axes on which they differ most, which say nearly all in a fraction of the time.

    Block by block, so that a million rows are never held twice.
    """
    blocks = [use[start : start + _ROWS] for start in range(0, len(use), _ROWS)]
    middle = sum(features[some].sum(0, dtype=np.float64) for some in blocks) / len(use)
    centred = ((features[some] - middle).astype(np.float32) for some in blocks)
    if features.shape[1] <= _COMPONENTS:
        return np.concatenate(list(centred))
    square = np.zeros((features.shape[1], features.shape[1]))
    for some in centred:
        square += some.T @ some
    axes = np.linalg.eigh(square)[1][:, -_COMPONENTS:]
    return np.concatenate([((features[some] - middle) @ axes).astype(np.float32) for some in blocks])


def _out_of_fold(rows: np.ndarray, given: np.ndarray, groups: np.ndarray, classes: int, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    chances = np.zeros((len(given), classes))
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that has not ended yet ranks well enough
        for learn, judge in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, given, groups):
            some = learn if len(learn) <= _MOST_ROWS else random.choice(learn, _MOST_ROWS, replace=False)
            spread = rows[some].std() + 1e-6
            model = LogisticRegression(C=_EASE, max_iter=100, tol=1e-3)
            model.fit(rows[some] / spread, given[some])
            chances[np.ix_(judge, model.classes_)] = model.predict_proba(rows[judge] / spread)
    return chances


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
