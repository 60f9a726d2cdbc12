"""Audit tables and texts: every column is looked at once, then rows beside one another, then the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from nbdeploy.core.finding import Finding, Guess, called
from nbdeploy.core.progress import step, track
from nbdeploy.data.amounts import outliers, sentinel_findings
from nbdeploy.data.answers import amount_errors, checked_label, label_errors
from nbdeploy.data.cells import missing_values, mixed_types, mostly_empty_rows
from nbdeploy.data.columns import Column, column_of
from nbdeploy.data.damage import encoding_damage
from nbdeploy.data.findings import Findings
from nbdeploy.data.frames import MOST, Table, shown_value
from nbdeploy.data.records import count, names
from nbdeploy.data.relations import constant_columns, duplicate_columns, is_amount, leaking_columns
from nbdeploy.data.rows import equal_rows, held_out
from nbdeploy.data.spelling import suspicious_categories
from nbdeploy.data.texts import copied_texts, empty_texts
from nbdeploy.errors import UsageError

_FEW = 0.1  # of the usual number of rows of a class

Check = Callable[[Table, Column], Iterator[Finding]]
_OF_COLUMNS: tuple[Check, ...] = (
    missing_values,
    mixed_types,
    suspicious_categories,
    sentinel_findings,
    outliers,
    encoding_damage,
)
_OF_TEXTS: tuple[Check, ...] = (empty_texts, encoding_damage)


def audit_table(
    table: Table, *, label: str = "", text: str | Sequence[str] | None = None, split: str = "", seed: int = 42
) -> Findings:
    """What `nbdeploy.audit` says of a table or of texts; its arguments and errors are those of `audit`."""
    for name in (label, split, *((text,) if isinstance(text, str) else text or ())):
        if name:
            table.need(name)
    columns = [
        column_of(name, table.frame[name])
        for name in track(list(table.frame.columns), "reading columns", unit="column")
    ]
    label, split = label or table.label, split or table.split
    table = replace(table, label=label, split=split, texts=_texts(table, columns, text, {label, split}))
    if {label, split} & {*table.texts}:
        raise UsageError("The label, the split and the text are three columns.", hint="Name another with text=.")
    found: list[Finding] = list(table.found)
    for column in track(columns, "looking at columns", unit="column"):
        for check in _OF_TEXTS if column.name in table.texts else _OF_COLUMNS:
            found += check(table, column)
    with step("comparing rows and columns"):
        misspelt = {
            one.place.row
            for one in found
            if one.kind == "suspicious_category" and one.place and one.place.column == label
        }
        found += _together(table, columns, frozenset(row for row in misspelt if row is not None), seed)
    answers = _labels(table, columns, found, seed)
    remarks = [*table.remarks, *_said(table), *_more(found, table.unit)]
    found += answers[0]
    guesses = {table.files[at] if table.files else at: guess for at, guess in answers[2]}
    unit = "text" if table.unit == "text" else "row"
    return Findings.ranked(found, files=len(table), remarks=(*answers[1], *remarks), guesses=guesses, unit=unit)


def _texts(
    table: Table, columns: Sequence[Column], text: str | Sequence[str] | None, aside: set[str]
) -> tuple[str, ...]:
    if text is not None:
        return (text,) if isinstance(text, str) else tuple(text)
    return table.texts or tuple(column.name for column in columns if column.kind == "text" and column.name not in aside)


def _together(table: Table, columns: Sequence[Column], misspelt: frozenset[int], seed: int) -> list[Finding]:
    """What is found by laying columns beside columns and rows beside rows."""
    held = _held(table, columns)
    label = next((column for column in columns if column.name == table.label), None)
    features = [column for column in columns if column.name not in {table.label, table.split}]
    only_text = all(column.name in table.texts or column.numbers_the_rows for column in features)
    found: list[Finding] = []
    if table.unit == "row":
        found += constant_columns(table, columns)
        found += duplicate_columns(table, columns)
        found += mostly_empty_rows(table, [column for column in columns if column.name != table.split])
    if not only_text:
        found += equal_rows(table, columns, held)
    if label is not None:
        found += leaking_columns(table, [column for column in columns if column.name not in table.texts], seed=seed)
        found += _small_classes(table, label, misspelt)
    told = {(one.kind, one.place.row) for one in found if one.place is not None}
    copies = {row for kind, row in told if kind == "duplicate_row"}
    for column in columns:
        if column.name in table.texts:
            classes = None if label is None or is_amount(label) else label
            found += (
                one
                for one in copied_texts(table, column, classes, held)
                if one.place is None
                or one.place.row is None
                or (
                    (one.kind, one.place.row) not in told
                    and not (one.kind == "exact_duplicate" and one.place.row in copies)
                )
            )
    return found


def _held(table: Table, columns: Sequence[Column]) -> np.ndarray | None:
    split = next((column for column in columns if column.name == table.split), None)
    return None if split is None else held_out(table, split)


def _labels(
    table: Table, columns: Sequence[Column], found: Iterable[Finding], seed: int
) -> tuple[tuple[Finding, ...], tuple[str, ...], tuple[tuple[int, Guess], ...]]:
    if not table.label:
        return (
            (),
            (f"Labels were not judged: {'give them' if table.unit == 'text' else 'name their column'} with label=.",),
            (),
        )
    label = checked_label(table, columns)
    # What gives the label away, or repeats another column, would judge nothing.
    useless = {one.place.column for one in found if one.place and one.kind in _USELESS}
    features = [
        column
        for column in columns
        if column.name not in {table.label, table.split, *useless} and column.kind not in {"empty", "name"}
    ]
    with step("judging labels"):
        if is_amount(label):
            answers = amount_errors(table, features, label, seed=seed)
        else:
            empty = {one.place.row for one in found if one.place and one.kind in {"missing_values", "empty_text"}}
            answers = label_errors(table, features, label, aside={row for row in empty if row is not None}, seed=seed)
    return answers.findings, answers.remarks, answers.guesses


_USELESS = frozenset({"leaking_column", "duplicate_column", "constant_column", "id_column"})


def _small_classes(table: Table, label: Column, misspelt: frozenset[int]) -> Iterator[Finding]:
    if is_amount(label):
        return
    other = {int(label.codes[row]) for row in misspelt}  # another spelling is no class of its own
    numbers = {int(level): int(label.counts[level]) for level in label.real if int(level) not in other}
    usual = median(numbers.values()) if numbers else 0
    for level, number in numbers.items():
        if number < _FEW * usual:
            name = shown_value(label.levels[level])
            evidence = f'"{name}" has {count(number, table.unit)}, where a class usually has {usual:,.0f}'
            rows = label.rows_with(level)
            yield table.finding(
                "class_imbalance",
                1 - number / usual,
                evidence,
                column=label.name,
                rows=rows[:MOST],
                cells=((label.name, name),),
            )


def _said(table: Table) -> Iterator[str]:
    if table.texts and table.unit == "row":
        yield f"Looked at as text: {names(table.texts)}. Name others with text=."


def _more(found: Iterable[Finding], unit: str) -> Iterator[str]:
    for (kind, _), number in Counter((one.kind, one.place.column if one.place else "") for one in found).items():
        if number >= MOST:
            yield f"{called(kind, unit).capitalize()}: the first {MOST:,} are listed, there may be more."
