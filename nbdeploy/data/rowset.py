"""Table: rows with a label, fit to train a classifier on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nbdeploy.core.inputs import CATEGORY, NUMBER, row_bytes
from nbdeploy.data.columns import Column, column_of
from nbdeploy.data.forms import WORDS
from nbdeploy.data.frames import Table as Read
from nbdeploy.data.frames import from_frame
from nbdeploy.data.labelled import Labelled, check_label, divided, files_of
from nbdeploy.errors import DataError, UsageError
from nbdeploy.templates.python.rows import as_category

if TYPE_CHECKING:
    import pandas as pd

Chosen = Iterable[str] | Mapping[str, str]
_WHY = {
    "date": "it holds dates: make numbers of them, as the month or the days since",
    "name": "nearly every value is another",
    "text": "it holds free text: see nd.Texts",
    "empty": "it is empty",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Table(Labelled):
    """Rows of a table with a label, a split and a hash. Making one changes nothing on disk.

    Each row is seen as the JSON object that the deployed model is asked with: column -> number, text or null.
    """

    label: str
    """The column of classes."""
    columns: tuple[tuple[str, str], ...]
    """(name, ``number`` or ``category``) of what is learned from, in order."""
    left_out: tuple[tuple[str, str], ...] = ()
    """(name, why) of the other columns."""

    noun: ClassVar[str] = "row"

    @classmethod
    def from_csv(
        cls,
        csv: str | os.PathLike[str],
        *,
        label: str,
        columns: Chosen | None = None,
        split: str | None = None,
        valid: float = 0.2,
        seed: int = 42,
    ) -> Table:
        """Read a .csv (whatever its delimiter and encoding), .tsv, .jsonl or .parquet file; see `from_frame`."""
        from nbdeploy.data.delimited import read_table  # noqa: PLC0415 - pandas

        return _table(read_table(Path(csv)), label=label, columns=columns, split=split, valid=valid, seed=seed)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        label: str,
        columns: Chosen | None = None,
        split: str | None = None,
        valid: float = 0.2,
        seed: int = 42,
    ) -> Table:
        """Rows of a DataFrame, of which the column `label` names the class.

        What each column holds is found out. Numbers and categories are learned from; numbers of rows, dates, names,
        free text and what is the same everywhere are in `left_out` with the reason. `columns` chooses, as a list of
        names or as name -> ``number`` or ``category``. The column `split` says train or valid; without it `valid`, a
        share 0..1 of each class, is held out by `seed`, where equal rows stay on one side. Rows without a label are
        passed over. Raises DataError, or UnknownName for a column that is not there.
        """
        return _table(from_frame(frame), label=label, columns=columns, split=split, valid=valid, seed=seed)

    def to_frame(self) -> pd.DataFrame:
        """One row each: the columns that are learned from, then the label and ``is_valid``."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [json.loads(file.content) for file in self.files]
        frame = pd.DataFrame(
            {
                name: pd.Series([row[name] for row in rows], dtype=float if kind == NUMBER else object)
                for name, kind in self.columns
            }
        )
        frame[self.label] = pd.Series([file.label for file in self.files], dtype=object)
        frame["is_valid"] = [file.split == "valid" for file in self.files]
        return frame

    def _remarks(self) -> list[str]:
        learned = [f"{name} ({kind})" for name, kind in self.columns]
        remarks = [f"Label: {self.label}. Learned from: {', '.join(learned)}."]
        remarks += [f"Not learned from: {name}, {why}." for name, why in self.left_out]
        return [*remarks, *super()._remarks()]


