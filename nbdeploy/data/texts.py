"""Texts of a column: empty ones, copies and near copies, and what follows: other labels, a leaking split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.data.alike import nearly_same, plain
from nbdeploy.data.columns import Column
from nbdeploy.data.damage import excerpt
from nbdeploy.data.frames import MOST, Table, shown_value
from nbdeploy.data.records import names

_CASE = 0.99  # likeness of texts that differ by case, spaces or punctuation


def empty_texts(table: Table, column: Column) -> Iterator[Finding]:
    """empty_text: nothing, only spaces, only punctuation, or a sign for nothing such as ``N/A``."""
    said = {level: shown_value(text) for level, text in enumerate(column.levels) if column.disguised[level]}
    said |= {
        level: shown_value(text)
        for level, text in enumerate(column.levels)
        if level not in said and not any(letter.isalnum() or ord(letter) > 0x2000 for letter in str(text))  # noqa: PLR2004 - emoji say something
    }
    bad = np.isin(column.codes, [-1, *said])
    for row in np.flatnonzero(bad)[:MOST].tolist():
        level = int(column.codes[row])
        evidence = "no text" if level < 0 else f'only "{said[level]}"'
        yield table.finding(
            "empty_text", 1.0 if level < 0 else 0.9, evidence, row=row, column=column.name, suggest="exclude"
        )


@dataclass(frozen=True)
class _Copies:
    """The different texts of a column, the rows of each, and which are nearly the same."""

    table: Table
    column: Column
    rows: Sequence[np.ndarray]
    """(levels,) the rows on which each text stands."""
    near: dict[int, list[tuple[int, float]]]
    """Text -> the texts that are nearly the same, with their likeness 0..1."""
    label: Column | None
    held: np.ndarray

    def like(self, level: int) -> list[tuple[int, float]]:
        """The text itself and those nearly the same, the likest first."""
        return [(level, 1.0), *self.near.get(level, ())]


def copied_texts(table: Table, column: Column, label: Column | None, held: np.ndarray | None) -> Iterator[Finding]:
    """exact_duplicate, near_duplicate, cross_class_duplicate and split_leak.

    `held` is (rows,) bool, which rows are held out.
    """
    order = np.argsort(column.codes, kind="stable")
    ends = np.searchsorted(column.codes[order], np.arange(len(column.levels)), side="right")
    rows = np.split(order, ends)[:-1] if len(ends) else []
    rows[:1] = [one[column.codes[one] >= 0] for one in rows[:1]]
    aside = np.zeros(len(table), bool) if held is None else held
    copies = _Copies(table, column, rows, _near(column), label, aside)
    for find in (_exact, _nearly, _other_labels, _leaks):
        yield from islice(find(copies), MOST)


def _near(column: Column) -> dict[int, list[tuple[int, float]]]:
    keys: defaultdict[str, list[int]] = defaultdict(list)
    for level in column.real.tolist():
        if key := plain(str(column.levels[level])):
            keys[key].append(level)
    every = list(keys)
    near: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for same in keys.values():
        for level in same if len(same) > 1 else ():
            near[level] += [(other, _CASE) for other in same if other != level]
    for one, other, like in nearly_same(every):
        for a in keys[every[one]]:
            for b in keys[every[other]]:
                near[a].append((b, like))
                near[b].append((a, like))
    return {level: sorted(others, key=lambda other: (-other[1], other[0])) for level, others in near.items()}


def _first(rows: np.ndarray, held: np.ndarray) -> int:
    """The row to keep: the first that is trained on, else the first."""
    trained = rows[~held[rows]]
    return int(trained[0] if len(trained) else rows[0])


def _exact(copies: _Copies) -> Iterator[Finding]:
    table, name = copies.table, copies.column.name
    for rows in copies.rows:
        if len(rows) > 1:
            keep = _first(rows, copies.held)
            for row in rows[rows != keep].tolist():
                evidence = f"the same text as {table.at(keep)}"
                others = (keep, *(int(other) for other in rows[:10] if other not in {keep, row}))
                yield table.finding(
                    "exact_duplicate", 1.0, evidence, row=row, column=name, rows=others, suggest="exclude"
                )


def _nearly(copies: _Copies) -> Iterator[Finding]:
    table, column = copies.table, copies.column
    for level in range(len(column.levels)):
        row = _first(copies.rows[level], copies.held) if len(copies.rows[level]) else -1
        place = (bool(copies.held[row]), row)
        # Of a pair the later one is named, and a held-out one after all that are trained on.
        earlier = [
            (other, like)
            for other, like in copies.near.get(level, ())
            if (bool(copies.held[at := _first(copies.rows[other], copies.held)]), at) < place
        ]
        if earlier:
            nearest, like = earlier[0]
            keep = _first(copies.rows[nearest], copies.held)
            how = "the same but for case and punctuation" if like == _CASE else f"likeness {like:.3f}"
            evidence = f'nearly the same text as "{_excerpt(column, nearest)}" ({table.at(keep)}; {how})'
            others = [keep, *(_first(copies.rows[other], copies.held) for other, _ in earlier[1:10])]
            yield table.finding("near_duplicate", like, evidence, row=row, column=column.name, rows=others)


def _other_labels(copies: _Copies) -> Iterator[Finding]:
    table, column, label = copies.table, copies.column, copies.label
    if label is None:
        return
    for level in range(len(column.levels)):
        for row in copies.rows[level].tolist():
            if (own := int(label.codes[row])) < 0:
                continue
            for other, like in copies.like(level):
                rows = [int(at) for at in copies.rows[other] if label.codes[at] not in {-1, own}]
                if rows:
                    what = "the same text" if other == level else f'"{_excerpt(column, other)}"'
                    said = names(sorted({f'"{shown_value(label.levels[label.codes[at]])}"' for at in rows}))
                    evidence = f'labelled "{shown_value(label.levels[own])}"; {what} ({table.rows_at(rows)}) is {said}'
                    yield table.finding(
                        "cross_class_duplicate", like, evidence, row=row, column=column.name, rows=rows[:MOST]
                    )
                    break


def _leaks(copies: _Copies) -> Iterator[Finding]:
    table, column = copies.table, copies.column
    for level in range(len(column.levels)):
        for row in copies.rows[level][copies.held[copies.rows[level]]].tolist():
            for other, like in copies.like(level):
                trained = copies.rows[other][~copies.held[copies.rows[other]]]
                if len(trained):
                    how = "the same text" if other == level else f'nearly the same text, "{_excerpt(column, other)}",'
                    evidence = f"held out, and {how} is trained on ({table.rows_at(trained)})"
                    yield table.finding(
                        "split_leak", like, evidence, row=row, column=column.name, rows=trained[:10], suggest="exclude"
                    )
                    break


def _excerpt(column: Column, level: int) -> str:
    return excerpt(str(column.levels[level]).strip())
