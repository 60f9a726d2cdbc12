"""Rows that are equal, and what follows: other labels, a leaking split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.core.numbers import percent
from nbdeploy.data.columns import Column
from nbdeploy.data.frames import MOST, Table, shown_value
from nbdeploy.data.records import SPLIT_NAMES, count, names
from nbdeploy.errors import DataError

_USUAL = 0.2  # share of rows from which repeating is what rows of this table do
_BY_FLAG = {"0": "train", "false": "train", "no": "train", "1": "valid", "true": "valid", "yes": "valid"}
_MIX = np.uint64(0x9E3779B97F4A7C15)


def groups_of(columns: Sequence[Column]) -> np.ndarray:
    """(rows,) int: the same number for rows that are equal in all of `columns`."""
    rows = len(columns[0].codes)
    mixed = np.full(rows, 1, np.uint64)
    for column in columns:
        mixed = (mixed ^ (column.codes.astype(np.int64) + 2).astype(np.uint64)) * _MIX
        mixed ^= mixed >> np.uint64(29)
    # 64 bits: among a billion rows two different ones meet with a chance of 3 in 100.
    return np.asarray(np.unique(mixed, return_inverse=True)[1])


def repeats(groups: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of each group of more than one, in their order."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        yield order[start : start + size]


def equal_rows(table: Table, columns: Sequence[Column], held: np.ndarray | None) -> Iterator[Finding]:
    """duplicate_row, cross_class_duplicate and split_leak.

    `held` is (rows,) bool, which rows are held out. Columns that only number the rows are not looked at.
    """
    ids = [column for column in columns if column.numbers_the_rows]
    aside = {table.label, table.split, *(column.name for column in ids)}
    features = [column for column in columns if column.name not in aside]
    labels = [column for column in columns if column.name == table.label and column.kind != "number"]
    if not features:
        return
    but = f" but for {names([column.name for column in ids])}" if ids else ""
    yield from _copies(table, groups_of([*features, *labels]), but)
    equal = groups_of(features)
    if labels:
        yield from _contradictions(table, equal, labels[0], but)
    if held is not None:
        yield from _leaks(table, equal, held, but)


def _copies(table: Table, groups: np.ndarray, but: str) -> Iterator[Finding]:
    found = list(repeats(groups))
    number = sum(len(rows) - 1 for rows in found)
    if number > _USUAL * len(table):
        evidence = (
            f"{number:,} of {count(len(table), 'row')} ({percent(number / len(table))}) equal an earlier one{but}"
            ": usual where columns are few, suspicious elsewhere"
        )
        yield table.finding("duplicate_row", 0.3, evidence, rows=[int(rows[1]) for rows in found[:MOST]])
        return
    listed = 0
    for rows in found:
        for at, row in enumerate(rows[1:].tolist(), 1):
            if listed := listed + 1 if listed < MOST else 0:
                others = [int(rows[0]), *(int(other) for other in rows[1:10] if other != row)]
                evidence = f"equal to {table.at(int(rows[0]))}{but}"
                evidence += f", the {_ordinal(at)} time" if len(rows) > 2 else ""  # noqa: PLR2004 - a pair needs no number
                yield table.finding("duplicate_row", 1.0, evidence, row=row, rows=others, suggest="exclude")
            else:
                return


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")  # noqa: PLR2004
    return f"{number:,}{ending}"


def _contradictions(table: Table, groups: np.ndarray, label: Column, but: str) -> Iterator[Finding]:
    found = []
    for rows in repeats(groups):
        given = rows[~label.missing[rows]]
        if len(set(label.codes[given].tolist())) > 1:
            found.append(given)
    if sum(map(len, found)) > _USUAL * len(table):
        evidence = f"{sum(map(len, found)):,} of {count(len(table), 'row')} are equal{but} and differ in {label.name}"
        yield table.finding(
            "cross_class_duplicate", 0.3, f"{evidence}: the other columns cannot tell the classes apart"
        )
        return
    for rows in found[:MOST]:
        for row in rows.tolist():
            own = label.codes[row]
            others = [int(other) for other in rows if label.codes[other] != own]
            said = names(sorted({f'"{shown_value(label.levels[label.codes[other]])}"' for other in others}))
            evidence = (
                f'labelled "{shown_value(label.levels[own])}"; equal{but} to {table.rows_at(others)}, labelled {said}'
            )
            yield table.finding("cross_class_duplicate", 1.0, evidence, row=row, rows=others[:MOST])


def _leaks(table: Table, groups: np.ndarray, held: np.ndarray, but: str) -> Iterator[Finding]:
    listed = 0
    for rows in repeats(groups):
        trained = rows[~held[rows]]
        for row in rows[held[rows]].tolist() if len(trained) else ():
            listed += 1
            if listed > MOST:
                return
            evidence = f"held out, and equal{but} to {table.rows_at(trained)}, which is trained on"
            yield table.finding("split_leak", 1.0, evidence, row=row, rows=trained[:10], suggest="exclude")


def held_out(table: Table, column: Column) -> np.ndarray:
    """(rows,) bool: what the split column holds out. A row without a side is trained on. Raises DataError."""
    sides: list[bool] = []
    for level in column.levels:
        said = str(level).strip().lower().removesuffix(".0")
        side = SPLIT_NAMES.get(said) or _BY_FLAG.get(said)
        if side is None:
            row = int(column.rows_with(len(sides))[0])
            raise DataError(
                f'{table.path.name} has "{shown_value(level)}" in the column "{column.name}" ({table.at(row)}).',
                hint="A split is train or valid (also val, validation, test, true, false).",
            )
        sides.append(side != "train")
    return np.asarray(np.array([*sides, False], bool)[column.codes])
