"""What columns are to one another: copies, recodings, numbers of the row, and columns that give the label away."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.core.numbers import percent
from nbdeploy.data.columns import Column
from nbdeploy.data.frames import Table, shown_value
from nbdeploy.data.records import count

_FEWEST = 20  # rows: of fewer two columns agree by chance
_SAMPLE = 100_000
_PERFECT = 1 - 1e-9  # correlation
_NAMES = 0.5  # share of rows from which values are all different, so that any two columns are recodings
_GIVEN_AWAY = 0.98
_BETTER = 0.95  # of what always naming the commonest class leaves to be gained
_BINS = 64
_AS_NUMBER = 0.999


def constant_columns(table: Table, columns: Sequence[Column]) -> Iterator[Finding]:
    """constant_column of columns with one value, and id_column of those that only number the rows."""
    for column in columns:
        values = column.real
        if len(values) == 1 and len(table) > 1:
            gone = int(column.missing.sum())
            evidence = f'"{shown_value(column.levels[values[0]])}" in every row' + (" that has a value" if gone else "")
            score = 0.6 if gone else 0.9
            yield table.finding(
                "constant_column", score, evidence, column=column.name, suggest="look" if gone else "drop"
            )
        elif column.numbers_the_rows and column.name != table.label:
            first = ", ".join(shown_value(level) for level in column.levels[:3])
            evidence = f"another value in each of {count(len(table), 'row')} ({first}, …): it says nothing of a new row"
            yield table.finding("id_column", 0.5, evidence, column=column.name, suggest="drop")


def duplicate_columns(table: Table, columns: Sequence[Column]) -> Iterator[Finding]:
    """duplicate_column of columns equal to an earlier one, coded otherwise, or perfectly correlated with it."""
    some = [column for column in columns if len(column.real) > 1 and column.name not in {table.label, table.split}]
    if len(table) < 2:  # noqa: PLR2004 - one row says nothing
        return
    told: set[str] = set()
    same: defaultdict[bytes, list[Column]] = defaultdict(list)
    for column in some:
        same[hashlib.sha256(column.codes.tobytes()).digest()].append(column)
    for first, *others in same.values():
        for column in others:
            equal = _same_values(first, column)
            many = len(column.real) > _NAMES * len(table)
            if equal or (len(table) >= _FEWEST and not many):
                how = "the same values as" if equal else "the same as, coded otherwise,"
                told.add(column.name)
                yield _repeats(table, column, first, how, 0.95 if equal else 0.8)
    numbers = [column for column in some if column.kind == "number" and column.name not in told]
    if len(table) >= _FEWEST:
        yield from _correlated(table, numbers)


def _same_values(one: Column, other: Column) -> bool:
    if one.amounts is not None and other.amounts is not None:
        return np.array_equal(one.amounts, other.amounts, equal_nan=True)
    return all(str(a) == str(b) for a, b in zip(one.levels, other.levels, strict=True))


def _repeats(table: Table, column: Column, first: Column, how: str, score: float) -> Finding:
    evidence = f'{how} "{first.name}"'
    cells = tuple(
        (one.name, shown_value(one.levels[one.codes[0]] if one.codes[0] >= 0 else None)) for one in (first, column)
    )
    return table.finding("duplicate_column", score, evidence, column=column.name, suggest="drop", cells=cells)


def _correlated(table: Table, columns: Sequence[Column]) -> Iterator[Finding]:
    if len(columns) < 2:  # noqa: PLR2004 - a pair
        return
    step = max(1, len(table) // _SAMPLE)
    rows = np.stack([column.numbers[::step] for column in columns])
    there = np.isfinite(rows)
    middle = np.array([row[known].mean() if known.any() else 0.0 for row, known in zip(rows, there, strict=True)])
    centred = np.where(there, rows - middle[:, None], 0)
    length = np.maximum(np.sqrt((centred**2).sum(1)), 1e-300)
    alike = np.abs((centred / length[:, None]) @ (centred / length[:, None]).T)
    told: set[int] = set()
    for one, other in np.argwhere(np.triu(alike > _PERFECT, 1)).tolist():
        known = np.isfinite(columns[one].numbers)
        if one in told or other in told or not (known == np.isfinite(columns[other].numbers)).all():
            continue
        a, b = columns[one].numbers[known], columns[other].numbers[known]
        if abs(float(np.corrcoef(a, b)[0, 1])) > _PERFECT:
            told.add(other)
            slope = float(np.polyfit(a, b, 1)[0])
            how = f"perfectly correlated ({slope:.4g} times, and a constant) with"
            yield _repeats(table, columns[other], columns[one], how, 0.8)


def leaking_columns(table: Table, columns: Sequence[Column], *, seed: int) -> Iterator[Finding]:
    """leaking_column of columns from each of which alone the label can be told."""
    label = next(column for column in columns if column.name == table.label)
    known = np.flatnonzero(~label.missing)
    if len(known) > _SAMPLE:
        known = np.sort(np.random.default_rng(seed).choice(known, _SAMPLE, replace=False))
    if len(known) < _FEWEST or len(label.real) < 2:  # noqa: PLR2004 - two classes
        return
    for column in columns:
        if column.name in {table.label, table.split} or len(column.real) < 2:  # noqa: PLR2004 - constant
            continue
        if is_amount(label):
            yield from _same_amount(table, column, label, known)
            continue
        given = label.codes[known]
        right, base = _told_by(_binned(column, known), given, seed), np.bincount(given).max() / len(given)
        if right >= _GIVEN_AWAY and right - base >= _BETTER * (1 - base):
            evidence = (
                f'alone it tells {percent(right)} of "{label.name}" right (always the commonest: {percent(base)})'
            )
            cells = ((column.name, shown_value(column.levels[column.real[0]])),)
            yield table.finding("leaking_column", right, evidence, column=column.name, suggest="look", cells=cells)


def is_amount(label: Column) -> bool:
    """Whether a label is an amount to predict, not a class: a number with many values, more than a list of classes."""
    if label.kind != "number" or label.amounts is None or len(label.real) <= 20:  # noqa: PLR2004 - as many as fingers and toes
        return False
    whole = np.array_equal(label.amounts[label.real], np.round(label.amounts[label.real]))
    numbered = whole and float(np.ptp(label.amounts[label.real])) == len(label.real) - 1 and len(label.real) <= 100  # noqa: PLR2004
    return not (numbered and label.counts[label.real].min() >= _FEWEST)


def _same_amount(table: Table, column: Column, label: Column, known: np.ndarray) -> Iterator[Finding]:
    if column.kind != "number":
        return
    both = known[np.isfinite(column.numbers[known]) & np.isfinite(label.numbers[known])]
    if len(both) < _FEWEST or not np.ptp(column.numbers[both]) or not np.ptp(label.numbers[both]):
        return
    like = abs(float(np.corrcoef(column.numbers[both], label.numbers[both])[0, 1]))
    if like > _AS_NUMBER:
        evidence = f'correlated with "{label.name}" at {like:.4f}: it may be the same amount, written otherwise'
        yield table.finding("leaking_column", like, evidence, column=column.name)


def _binned(column: Column, rows: np.ndarray) -> np.ndarray:
    """(rows,) small whole numbers; of amounts with many values 64 bins of about equal size. 0 is missing."""
    if column.amounts is None or len(column.real) <= _BINS:
        return np.asarray(column.codes[rows], np.int64) + 1
    values = column.numbers[rows]
    there = np.isfinite(values)
    edges = np.unique(np.quantile(values[there], np.linspace(0, 1, _BINS + 1)[1:-1])) if there.any() else np.zeros(0)
    return np.asarray(np.where(there, np.searchsorted(edges, values, side="right") + 1, 0))


def _told_by(values: np.ndarray, given: np.ndarray, seed: int) -> float:
    """The share that is right when each half is told by what is commonest in the other for the same value."""
    half = np.random.default_rng(seed).permutation(len(given)) % 2 == 0
    right = 0
    for learn, judge in ((half, ~half), (~half, half)):
        classes = int(given.max()) + 1
        pairs, numbers = np.unique(values[learn] * classes + given[learn], return_counts=True)
        best = np.full(int(values.max()) + 1, -1)
        pairs = pairs[np.argsort(numbers, kind="stable")]
        best[pairs // classes] = pairs % classes  # the commonest is written last
        right += int((best[values[judge]] == given[judge]).sum())
    return right / len(given)
