"""Read a table of paths and labels (CSV, also with ; or tabs)."""

from __future__ import annotations

import csv
import difflib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nbdeploy.data.listing import Listing
from nbdeploy.data.records import MANIFEST, SPLIT_NAMES, Candidate, SetAside, Split, count, shown
from nbdeploy.errors import DataError

_BY_FLAG = {"0": "train", "false": "train", "no": "train", "1": "valid", "true": "valid", "yes": "valid"}


def list_table(
    table: Path, *, path_column: str, label_column: str, split_column: str | None, root: Path | None
) -> Listing:
    """The rows of `table` as candidates; relative paths start at `root`, else at the table's own folder.

    The split column may say train or valid (val, validation, test), or true and false as in fastai's ``is_valid``.
    In a table that ``ImageSet.export`` wrote, turns are read too. Rows without a label or a file are set aside by name.
    Raises DataError for a table that cannot be read.
    """
    table = Path(os.path.abspath(table))
    if not table.is_file():
        raise DataError(f"There is no table {shown(table)}.", hint="Give a CSV file with one row a picture.")
    base = Path(os.path.abspath(root)) if root is not None else table.parent
    listing = Listing(base, str(table))
    columns = [path_column, label_column, *([split_column] if split_column else [])]
    seen: set[tuple[str, str]] = set()
    sides: list[str] = []
    repeated = 0
    for line, row in _rows(table, columns):
        name, label = row[0].strip(), row[1]
        if not name or not label.strip():
            listing.set_aside.append(SetAside(base / name if name else table, f"row {line} has no path or no label"))
            continue
        path = _find(base, name)
        if (str(path), label) in seen:
            repeated += 1
            continue
        seen.add((str(path), label))
        turn = _turn(row[-2], line)
        listing.candidates.append(Candidate(path, path.as_posix(), label, None, turn, by_exif=row[-1] == "exif"))
        if split_column:
            sides.append(_side(row[2], split_column, line))
    if repeated:
        listing.skipped["repeated row"] = repeated
        listing.remarks.append(f"{count(repeated, 'row')} left out: the same path and label stand in the table twice.")
    if split_column:
        _give_sides(listing, sides)
    listing.folders = {candidate.label for candidate in listing.candidates}
    listing.candidates.sort(key=lambda candidate: (candidate.name, candidate.label))
    return listing


def _rows(table: Path, columns: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(line number, the cells of `columns`, of turn and of by_exif) of every row that is not blank.

    The last two are empty where the table is not a manifest of ours: their names may mean anything there.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)  # the comma where nothing else is more frequent
            reader = csv.reader(file, delimiter=delimiter)
            header = [cell.strip() for cell in next(reader, [])]
            at = [_column(header, column, table) for column in columns]
            ours = tuple(header) == MANIFEST
            for row in reader:
                if row:
                    turned = row[-2:] if ours and len(row) == len(header) else ["", ""]
                    yield reader.line_num, [*(row[i] if i < len(row) else "" for i in at), *turned]
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(table)} is not UTF-8 text ({error.reason}).", hint="Save it as CSV UTF-8.") from error
    except (csv.Error, OSError) as error:
        raise DataError(f"{shown(table)} cannot be read as a table ({error}).", hint="Save it as CSV UTF-8.") from error


def _column(header: list[str], wanted: str, table: Path) -> int:
    if wanted in header:
        return header.index(wanted)
    if not any(header):
        raise DataError(f"{shown(table)} has no header line.", hint=f'Its first line names the columns, as "{wanted}".')
    lower = {name.lower(): name for name in header}
    near = difflib.get_close_matches(wanted.lower(), lower, n=1, cutoff=0.5)
    say = f'Did you mean "{lower[near[0]]}"? ' if near else ""
    raise DataError(
        f'{shown(table)} has no column "{wanted}".',
        hint=f"{say}It has: {', '.join(header)}. Name yours with path_column=, label_column=, split_column=.",
    )


def _find(base: Path, name: str) -> Path:
    path = base / name
    if not path.exists() and "\\" in name and os.sep == "/":  # a table written on Windows
        path = base / name.replace("\\", "/")
    return Path(os.path.abspath(path))


def _turn(value: str, line: int) -> int:
    if value not in {"", "0", "90", "180", "270"}:
        raise DataError(f'Row {line} turns its picture by "{value}".', hint="A turn is 0, 90, 180 or 270 degrees.")
    return int(value or 0)


def _side(value: str, column: str, line: int) -> str:
    value = value.strip().lower()
    side = SPLIT_NAMES.get(value) or _BY_FLAG.get(value)
    if side is None:
        raise DataError(
            f'Row {line} has "{value}" in the column "{column}".',
            hint="A split is train or valid (also val, validation, test, true, false).",
        )
    return side


def _give_sides(listing: Listing, sides: list[str]) -> None:
    held = "valid" if "valid" in sides else "test"
    kept: list[Candidate] = []
    for candidate, side in zip(listing.candidates, sides, strict=True):
        if side in {"train", held}:
            split: Split = "train" if side == "train" else "valid"
            kept.append(replace(candidate, split=split))
    if left := len(listing.candidates) - len(kept):
        listing.skipped["test"] = left
        listing.remarks.append(f"{count(left, 'row')} marked test left out: the valid rows are held out.")
    listing.candidates = kept
