"""What somebody's data is: classes and how much of each, how large pictures are, and what to say about it."""

from __future__ import annotations

import os
import statistics
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbdeploy.data.listing import EXTENSIONS, Listing, list_folder
from nbdeploy.data.records import count, names, shown
from nbdeploy.errors import DataError, UnknownName, UsageError
from nbdeploy.pipeline.subjects import PICTURES, ROWS, TABLES, TEXTS, Subject

_LOOKED_AT = 200
"""Pictures that are opened to see how large they are."""
_USUAL, _STEP, _TINY = 224, 32, 64
_FEW, _UNEVEN = 20, 10
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_LABELS = ("label", "class", "category", "target", "species", "breed", "kind", "type", "y")


@dataclass(frozen=True)
class Detected:
    """The data at `path`. Counts are empty for an archive, which is only counted when it is unpacked."""

    path: Path
    reader: str
    """Of ImageSet, Table or Texts: ``from_folder``, ``from_csv`` or ``from_zip``."""
    counts: Mapping[str, int] = field(default_factory=dict)
    side: int | None = None
    """Of the squares to train on, where that is not the usual one."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of a table of pictures, ``path`` and ``label``, where they are not called so; else ``label`` and ``text``."""
    small: bool = False
    """Whether the pictures are far smaller than photographs."""
    remarks: tuple[str, ...] = ()
    subject: Subject = PICTURES
    example: str = ""
    """A row as JSON, or a text, that is short and on one line."""

    @property
    def files(self) -> int:
        """How many pictures, rows or texts."""
        return sum(self.counts.values())

    @property
    def summary(self) -> str:
        """``42 pictures of 3 classes``."""
        if not self.counts:
            return f"the pictures in {self.path.name}"
        return f"{count(self.files, self.subject.noun)} of {count(len(self.counts), 'class')}"


def detect(path: Path, label: str | None = None, text: str | None = None) -> Detected:
    """Look at what `path` holds. `label` and `text` are columns of a table. Raises DataError for what no classifier
    can be made of, UsageError for columns that do not fit.
    """
    if text is not None and label is None:
        raise UsageError("Which column is the label of the texts?", hint='Type: --label COLUMN (label="COLUMN")')
    if label is not None and path.exists() and (path.is_dir() or path.suffix.lower() not in TABLES):
        raise UsageError(f"{shown(path)} is no table, so it has no columns.", hint="Leave label and text out.")
    if path.is_dir():
        from nbdeploy.data.sources import kind_of  # noqa: PLC0415 - numpy

        if kind_of(path) == "texts":
            return _examples(path, TEXTS, {})
        return _judged(path, "from_folder", list_folder(path), {})
    if not path.exists():
        raise DataError(f"There is no {shown(path)}.", hint="Name a folder of pictures, a .csv, a .zip or a .tar.")
    if path.name.lower().endswith(_ARCHIVES):
        return Detected(path, "from_zip", remarks=("An archive is counted when it is first read.",))
    if path.suffix.lower() not in TABLES:
        raise DataError(f"{shown(path)} is no folder, table or archive.", hint="Name a folder, a .csv, .zip or .tar.")
    if text is not None or (label is not None and not _names_pictures(path)):
        columns = {"label": str(label)} | ({} if text is None else {"text": text})
        return _examples(path, ROWS if text is None else TEXTS, columns)
    columns = _columns(path, label)
    from nbdeploy.data.table import list_table  # noqa: PLC0415 - only for a table

    listing = list_table(
        path, path_column=columns["path"], label_column=columns["label"], split_column=columns.get("split"), root=None
    )
    other = {key: column for key, column in columns.items() if key == "split" or key != column}
    return _judged(path, "from_csv", listing, other)


def _names_pictures(table: Path) -> bool:
    if table.suffix.lower() != ".csv":
        return False
    from nbdeploy.data.delimited import first_rows  # noqa: PLC0415 - only for a table

    header, rows = first_rows(table, 50)
    return any(_are_pictures(table.parent, [row[at] for row in rows if len(row) > at]) for at in range(len(header)))


