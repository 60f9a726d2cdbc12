"""Numbers far from all others, and numbers that stand for nothing, such as -999."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.core.numbers import quantity
from nbdeploy.data.columns import Column
from nbdeploy.data.frames import MOST, Table
from nbdeploy.data.records import count

FAR = 6.0  # spreads from the median; of a million normal values the furthest is at 5
_GAP = 1.5  # spreads between the outliers and the value next to them: a long tail has no such gap
_SHARE = 0.02  # of the values, at most: more are a group of their own
_FEWEST = 20
_LEVELS = 10
_SKEWED = 1.8  # times as wide above the median as below: then the logarithm is looked at
_MAD, _DECILE = 1.4826, 1.2816  # of a normal distribution: spread / median deviation, upper decile / spread
_SENTINELS = {-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999, -999999}


def isolated(values: np.ndarray) -> list[tuple[int, float]]:
    """(index, distance in spreads) of the values that lie far from all others, with a gap before them.

    `values` is (n,) float without NaN. The spread is the larger of the median deviation and the outer decile of its
    side, so that a long tail is not taken for outliers; a skewed distribution of positive values is judged on the
    logarithm.
    """
    if len(values) < _FEWEST:
        return []
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    if values.min() > 0 and high - middle > _SKEWED * (middle - low):
        return _one_scale(np.log(values))
    return _one_scale(values)


def _one_scale(values: np.ndarray) -> list[tuple[int, float]]:
    middle = np.median(values)
    general = _MAD * float(np.median(np.abs(values - middle)))
    found: list[tuple[int, float]] = []
    for side in (1, -1):
        away = side * (values - middle)
        spread = max(general, float(np.quantile(away, 0.9)) / _DECILE)
        if spread <= 0:
            continue
        far = np.flatnonzero(away > FAR * spread)
        if not len(far):
            continue
        far = far[np.argsort(away[far], kind="stable")]
        times = away[far] / spread
        gaps = np.diff(times, prepend=float(away[away <= FAR * spread].max()) / spread)
        first = int(np.argmax(gaps > _GAP))
        if gaps[first] > _GAP and len(far) - first <= max(1, _SHARE * len(values)):
            found += [(int(at), float(much)) for at, much in zip(far[first:], times[first:], strict=True)]
    return sorted(found, key=lambda one: -one[1])


def sentinels(column: Column) -> dict[int, float]:
    """Level -> value of each number that is far outside and repeated as only a sign for "not known" is."""
    if column.amounts is None or len(column.levels) < _LEVELS:
        return {}
    others = column.amounts[column.real]
    others = others[np.isfinite(others) & ~np.isin(others, list(_SENTINELS))]
    if len(others) < _LEVELS:
        return {}
    low, middle, high = (float(one) for one in np.quantile(others, (0.1, 0.5, 0.9)))
    found: dict[int, float] = {}
    for level in np.flatnonzero(np.isin(column.amounts, list(_SENTINELS)) & (column.counts > 1)):
        amount = float(column.amounts[level])
        outside = amount < others.min() or amount > np.quantile(others, 0.99)
        away, side = (amount - middle, high - middle) if amount > middle else (middle - amount, middle - low)
        alone = amount < -1 and others.min() >= 0  # the one negative number
        if outside and (alone or away * _DECILE > FAR * side):
            found[int(level)] = amount
    return found


def outliers(table: Table, column: Column) -> Iterator[Finding]:
    """value_outlier for each cell of a number column that lies far from all others."""
    if column.kind != "number" or column.numbers_the_rows:
        return
    numbers = column.numbers.copy()
    for level in sentinels(column):
        numbers[column.codes == level] = np.nan
    endless = np.flatnonzero(np.isinf(numbers))
    for row in endless[:MOST].tolist():
        yield table.finding("value_outlier", 1.0, f"{numbers[row]} is no finite number", row=row, column=column.name)
    there = np.flatnonzero(np.isfinite(numbers))
    values = numbers[there]
    found = [] if len(column.levels) < _LEVELS else isolated(values)
    if not found:
        return
    low, high = np.quantile(values, (0.01, 0.99))
    for at, times in found[:MOST]:
        evidence = f"{quantity(values[at])}, where 98 of 100 lie between {quantity(low)} and {quantity(high)}"
        yield table.finding("value_outlier", 1 - FAR / 2 / times, evidence, row=int(there[at]), column=column.name)


def sentinel_findings(table: Table, column: Column) -> Iterator[Finding]:
    """missing_values for each number that stands for nothing."""
    for level, amount in sentinels(column).items():
        rows = column.rows_with(level)
        evidence = f"{amount:.0f} stands in {count(len(rows), 'row')}, far from all other values: it may mean not known"
        yield table.finding(
            "missing_values",
            0.8,
            evidence,
            column=column.name,
            rows=rows[:MOST],
            suggest="missing",
            cells=((column.name, f"{amount:.0f}"),),
        )
