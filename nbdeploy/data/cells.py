"""What is wrong with the cells of one column: missing, or written otherwise than the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.core.numbers import percent
from nbdeploy.data.columns import Column
from nbdeploy.data.forms import NUMBER, NUMBER_AS_TEXT, TEXT, WORDS
from nbdeploy.data.frames import MOST, Table, shown_value
from nbdeploy.data.records import count, names

_MINORITY = 0.3
_MOSTLY_EMPTY = 0.5
_COLUMNS = 4  # a row of fewer is empty at once
_STORED = 0.5


def missing_values(table: Table, column: Column) -> Iterator[Finding]:
    """missing_values of one column: nothing there, and what only says so."""
    rows = len(table)
    nothing = np.flatnonzero(column.codes < 0)
    if len(nothing):
        share = len(nothing) / rows
        evidence = f"{len(nothing):,} of {count(rows, 'row')} have no value ({percent(share)})"
        suggest = "drop" if len(nothing) == rows else "look"
        yield _in_column(table, column, "missing_values", share, evidence, nothing, suggest=suggest)
    for level in np.flatnonzero(column.disguised & (column.counts > 0)):
        written = str(column.levels[int(level)])
        where = column.rows_with(int(level))
        meant = column.kind != "number" and written.strip().lower() in WORDS
        evidence = f'"{shown_value(written)}" stands in {count(len(where), "row")}'
        evidence += ": a value, or not known?" if meant else ", which no program reads as missing"
        if column.kind == "number":
            evidence += "; it makes a column of numbers one of text"
        score = 0.3 if meant else 0.9 if column.kind == "number" else 0.6
        yield _in_column(
            table, column, "missing_values", score, evidence, where, written, "look" if meant else "missing"
        )


def mostly_empty_rows(table: Table, columns: Sequence[Column]) -> Iterator[Finding]:
    """missing_values of rows of which half the cells and more are missing."""
    some = [column for column in columns if len(column.real) > 1 and not column.numbers_the_rows]
    if len(some) < _COLUMNS:
        return
    gone = np.zeros(len(table), np.int32)
    for column in some:
        gone += column.missing
    empty = np.flatnonzero(gone >= _MOSTLY_EMPTY * len(some))
    if len(empty) > _MINORITY * len(table):
        return  # a sparse table
    for row in empty[:MOST].tolist():
        share = float(gone[row]) / len(some)
        which = names([column.name for column in some if column.missing[row]])
        evidence = f"{gone[row]} of {len(some)} cells are missing ({which})"
        yield table.finding("missing_values", share, evidence, row=row, suggest="exclude")


def mixed_types(table: Table, column: Column) -> Iterator[Finding]:
    """mixed_types: values written otherwise than most of a column of numbers or dates."""
    if column.forms is None:
        return
    kinds: defaultdict[str, list[int]] = defaultdict(list)
    for level in column.real.tolist():
        kinds[column.forms[level].words].append(level)
    total = sum(int(column.counts[level]) for level in column.real)
    weights = {words: int(column.counts[levels].sum()) for words, levels in kinds.items()}
    if set(weights) == {NUMBER_AS_TEXT} and table.lines is None:  # a file holds nothing but text
        yield from _stored_as_text(table, column, total)
    if column.kind == "category":
        yield from _numbers_among_words(table, column, weights, kinds, total)
        return
    usual = max(weights, key=lambda words: weights[words])
    if column.kind == "number" and usual not in {NUMBER, NUMBER_AS_TEXT}:
        evidence = f"{usual} in {weights[usual]:,} of {count(total, 'row')}, as {_quoted(column, kinds[usual])}"
        yield _in_column(table, column, "mixed_types", _STORED, evidence, ())
    for words, levels in kinds.items():
        share = weights[words] / total
        plain = {words, usual} == {NUMBER, NUMBER_AS_TEXT} or (words == TEXT and column.kind == "number")
        if words == usual or share > _MINORITY:
            continue
        rows = np.flatnonzero(np.isin(column.codes, levels))
        said = "text, not a number" if words == TEXT and plain else words
        evidence = f"{said} in {weights[words]:,} of {count(total, 'row')}: {_quoted(column, levels)}"
        evidence += f" ({table.rows_at(rows)}); the others are {_plural(usual)}"
        yield _in_column(table, column, "mixed_types", 1 - share, evidence, rows, str(column.levels[levels[0]]))
    yield from _day_and_month(table, column)


def _numbers_among_words(
    table: Table, column: Column, weights: dict[str, int], kinds: dict[str, list[int]], total: int
) -> Iterator[Finding]:
    if weights.get(TEXT, 0) < (1 - _MINORITY) * total:
        return
    for words in weights.keys() & {NUMBER, NUMBER_AS_TEXT}:
        rows = np.flatnonzero(np.isin(column.codes, kinds[words]))
        evidence = f"a number in {weights[words]:,} of {count(total, 'row')}: {_quoted(column, kinds[words])}"
        evidence += f" ({table.rows_at(rows)}); the others are words"
        written = str(column.levels[kinds[words][0]])
        yield _in_column(table, column, "mixed_types", 0.8 * (1 - weights[words] / total), evidence, rows, written)


def _stored_as_text(table: Table, column: Column, total: int) -> Iterator[Finding]:
    texts = [str(column.levels[int(level)]) for level in column.real]
    if any(text.startswith("0") and text[1:2].isdigit() for text in texts):
        return  # a code, a postcode or a telephone number, which has to stay text
    evidence = f"all {total:,} values are numbers stored as text, as {_quoted(column, column.real.tolist())}"
    yield _in_column(table, column, "mixed_types", _STORED, evidence, ())


def _day_and_month(table: Table, column: Column) -> Iterator[Finding]:
    if column.kind != "date" or column.forms is None:
        return
    sides = {side: [at for at in column.real.tolist() if column.forms[at].after_twelve == side] for side in (1, 2)}
    if not all(sides.values()):
        return
    fewer, more = sorted(sides.values(), key=lambda levels: int(column.counts[levels].sum()))
    rows = np.flatnonzero(np.isin(column.codes, fewer))
    evidence = f"day first and month first: {_quoted(column, fewer, 1)} beside {_quoted(column, more, 1)}"
    yield _in_column(table, column, "mixed_types", 0.9, evidence, rows, str(column.levels[fewer[0]]))


def _plural(words: str) -> str:
    return {NUMBER: "numbers", NUMBER_AS_TEXT: "numbers"}.get(
        words, words.replace("a ", "", 1) + "s" if words.startswith("a ") else words
    )


def _quoted(column: Column, levels: Sequence[int], limit: int = 3) -> str:
    return names([f'"{shown_value(column.levels[int(level)])}"' for level in levels], limit)


def _in_column(  # noqa: PLR0917 - a helper of this file alone
    table: Table,
    column: Column,
    kind: str,
    score: float,
    evidence: str,
    rows: Sequence[int] | np.ndarray,
    written: str = "",
    suggest: str = "look",
) -> Finding:
    cells = ((column.name, shown_value(written)),) if written else ()
    return table.finding(
        kind, score, evidence, column=column.name, rows=np.asarray(rows, int)[:MOST], suggest=suggest, cells=cells
    )
