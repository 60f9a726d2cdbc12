"""What somebody's data is: classes and how many pictures of each, how large they are, and what to say about it."""

from __future__ import annotations

import os
import statistics
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbdeploy.data.listing import EXTENSIONS, Listing, list_folder
from nbdeploy.data.records import count, names, shown
from nbdeploy.errors import DataError, UsageError

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
    """Of ImageSet: ``from_folder``, ``from_csv`` or ``from_zip``."""
    counts: Mapping[str, int] = field(default_factory=dict)
    side: int | None = None
    """Of the squares to train on, where that is not the usual one."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of a table, ``path`` and ``label``, where they are not called so."""
    small: bool = False
    """Whether the pictures are far smaller than photographs."""
    remarks: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """How many pictures."""
        return sum(self.counts.values())

    @property
    def summary(self) -> str:
        """``42 pictures of 3 classes``."""
        if not self.counts:
            return f"the pictures in {self.path.name}"
        return f"{count(self.files, 'picture')} of {count(len(self.counts), 'class')}"


def detect(path: Path) -> Detected:
    """Look at what `path` holds. Raises DataError for what a classifier of pictures cannot be made of."""
    if path.is_dir():
        return _judged(path, "from_folder", list_folder(path), {})
    if not path.exists():
        raise DataError(f"There is no {shown(path)}.", hint="Name a folder of pictures, a .csv, a .zip or a .tar.")
    if path.name.lower().endswith(_ARCHIVES):
        return Detected(path, "from_zip", remarks=("An archive is counted when it is first read.",))
    if path.suffix.lower() != ".csv":
        raise DataError(f"{shown(path)} is no folder, table or archive.", hint="Name a folder, a .csv, .zip or .tar.")
    columns = _columns(path)
    from nbdeploy.data.table import list_table  # noqa: PLC0415 - only for a table

    listing = list_table(
        path, path_column=columns["path"], label_column=columns["label"], split_column=columns.get("split"), root=None
    )
    other = {key: column for key, column in columns.items() if key == "split" or key != column}
    return _judged(path, "from_csv", listing, other)


def _columns(table: Path) -> dict[str, str]:
    """Which columns hold paths, labels and, where there is one, sides. Raises UsageError or DataError."""
    from nbdeploy.data.delimited import first_rows  # noqa: PLC0415 - only for a table

    header, rows = first_rows(table, 50)
    by_column = {name: [row[at] for row in rows if len(row) > at] for at, name in enumerate(header)}
    paths = [name for name, cells in by_column.items() if _are_pictures(table.parent, cells)]
    if not paths:
        raise UsageError(
            f"No column of {shown(table)} names pictures that are there.",
            hint="A table needs a column of pictures' paths, from its own folder, and one of labels.",
        )
    lower = {name.lower(): name for name in header}
    label = next((lower[name] for name in _LABELS if name in lower), None)
    others = [name for name in header if name != paths[0]]
    if label is None and len(others) != 1:
        raise UsageError(
            f"Which column of {shown(table)} is the label? It has {', '.join(others)}.",
            hint='Call it "label".',
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
    said = [*listing.remarks, *_remarks(counts)]
    middle = statistics.median_high(sides) if sides else _USUAL
    if files and not sides:
        said.append("None of the pictures that were opened can be read; nbdeploy audit names them.")
    side = None if not sides or sides[-1] >= _USUAL else max(_STEP, -(-middle // _STEP) * _STEP)
    ordered = dict(sorted(counts.items()))
    return Detected(path, reader, ordered, side, columns, small=middle < _TINY, remarks=tuple(said))


def _remarks(counts: Mapping[str, int]) -> Iterator[str]:
    few = sorted(label for label, number in counts.items() if number < _FEW)
    if few:
        yield f"Fewer than {_FEW} pictures of {names(few)}: expect little of it, and add some (%collect)."
    most, least = max(counts, key=lambda label: counts[label]), min(counts, key=lambda label: counts[label])
    if counts[most] > _UNEVEN * counts[least]:
        yield f"{counts[most]:,} pictures of {most} and {counts[least]:,} of {least}: the model will favour {most}."


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
