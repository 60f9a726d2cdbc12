"""Read tables from files: CSV whatever its delimiter and encoding, JSON lines, Parquet."""

from __future__ import annotations

import codecs
import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.data.frames import MOST, Table, from_frame, repeated_names, told_apart
from nbdeploy.data.records import count, shown
from nbdeploy.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_LOOKED_AT = 50  # first rows that decide the delimiter
_LONGEST_CELL = 1 << 24


@dataclass(frozen=True, slots=True)
class Shape:
    """How a delimited file is laid out."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    lines: np.ndarray
    """(rows,) the line on which each row begins, from 1."""
    widths: np.ndarray
    """(rows,) number of cells."""


def read_table(path: Path) -> Table:
    """The Table in a .csv, .tsv, .txt, .jsonl, .ndjson or .parquet file. Raises DataError, saying what is wrong."""
    path = Path(os.path.abspath(path))
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        hint = "Save it as CSV UTF-8." if path.suffix.lower() in {".xlsx", ".xls", ".ods"} else ""
        known = ", ".join(sorted(_READERS))
        raise DataError(f"{shown(path)} is no table that can be read.", hint=hint or f"Known: {known}.")
    try:
        if not path.stat().st_size:
            raise DataError(f"{shown(path)} is empty.", hint="Give a table with a header line and rows.")
        return reader(path)
    except FileNotFoundError as error:
        raise DataError(f"There is no table {shown(path)}.", hint="Give the path of a table.") from error
    except (OSError, csv.Error, UnicodeError) as error:
        raise DataError(f"{shown(path)} cannot be read as a table ({error}).", hint="Save it as CSV UTF-8.") from error


def _delimited(path: Path) -> Table:
    shape = _shape(path)
    width = len(shape.header)
    if not len(shape.lines):
        raise DataError(f"{shown(path)} has a header and no rows.", hint="Give a table with a row for each example.")
    once = told_apart([name.strip() for name in shape.header])
    frame = _frame(path, shape, once)
    if len(frame) != len(shape.lines):  # never seen; a wrong line would be worse than none
        shape = replace(shape, lines=np.zeros(0, np.int64), widths=np.full(len(frame), width))
    table = Table(frame, path, lines=shape.lines if len(shape.lines) else None)
    found = [*repeated_names(table, [name.strip() for name in shape.header], once), *_ragged(table, shape)]
    remarks = [f"Read as a table of {count(len(frame), 'row')} and {count(width, 'column')}, {_layout(shape)}."]
    if shape.encoding == "cp1252":
        remarks.append(f"{path.name} is not UTF-8: it was read as Windows-1252 (Latin-1). Save it as CSV UTF-8.")
    return replace(table, found=tuple(found), remarks=tuple(remarks))


def _layout(shape: Shape) -> str:
    encoding = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}[shape.encoding]
    return f"{encoding}, cells parted by {_DELIMITERS[shape.delimiter]}"


def _frame(path: Path, shape: Shape, names: list[str]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to import

    widest = max(len(names), int(shape.widths.max()))
    try:
        return pd.read_csv(
            path,
            sep=shape.delimiter,
            encoding=shape.encoding,
            encoding_errors="replace",
            header=0,
            # Rows that are too long keep their first cells, and every row keeps its place.
            names=[*names, *(f"\0{number}" for number in range(widest - len(names)))],
            usecols=range(len(names)),
            index_col=False,
            low_memory=False,
            na_filter=True,
        )
    except (pd.errors.ParserError, ValueError, OverflowError) as error:
        if found := re.search(r"EOF inside string starting at row (\d+)", str(error)):
            line = shape.lines[min(int(found[1]), len(shape.lines)) - 1]
            raise DataError(
                f"A quotation mark of {shown(path)} is never closed.",
                hint=f"The row that begins on line {line} opens it.",
            ) from error
        raise DataError(f"{shown(path)} cannot be read as a table ({error}).", hint="Save it as CSV UTF-8.") from error


def _shape(path: Path) -> Shape:
    encoding = _encoding(path)
    csv.field_size_limit(_LONGEST_CELL)
    delimiter = _delimiter(path, encoding)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header: list[str] = next((row for row in reader if not _blank(row)), [])
        if not any(name.strip() for name in header):
            raise DataError(f"{shown(path)} has no header line.", hint="Its first line names the columns.")
        lines, widths, last = [], [], reader.line_num
        for row in reader:
            if not _blank(row):
                lines.append(last + 1)
                widths.append(len(row))
            last = reader.line_num
    return Shape(encoding, delimiter, tuple(header), np.array(lines, np.int64), np.array(widths, np.int64))


def _blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and bool(row[0]) and not row[0].strip())


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        first = file.read(_BLOCK)
        for mark, name in _MARKS:
            if first.startswith(mark):
                return name
        if b"\0" in first:
            raise DataError(f"{shown(path)} is no text.", hint="Give a table as CSV UTF-8, JSON lines or Parquet.")
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while first:
                decoder.decode(first)
                first = file.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _delimiter(path: Path, encoding: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    best, chosen = (0.0, 0), ","
    for delimiter in _DELIMITERS:
        with path.open(encoding=encoding, errors="replace", newline="") as file:
            widths = [len(row) for row in islice(csv.reader(file, delimiter=delimiter), _LOOKED_AT) if row]
        if widths and widths[0] > 1:
            # The one that parts most rows as it parts the header; of these the one that makes the most cells.
            rank = (round(sum(width == widths[0] for width in widths) / len(widths), 1), widths[0])
            best, chosen = max((best, chosen), (rank, delimiter))
    return chosen


def _ragged(table: Table, shape: Shape) -> Iterator[Finding]:
    width = len(shape.header)
    for row in np.flatnonzero(shape.widths != width)[:MOST].tolist():
        cells = int(shape.widths[row])
        fate = "the last were left out" if cells > width else "the others are missing"
        evidence = f"{count(cells, 'cell')}, where the header has {width:,}; {fate}"
        yield table.finding("ragged_row", 0.9, evidence, row=row)


def _json_lines(path: Path) -> Table:
    import pandas as pd  # noqa: PLC0415 - slow to import

    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    bad: list[tuple[int, str]] = []
    with path.open(encoding=_encoding(path), errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                bad.append((number, f"line {number} is no JSON ({error})"))
                continue
            if isinstance(row, dict):
                rows.append({str(name): _plain(value) for name, value in row.items()})
                lines.append(number)
            else:
                bad.append((number, f"line {number} is a JSON {type(row).__name__}, not an object"))
    if not rows:
        said = bad[0][1] if bad else "no line holds anything"
        raise DataError(f"{shown(path)} holds no rows: {said}.", hint="JSON lines have one object {...} a line.")
    table = replace(from_frame(pd.DataFrame(rows), path), lines=np.array(lines))
    found = tuple(table.finding("ragged_row", 0.9, said) for _, said in bad[:MOST])
    remark = f"Read as JSON lines: {count(len(rows), 'row')} and {count(len(table.frame.columns), 'column')}."
    return replace(table, found=(*table.found, *found), remarks=(remark,))


def _plain(value: Any) -> Any:
    """Lists and objects inside a row as text, so that they can be compared."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, list | dict) else value


def _parquet(path: Path) -> Table:
    import pandas as pd  # noqa: PLC0415 - slow to import

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise DataError(
            f"Reading {shown(path)} needs the package pyarrow, which is not installed.",
            hint="Type: pip install pyarrow",
        ) from error
    except Exception as error:  # the readers of Parquet have errors of their own
        raise DataError(f"{shown(path)} cannot be read as Parquet ({error}).", hint="Save it as CSV UTF-8.") from error
    table = from_frame(frame, path)
    remark = f"Read as Parquet: {count(len(frame), 'row')} and {count(len(frame.columns), 'column')}."
    return replace(table, remarks=(remark,))


_READERS = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
TABLES = tuple(_READERS)
"""The endings of the files that `read_table` reads."""


def first_rows(path: Path, number: int) -> tuple[list[str], list[list[str]]]:
    """The column names of a delimited file and its first rows. Raises DataError."""
    if not path.stat().st_size:
        raise DataError(f"{shown(path)} is empty.", hint="Give a table with a header line and rows.")
    encoding = _encoding(path)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=_delimiter(path, encoding))
        header = [name.strip() for name in next(reader, [])]
        return header, list(islice(reader, number))