def _examples(path: Path, subject: Subject, columns: Mapping[str, str]) -> Detected:
    """Rows or texts, which are read whole."""
    from nbdeploy.data.rowset import Table  # noqa: PLC0415 - pandas
    from nbdeploy.data.textset import Texts  # noqa: PLC0415

    kind: Any = Table if subject is ROWS else Texts
    if not columns:
        read, reader = kind.from_folder(path), "from_folder"
    else:
        reader = "from_csv"
        try:
            read = kind.from_csv(path, **columns, split="split")
            columns = {**columns, "split": "split"}
        except (UnknownName, DataError):  # no such column, or it says something else
            read = kind.from_csv(path, **columns)
    counts = {label: sum(sides) for label, sides in read.counts.items()}
    said = [f"Not learned from: {name}, {why}." for name, why in getattr(read, "left_out", ())]
    said += [f"Left out: {number:,} {kind}." for kind, number in read.skipped]
    short = min((file.content.decode() for file in read.valid), key=lambda one: (one.count("\n"), len(one)))
    return Detected(
        path,
        reader,
        dict(sorted(counts.items())),
        None,
        columns,
        remarks=(*said, *_remarks(counts, subject)),
        subject=subject,
        example=" ".join(short.split()),
    )


def _columns(table: Path, label: str | None) -> dict[str, str]:
    """Which columns hold paths, labels and, where there is one, sides. Raises UsageError or DataError."""
    from nbdeploy.data.delimited import first_rows  # noqa: PLC0415 - only for a table

    if table.suffix.lower() != ".csv":
        raise UsageError(f"Which column of {shown(table)} is the label?", hint='Type: --label COLUMN (label="COLUMN")')
    header, rows = first_rows(table, 50)
    by_column = {name: [row[at] for row in rows if len(row) > at] for at, name in enumerate(header)}
    paths = [name for name, cells in by_column.items() if _are_pictures(table.parent, cells)]
    if not paths:
        raise UsageError(
            f"No column of {shown(table)} names pictures that are there.",
            hint="A table needs a column of pictures' paths, from its own folder, and one of labels. To learn from its "
            'rows, or the texts in a column, name the label: --label COLUMN (label="COLUMN"), --text COLUMN.',
        )
    lower = {name.lower(): name for name in header}
    if label is not None and label not in header:
        raise UnknownName("column", label, header)
    label = label or next((lower[name] for name in _LABELS if name in lower), None)
    others = [name for name in header if name != paths[0]]
    if label is None and len(others) != 1:
        raise UsageError(
            f"Which column of {shown(table)} is the label? It has {', '.join(others)}.",
            hint='Type: --label COLUMN (label="COLUMN")',
        )
    split = {"split": lower["split"]} if "split" in lower else {}
    return {"path": paths[0], "label": label or others[0], **split}


def _are_pictures(folder: Path, cells: Sequence[str]) -> bool:
    given = [cell.strip().replace("\\", "/") for cell in cells if cell.strip()]
    return any(Path(cell).suffix.lower() in EXTENSIONS and (folder / cell).is_file() for cell in given)


def _judged(path: Path, reader: str, listing: Listing, columns: Mapping[str, str]) -> Detected:
    counts = Counter(one.label for one in listing.candidates)
    files = [one.path for one in listing.candidates]
    if len(counts) < 2:  # noqa: PLR2004 - a choice needs two
        what = f"only one class, {next(iter(counts))}" if counts else "no pictures in class folders"
        raise DataError(f"{shown(path)} holds {what}.", hint="Give one folder of pictures a class, two at least.")
    sides = sorted(_sides(files))
    said = [*listing.remarks, *_remarks(counts, PICTURES)]
    middle = statistics.median_high(sides) if sides else _USUAL
    if files and not sides:
        said.append("None of the pictures that were opened can be read; nbdeploy audit names them.")
    side = None if not sides or sides[-1] >= _USUAL else max(_STEP, -(-middle // _STEP) * _STEP)
    ordered = dict(sorted(counts.items()))
    return Detected(path, reader, ordered, side, columns, small=middle < _TINY, remarks=tuple(said))


def _remarks(counts: Mapping[str, int], subject: Subject) -> Iterator[str]:
    many, by = f"{subject.noun}s", " (%collect)" if subject is PICTURES else ""
    few = sorted(label for label, number in counts.items() if number < _FEW)
    if few:
        yield f"Fewer than {_FEW} {many} of {names(few)}: expect little of it, and add some{by}."
    most, least = max(counts, key=lambda label: counts[label]), min(counts, key=lambda label: counts[label])
    if counts[most] > _UNEVEN * counts[least]:
        yield f"{counts[most]:,} {many} of {most} and {counts[least]:,} of {least}: the model will favour {most}."


def _sides(files: Sequence[Path]) -> Iterator[int]:
    """The longer sides of some pictures, in pixels, spread over all."""
    from PIL import Image  # noqa: PLC0415 - only where a project is written

    apart = max(1, len(files) // _LOOKED_AT)
    for file in files[::apart]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(file) as opened:
                    yield max(opened.size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue


def beside(path: Path, folder: Path) -> str:
    """`path` as it is written in a file of `folder`, with slashes."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
