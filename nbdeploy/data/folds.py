"""Labels judged by a model that has not seen them: chances out of fold, and the doubts that follow, ranked."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nbdeploy.core.finding import Guess
from nbdeploy.data.records import short

FOLDS = 5
_FEWEST = 5  # examples of a class, and so one a fold
_TRUSTED = 0.7  # cross-validated accuracy below which labels are not doubted: a weak model doubts everything
_WEAK = 0.85  # and below which only what the model is sure of is doubted
_SURE = 0.95
# Of so many classes a model that is right 81 % of the time knows much: of 5 % wrong labels of banking77 it ranks 99 %
# within twice their number, and names 2 % of clean ones.
_MANY = 20
_SUREST = 0.25  # of the examples: what a model misses where it is this sure is the fault of the labels
_NOISIEST = 0.4  # share of wrong labels beyond which nobody can say whether they or the model are wrong
_MOST_ROWS = 20_000  # a model is learnt from at most so many examples, drawn by the seed

Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(rows to learn from, their classes, rows to judge) -> (classes, chances (rows to judge, classes))."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One label that looks wrong."""

    at: int
    """Index of the example."""
    given: str
    own: float
    """The chance, 0..1, of the label that stands there."""
    other: str
    """The likeliest class."""
    chance: float

    @property
    def evidence(self) -> str:
        """What was seen, in words and figures."""
        return (
            f'labelled "{short(self.given)}" ({self.own:.1%}); a model that did not see this label says '
            f'"{short(self.other)}" ({self.chance:.1%})'
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """Doubts, the most doubtful first, and what there is to say about them."""

    doubts: tuple[Doubt, ...] = ()
    remarks: tuple[str, ...] = ()
    guesses: Mapping[int, Guess] = field(default_factory=dict)
    """What the model says of each example, out of fold."""


def judge(
    labels: Sequence[str],
    groups: np.ndarray,
    model_of: Callable[[np.ndarray], Fit],
    *,
    seed: int,
    what: str,
    better: tuple[str, str],
) -> Judged:
    """Label errors among examples, ranked by self-confidence: what the model gives the label that stands there.

    `groups` is (examples,), the same number for those that must not be parted, as copies are. `model_of` gets the
    indexes that are judged and gives the model, which then counts within them. An empty label is none. `what` is the
    plural of what is judged, `better` what to say of a weak model, and of a weaker one.
    """
    names = sorted(name for name, number in Counter(labels).items() if number >= _FEWEST and name)
    known = set(names)
    use = np.array([index for index, label in enumerate(labels) if label in known], dtype=int)
    if len(names) < 2:  # noqa: PLR2004 - a doubt needs another label
        return Judged()
    place = {name: number for number, name in enumerate(names)}
    given = np.array([place[labels[index]] for index in use])
    chances = _out_of_fold(model_of(use), given, np.unique(groups[use], return_inverse=True)[1], len(names), seed)
    own = chances[np.arange(len(given)), given]
    guesses = {
        int(index): Guess(names[chances[at].argmax()], float(chances[at].max()), float(own[at]))
        for at, index in enumerate(use)
    }
    accuracy = _accuracy(chances, given)
    if accuracy < _TRUSTED:
        remark = (
            f"Labels were not judged: a model of these {what} is right {accuracy:.0%} of the time, and would doubt "
            f"good labels.{better[1]}"
        )
        return Judged((), (remark,), guesses)
    # Confident elsewhere: at least as sure of another class as the model usually is of examples that bear it.
    usual = np.array([own[given == number].mean() for number in range(len(names))])
    elsewhere = np.where(chances >= usual, chances, 0)
    elsewhere[np.arange(len(given)), given] = np.where(own >= usual[given], own, 0)
    doubted = (elsewhere.argmax(1) != given) & (elsewhere.max(1) > 0)
    wrong = chances.argmax(1) != given
    weak = accuracy < _WEAK and len(names) <= _MANY
    if weak:  # it errs itself: only what it is sure of is worth a person's time
        doubted &= chances.max(1) > _SURE
        wrong &= doubted
    ranked = np.argsort(own, kind="stable")
    expected = int(doubted.sum())
    chosen = [int(at) for at in ranked if wrong[at]][: 2 * expected]
    doubts = tuple(
        Doubt(int(use[at]), labels[use[at]], float(own[at]), names[chances[at].argmax()], float(chances[at].max()))
        for at in chosen
    )
    if not doubts:
        return Judged((), (), guesses)
    look = min(50, len(chosen))
    likely = int(doubted[chosen[:look]].sum())
    caution = f": a weak model, so doubt its doubts{better[0]}" if weak else ""
    remark = (
        f"Labels: look at {look}, expect about {likely}; {expected} in all (a cross-validated model is right "
        f"{accuracy:.0%} of the time{caution})."
    )
    return Judged(doubts, (remark,), guesses)


def _accuracy(chances: np.ndarray, given: np.ndarray) -> float:
    """How often the model would be right of good labels. `chances` is (examples, classes), out of fold.

    Where labels are wrong at random, a good model is wrong by them as often where it is surest; a weak one errs where
    it is unsure. Measured on digits and signs with 0 to 30 % of the labels changed: within .04 of the truth.
    """
    wrong = chances.argmax(1) != given
    surest = np.argsort(-chances.max(1), kind="stable")[: max(1, int(len(given) * _SUREST))]
    noise = float(wrong[surest].mean())
    right = float(1 - wrong.mean())
    return min(1.0, right / (1 - noise)) if noise < _NOISIEST else right


def folds_of(given: np.ndarray, groups: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to learn from, rows to judge) of each fold, with groups kept together and classes spread evenly.

    Groups are shuffled by the seed, sorted by the class of their first row, and dealt out like cards: a million take a
    second.
    """
    random = np.random.default_rng(seed)
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = random.permutation(len(first))
    dealt = np.empty(len(first), int)
    dealt[shuffled[np.argsort(given[first[shuffled]], kind="stable")]] = np.arange(len(first)) % FOLDS
    fold = dealt[group]
    pairs = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(FOLDS)]
    return [
        (learn if len(learn) <= _MOST_ROWS else random.choice(learn, _MOST_ROWS, replace=False), judged)
        for learn, judged in pairs
        if len(judged) and len(np.unique(given[learn])) > 1
    ]


def _out_of_fold(fit: Fit, given: np.ndarray, groups: np.ndarray, classes: int, seed: int) -> np.ndarray:
    chances = np.zeros((len(given), classes))
    chances[np.arange(len(given)), given] = 1  # what no fold could judge is not doubted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that has not ended yet ranks well enough
        for learn, judged in folds_of(given, groups, seed):
            known, answers = fit(learn, given[learn], judged)
            chances[judged] = 0
            chances[np.ix_(judged, known)] = answers
    return chances


def linear(rows: np.ndarray, *, components: int, ease: float) -> Fit:
    """A logistic regression on the axes along which `rows`, (examples, features), differ most.

    `ease` is the inverse strength of its regularisation.
    """
    rows = rows.astype(np.float32)
    rows = rows - rows.mean(0)
    if rows.shape[1] > components:  # these axes say nearly all, in a fraction of the time
        _, axes = np.linalg.eigh(rows.T @ rows)
        rows = rows @ axes[:, -components:]

    def fit(learn: np.ndarray, given: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import

        spread = rows[learn].std() + 1e-6
        model = LogisticRegression(C=ease, max_iter=100, tol=1e-3)
        model.fit(rows[learn] / spread, given)
        return model.classes_, model.predict_proba(rows[judged] / spread)

    return fit
