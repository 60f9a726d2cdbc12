"""Labels of rows and texts that look wrong, and amounts far from what the other columns say."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from nbdeploy.core.finding import Finding, Guess
from nbdeploy.core.numbers import quantity
from nbdeploy.data.amounts import FAR, isolated
from nbdeploy.data.columns import Column
from nbdeploy.data.encoded import as_amounts, as_features, text_features
from nbdeploy.data.folds import FOLDS, Fit, folds_of, judge, linear
from nbdeploy.data.frames import MOST, Table, shown_value
from nbdeploy.data.rows import groups_of
from nbdeploy.errors import DataError

_EASE, _EASE_TEXT = 1.0, 0.1
_COMPONENTS = 256
_FEW_CLASSES = 20  # trees are grown for each class
_TREES = {"max_iter": 60, "max_leaf_nodes": 15, "l2_regularization": 1.0}
_FEWEST = 50  # rows from which an amount is judged
_EXPLAINED = 0.3  # of the variance: of a weaker model a distance says nothing


@dataclass(frozen=True, slots=True)
class Answers:
    """Findings about labels, and what there is to say about them."""

    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    guesses: tuple[tuple[int, Guess], ...] = ()


def label_errors(
    table: Table, columns: Sequence[Column], label: Column, *, aside: Collection[int] = (), seed: int
) -> Answers:
    """label_error of classes: what a model that did not see the label doubts most.

    The model is the mean of a logistic regression and of boosted trees on the columns, with what a text says beside
    them; of text alone the regression. Equal rows stay in one fold. `aside` are rows that say too little to be judged.
    """
    named = [shown_value(level) for level in label.levels]
    labels = ["" if missing else named[code] for code, missing in zip(label.codes, label.missing, strict=True)]
    for row in aside:
        labels[row] = ""
    features = [column for column in columns if column.name not in table.texts]
    amounts = as_amounts(features, table.frame)
    parts = [as_features(features, amounts)]
    parts += [_of_text(column, seed) for column in columns if column.name in table.texts]
    rows = np.concatenate(parts, axis=1)
    if not rows.shape[1]:
        return Answers(remarks=("Labels were not judged: no other column says anything.",))
    trees = bool(features) and len(label.real) <= _FEW_CLASSES

    def model_of(use: np.ndarray) -> Fit:
        line = linear(rows[use], components=_COMPONENTS, ease=_EASE if features else _EASE_TEXT)
        return _mean(line, _trees(np.concatenate([amounts, *parts[1:]], axis=1)[use], seed)) if trees else line

    what = f"{table.unit}s"
    judged = judge(labels, groups_of(columns), model_of, seed=seed, what=what, better=("", ""))
    if not judged.guesses:
        return Answers(remarks=("Labels were not judged: it takes two classes of 5 rows.",))
    found = [
        table.finding(
            "label_error",
            1 - doubt.own,
            doubt.evidence,
            row=doubt.at,
            column=label.name,
            suggest=f"relabel:{doubt.other}",
            cells=table.cells(doubt.at, table.texts[0] if table.texts else ""),
        )
        for doubt in judged.doubts
    ]
    return Answers(tuple(found), judged.remarks, tuple(judged.guesses.items()))


def _of_text(column: Column, seed: int) -> np.ndarray:
    texts = ["" if code < 0 else str(column.levels[code]) for code in column.codes.tolist()]
    return text_features(texts, seed=seed)


def _trees(rows: np.ndarray, seed: int) -> Fit:
    def fit(learn: np.ndarray, given: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - slow to import

        model = HistGradientBoostingClassifier(random_state=seed, early_stopping=False, **_TREES)
        model.fit(rows[learn], given)
        return model.classes_, model.predict_proba(rows[judged])

    return fit


def _mean(one: Fit, other: Fit) -> Fit:
    def fit(learn: np.ndarray, given: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes, chances = one(learn, given, judged)
        return classes, (chances + other(learn, given, judged)[1]) / 2  # both know the classes of `given`, sorted

    return fit


def amount_errors(table: Table, columns: Sequence[Column], label: Column, *, seed: int) -> Answers:
    """label_error of an amount: far from what boosted trees that did not see it say, beside their usual error."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - slow to import

    features = [column for column in columns if column.name not in table.texts]
    known = np.flatnonzero(np.isfinite(label.numbers))
    if len(known) < _FEWEST or not features:
        return Answers()
    given = label.numbers[known]
    rows = as_amounts(features, table.frame)[known]
    said = np.zeros(len(known))
    parts = np.argsort(np.argsort(given, kind="stable"), kind="stable") * FOLDS // len(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # amounts that stand there once have fewer groups than folds
        for learn, judged in folds_of(parts, groups_of(features)[known], seed):
            # The absolute error, so that one wrong amount does not bend the model towards it.
            model = HistGradientBoostingRegressor(
                loss="absolute_error", random_state=seed, early_stopping=False, **_TREES
            )
            said[judged] = model.fit(rows[learn], given[learn]).predict(rows[judged])
    usual = float(np.median(np.abs(given - said)))
    explained = 1 - usual / max(float(np.median(np.abs(given - np.median(given)))), 1e-300)
    if explained < _EXPLAINED:
        remark = f'"{label.name}" was not judged: the other columns tell too little of it.'
        return Answers(remarks=(remark,))
    found = []
    for at, times in isolated(given - said)[:MOST]:
        row = int(known[at])
        evidence = (
            f'"{label.name}" is {quantity(given[at])}; a model that did not see it says {quantity(said[at])}, '
            f"usually right to {quantity(usual)}"
        )
        score = 1 - FAR / 2 / times
        found.append(table.finding("label_error", score, evidence, row=row, column=label.name, cells=table.cells(row)))
    return Answers(tuple(found))


def checked_label(table: Table, columns: Sequence[Column]) -> Column:
    """The label's column. Raises DataError where it holds nothing or says nothing."""
    label = next(column for column in columns if column.name == table.label)
    if not len(label.real):
        raise DataError(f'The column "{label.name}" of {table.path.name} holds no label.', hint="Name another column.")
    return label
