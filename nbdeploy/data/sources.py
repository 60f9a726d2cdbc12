"""What something given to audit() is: pictures, a table or texts; and the ImageSet or the Table in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from nbdeploy.data.frames import Table, from_frame, from_texts
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.listing import EXTENSIONS, list_folder
from nbdeploy.data.records import count, shown
from nbdeploy.errors import DataError, UsageError

Kind = Literal["pictures", "table", "texts"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_LOOKED_AT = 50  # rows that say whether a column holds pictures
_LONGEST = 10_000_000  # bytes of a text


def kind_of(data: Any) -> Kind:
    """What `data` is. Raises UsageError for what is none of them."""
    if isinstance(data, ImageSet):
        return "pictures"
    if isinstance(data, str | os.PathLike):
        return _kind_of_path(Path(data))
    if _is_frame(data, "DataFrame"):
        return "table"
    if _is_frame(data, "Series") or isinstance(data, Sequence) or getattr(data, "ndim", 0) == 1:
        texts = [one for one in islice(data, 1000) if one is not None and one == one]  # noqa: PLR0124 - NaN is missing
        if all(isinstance(one, str) for one in texts):
            return "texts"
    raise UsageError(
        f"Data of the type {type(data).__name__} cannot be audited.",
        hint="Give an ImageSet, a DataFrame, a list of strings, or the path of a folder, a table or an archive.",
    )


def _is_frame(data: Any, name: str) -> bool:
    # Whoever holds a DataFrame has imported pandas; nobody else has to.
    return type(data).__module__.split(".")[0] == "pandas" and name in {one.__name__ for one in type(data).__mro__}


def _kind_of_path(path: Path) -> Kind:
    if path.is_dir():
        return "texts" if not _holds(path, EXTENSIONS) and _holds(path, {".txt"}) else "pictures"
    if path.name.lower().endswith(_ARCHIVES) or not path.suffix:
        return "pictures"
    return "pictures" if _lists_pictures(path) else "table"


def _holds(folder: Path, endings: Iterable[str]) -> bool:
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if any(not name.startswith(".") and os.path.splitext(name)[1].lower() in endings for name in files):  # noqa: PTH122 - a million names
            return True
    return False


def _lists_pictures(path: Path) -> bool:
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    from nbdeploy.data.delimited import first_rows  # noqa: PLC0415 - read only where there is a table

    header, rows = first_rows(path, _LOOKED_AT)
    if "path" not in header:
        return False
    at = header.index("path")
    places = [path.parent / row[at].strip().replace("\\", "/") for row in rows if len(row) > at and row[at].strip()]
    return any(place.suffix.lower() in EXTENSIONS and place.is_file() for place in places)


def pictures_of(data: Any, *, label: Any, split: Any, seed: int) -> tuple[Any, tuple[str, ...]]:
    """An ImageSet or the folder that `data` is, and what there is to say of how it was taken."""
    path = None if isinstance(data, ImageSet) else Path(data)
    listed = path is not None and path.suffix.lower() == ".csv" and path.is_file()
    if not listed and not (isinstance(label, str) and isinstance(split, str) and label == split == ""):
        raise UsageError("These are pictures, whose folders say label and split.", hint="Leave label= and split= out.")
    if path is None or path.is_dir():
        return data, ()
    if listed:
        names = {"label_column": label} if label else {}
        images = ImageSet.from_csv(path, split_column=split or None, seed=seed, **names)
        return images, (f'Taken for a list of pictures: the column "path" of {path.name} names files that are there.',)
    return (ImageSet.from_zip(path, seed=seed), ()) if path.name.lower().endswith(_ARCHIVES) else (path, ())


def table_of(data: Any, kind: Kind, label: Any, split: Any) -> Table:
    """The Table that `data` is or holds. Values given for `label` and `split` become columns. Raises DataError."""
    columns = {name: values for name, values in (("label", label), ("split", split)) if not isinstance(values, str)}
    if kind == "texts" and not isinstance(data, str | os.PathLike):
        return from_texts(data, **columns)
    if columns:
        raise UsageError(f"{' and '.join(columns)} of a table name a column.", hint='Type: label="column"')
    if kind == "texts":
        return _folder_of_texts(Path(data))
    if isinstance(data, str | os.PathLike):
        from nbdeploy.data.delimited import read_table  # noqa: PLC0415 - the csv module is quick, pandas is not

        return read_table(Path(data))
    return from_frame(data)


def _folder_of_texts(path: Path) -> Table:
    listing = list_folder(path, exts=["txt"], loose=True)
    files = [one.path for one in listing.candidates]
    if not files:
        raise DataError(f"No texts in {shown(path)}.", hint="Give a folder of .txt files.")
    labels = [one.label for one in listing.candidates]
    sides = [one.split or "" for one in listing.candidates]
    table = from_texts(
        [_text(file) for file in files],
        label=labels if any(labels) else (),
        split=sides if all(sides) else (),
        files=files,
    )
    remark = (
        f"Read as {count(len(files), 'text')}, each a .txt file{', labelled by its folder' if any(labels) else ''}."
    )
    return replace(table, path=listing.root, remarks=(remark,))


def _text(file: Path) -> str | None:
    """The text of a file; as Windows-1252 where it is not UTF-8; None where it cannot be read."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST)
    except OSError:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