def _table(read: Read, *, label: str, columns: Chosen | None, split: str | None, valid: float, seed: int) -> Table:
    check_label(read, label)
    looked_at = [column_of(name, read.frame[name]) for name in read.frame.columns if name not in {label, split}]
    if columns is None:
        kept, left_out = _usual(looked_at)
    else:
        for name in columns:
            read.need(name)
        kept, left_out = _chosen(looked_at, columns, {label, split})
    if not kept:
        why = "".join(f" {name}: {why}." for name, why in left_out[:3])
        raise DataError(f"{read.path.name} has no column to learn from.{why}", hint="Choose some with columns=[...].")
    if split:
        read.need(split)
    taken = {name for name, _ in kept}
    values = {column.name: list(_values(column, kind)) for (_, kind), column in _paired(kept, looked_at)}
    contents = [row_bytes({name: values[name][at] for name, _ in kept}) for at in range(len(read))]
    answers = [as_category(level) or None for level in levels_of(column_of(label, read.frame[label]))]
    files, rows, skipped = files_of(read, contents, answers, ".json")
    made, seeded = divided(read, files, rows, split=split, valid=valid, seed=seed)
    if label in taken:
        raise UsageError(f'"{label}" is the label; it cannot be learned from too.', hint="Leave it out of columns=.")
    return Table(
        files=made,
        skipped=skipped,
        source=str(read.path),
        seed=seeded,
        share=None if split else valid,
        rows=tuple(rows),
        label=label,
        columns=tuple(kept),
        left_out=tuple(left_out),
    )


def row_contents(read: Read, columns: Sequence[tuple[str, str]]) -> list[bytes]:
    """Every row of `read` as the bytes of its file, with these columns: (name, kind). Raises UnknownName."""
    looked_at = [column_of(read.need(name), read.frame[name]) for name, _ in columns]
    values = {column.name: list(_values(column, kind)) for (_, kind), column in _paired(columns, looked_at)}
    return [row_bytes({name: values[name][at] for name, _ in columns}) for at in range(len(read))]


def _paired(kept: Sequence[tuple[str, str]], columns: Sequence[Column]) -> Iterator[tuple[tuple[str, str], Column]]:
    at = {column.name: column for column in columns}
    return ((one, at[one[0]]) for one in kept)


def _usual(columns: Sequence[Column]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    kept, left_out = [], []
    for column in columns:
        if why := _useless(column):
            left_out.append((column.name, why))
        else:
            kept.append((column.name, NUMBER if column.kind == "number" else CATEGORY))
    return kept, left_out


def _useless(column: Column) -> str:
    if column.kind in _WHY:
        return _WHY[column.kind]
    if column.numbers_the_rows:
        return "it numbers the rows"
    if len(column.real) < 2 and not column.missing.any():  # noqa: PLR2004 - two differ
        return "it is the same everywhere"
    return ""


def _chosen(
    columns: Sequence[Column], wanted: Chosen, others: set[str | None]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    kinds = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(wanted, "")
    kept = []
    for column in columns:
        if column.name not in kinds:
            continue
        kind = kinds[column.name] or (NUMBER if column.kind == "number" else CATEGORY)
        if kind not in {NUMBER, CATEGORY}:
            raise UsageError(
                f'"{column.name}" is said to be "{kind}".', hint=f"A column is a {NUMBER} or a {CATEGORY}."
            )
        if column.kind == "empty" or (kind == NUMBER and column.amounts is None):
            what = "is empty" if column.kind == "empty" else "holds no numbers"
            raise DataError(f'The column "{column.name}" {what}.', hint=f"Leave it out, or choose it as a {CATEGORY}.")
        kept.append((column.name, kind))
    if wrong := sorted(set(kinds) & {name for name in others if name}):
        raise UsageError(f'"{wrong[0]}" is the label or the split.', hint="Leave it out of columns=.")
    return kept, [(column.name, "it was not chosen") for column in columns if column.name not in kinds]


def _values(column: Column, kind: str) -> Iterator[Any]:
    """The values of a column as JSON holds them: numbers, texts, None."""
    if kind == NUMBER:
        gone = column.missing
        for value, missing in zip(column.numbers.tolist(), gone.tolist(), strict=True):
            if missing or not math.isfinite(value):
                yield None
            else:
                yield int(value) if value.is_integer() and abs(value) < 1 << 53 else value
        return
    for level in levels_of(column):
        yield as_category(level) or None


def levels_of(column: Column) -> Iterator[Any]:
    """The values of a column, None where one is missing. ``none`` and the like may be meant as a category."""
    disguised = [
        bool(gone) and str(level).strip().lower() not in WORDS
        for level, gone in zip(column.levels, column.disguised.tolist(), strict=True)
    ]
    for code in column.codes.tolist():
        yield None if code < 0 or disguised[code] else _plain(column.levels[code])


def _plain(level: Any) -> Any:
    return level.item() if hasattr(level, "item") else level
