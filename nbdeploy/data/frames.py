"""Table: rows and columns as an audit looks at them, whatever they were read from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.core.finding import Finding, Place
from nbdeploy.data.records import count, short
from nbdeploy.errors import DataError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

MOST = 1000
"""Findings of one kind in one column, at most; a remark says how many more there are."""
_CELLS = 6
_CUT = 120


@dataclass(frozen=True)
class Table:
    """Rows with names for their columns, and where they came from. Nothing in it is ever changed."""

    frame: pd.DataFrame
    """Its columns are strings, each once; its index counts from 0."""
    path: Path
    """The file or folder; ``<DataFrame>`` or ``<texts>`` in memory."""
    lines: np.ndarray | None = None
    """(rows,) the line of the file on which each row begins, from 1."""
    files: tuple[Path, ...] = ()
    """The file of each row, where every row is a file of its own."""
    found: tuple[Finding, ...] = ()
    """What was found while reading."""
    remarks: tuple[str, ...] = ()
    unit: str = "row"
    """``row``, or ``text`` where a row is nothing but a text, with its label."""
    label: str = ""
    split: str = ""
    texts: tuple[str, ...] = ()
    """The columns that hold text."""

    def __len__(self) -> int:
        return len(self.frame)

    def finding(
        self,
        kind: str,
        score: float,
        evidence: str,
        *,
        row: int | None = None,
        column: str = "",
        rows: Iterable[int] = (),
        suggest: str = "look",
        cells: Sequence[tuple[str, str]] | None = None,
    ) -> Finding:
        """A Finding about a row, a column or a cell of this table. Without `cells` those of the row are shown."""
        others = tuple(int(other) for other in rows)
        score = float(min(1.0, max(0.0, score)))
        if self.files and row is not None:  # a file names itself
            place = Place(cells=tuple(cells or self.cells(row, column)))
            return Finding(
                self.files[row], kind, score, evidence, tuple(self.files[at] for at in others), suggest, "", place
            )
        at = None if row is None else int(row)
        if cells is None:
            cells = () if at is None else self.cells(at, column)
        line = None if at is None or self.lines is None else int(self.lines[at])
        return Finding(self.path, kind, score, evidence, (), suggest, "", Place(at, column, others, line, tuple(cells)))

    def cells(self, row: int, column: str = "") -> tuple[tuple[str, str], ...]:
        """The cell in `column`, or the first cells of the row, as (column, value)."""
        columns = [column] if column else list(self.frame.columns[:_CELLS])
        return tuple((short(name), shown_value(self.frame[name].iloc[row])) for name in columns)

    def at(self, row: int) -> str:
        """Where a row stands, in words: its line in the file, else its position."""
        if self.files:
            return self.files[row].name
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    def rows_at(self, rows: Sequence[int] | np.ndarray, limit: int = 3) -> str:
        """Where some rows stand, in words."""
        more = len(rows) - limit
        said = ", ".join(self.at(int(row)) for row in rows[:limit])
        return f"{said} and {more:,} more" if more > 0 else said

    def need(self, column: str) -> str:
        """`column`, which has to be there. Raises UnknownName."""
        if column not in self.frame.columns:
            raise UnknownName("column", column, [str(name) for name in self.frame.columns])
        return column


def shown_value(value: Any) -> str:
    """A cell as it is shown: short, on one line, with quotes where spaces at its ends would be overlooked."""
    if value is None or value != value:  # noqa: PLR0124 - only what is missing differs from itself
        return "missing"
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if text != text.strip() or not text:
        text = repr(text)
    return short(" ".join(text.split()) if text.strip() == text else text, _CUT)


def from_frame(frame: pd.DataFrame, path: Path = Path("<DataFrame>")) -> Table:
    """A DataFrame as a Table; names that are no strings become strings, and names that stand there twice get a number.

    Raises DataError where there is no row or no column.
    """
    if not len(frame.columns) or not len(frame):
        what = "no rows" if len(frame.columns) else "no columns"
        raise DataError(f"{path.name} has {what}.", hint="Give a table with a row for each example.")
    given = [", ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    once = told_apart(given)
    plain = frame.reset_index(drop=True)
    plain.columns = once
    table = Table(plain, path)
    return Table(plain, path, found=tuple(repeated_names(table, given, once)))


def told_apart(given: Sequence[str]) -> list[str]:
    """The names, of which each stands there once: ``a, a.1``; one that is empty is called by its number."""
    taken: set[str] = set(given)
    seen: set[str] = set()
    once = []
    for number, name in enumerate(given, 1):
        new = (name.strip() and name) or f"column {number}"
        last = 0
        while new in seen or (new != name and new in taken):
            last += 1
            new = f"{name or 'column'}.{last}"
        seen.add(new)
        once.append(new)
    return once


def repeated_names(table: Table, given: Sequence[str], once: Sequence[str]) -> Iterable[Finding]:
    """duplicate_column for each name that stands over more than one column."""
    for name, new in zip(given, once, strict=True):
        if name.strip() and name != new:
            evidence = f'the name "{short(name)}" stands over several columns; this one is called "{short(new)}" here'
            yield table.finding("duplicate_column", 0.9, evidence, column=new)


def from_texts(
    texts: Sequence[Any], *, label: Sequence[Any] = (), split: Sequence[Any] = (), files: Sequence[Path] = ()
) -> Table:
    """Texts, with a label and a side of each where there are any. Raises DataError where there are none."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    if not len(texts):
        raise DataError("There are no texts.", hint="Give a list of strings, a Series, or a folder of .txt files.")
    columns = {"text": pd.Series(list(texts), dtype=object)}
    for name, values in (("label", label), ("split", split)):
        if len(values):
            if len(values) != len(texts):
                raise DataError(
                    f"{name}= has {count(len(values), 'value')} for {count(len(texts), 'text')}.",
                    hint="Give one a text.",
                )
            columns[name] = pd.Series(list(values), dtype=object)
    table = Table(pd.DataFrame(columns), Path("<texts>"), unit="text", texts=("text",), files=tuple(files))
    return replace(table, label="label" if "label" in columns else "", split="split" if "split" in columns else "")
