"""Write an ImageSet out: a cleaned copy of its files, or a table that names them."""

from __future__ import annotations

import csv
import os
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image, ImageOps

from nbdeploy.core.files import new_folder
from nbdeploy.core.progress import track
from nbdeploy.data.records import MANIFEST, ImageFile, short, shown
from nbdeploy.errors import DataError, OutputError

TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
"""Degrees clockwise, as Pillow calls the same."""
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(10))]
)
_BEST: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}
"""How formats that lose something are written."""


def copy_files(files: Sequence[ImageFile], out: Path) -> Path:
    """``train/LABEL/NAME`` and ``valid/LABEL/NAME`` below `out`, which must not exist; gives its absolute path.

    Files are copied byte for byte, so with all their bits and their EXIF, but for those that are turned, which are
    written anew. Raises OutputError, or DataError for a label that cannot be a folder's name.
    """
    for label in sorted({file.label for file in files}):
        _check_folder_name(label)
    taken: set[str] = set()
    with new_folder(out) as work:
        for file in track(files, "copying pictures"):
            place = _free(PurePosixPath(file.split, file.label, file.path.name), file, taken)
            target = work / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.turn or file.by_exif:
                _write_turned(file, target)
            else:
                shutil.copyfile(file.path, target)
    return Path(os.path.abspath(out))


def write_manifest(files: Sequence[ImageFile], out: Path) -> Path:
    """A table of `files` that ``ImageSet.from_csv(out, split_column="split")`` reads; gives its absolute path.

    Raises OutputError where `out` exists or cannot be written.
    """
    out = Path(os.path.abspath(out))
    try:
        with out.open("x", encoding="utf-8", newline="", errors="surrogateescape") as table:
            writer = csv.writer(table)
            writer.writerow(MANIFEST)
            writer.writerows(
                (str(f.path), f.label, f.split, f.sha256, f.turn, "exif" if f.by_exif else "") for f in files
            )
    except FileExistsError as error:
        raise OutputError(f"{shown(out)} exists already.", hint="Choose another name.") from error
    except OSError as error:
        raise OutputError(
            f"{shown(out)} cannot be written ({error.strerror}).", hint="Choose another place."
        ) from error
    return out


def _check_folder_name(label: str) -> None:
    bad = set('<>:"/\\|?*') & set(label)
    control = any(unicodedata.category(letter).startswith("C") for letter in label)
    if bad or control or label.startswith(".") or label != label.strip(" .") or label.lower() in _RESERVED:
        raise DataError(
            f'The label "{short(label)}" cannot be the name of a folder.', hint="Pass manifest=True to write a table."
        )


def _free(place: PurePosixPath, file: ImageFile, taken: set[str]) -> PurePosixPath:
    # Two folders may hold the same name, and some systems know no difference of case.
    number = 0
    wanted = place
    while str(wanted).casefold() in taken:
        number += 1
        wanted = place.with_name(f"{place.stem}-{file.sha256[:8]}{f'-{number}' if number > 1 else ''}{place.suffix}")
    taken.add(str(wanted).casefold())
    return wanted


def _write_turned(file: ImageFile, target: Path) -> None:
    try:
        with Image.open(file.path) as image:
            kind, mode = image.format or "PNG", image.mode
            turned = ImageOps.exif_transpose(image)  # degrees are counted from what a viewer shows
            if file.turn:
                turned = turned.transpose(TURNS[file.turn])
            exif = turned.getexif()
            exif.pop(0x0112, None)  # the orientation is in the pixels now
            kind = "JPEG" if kind == "MPO" else kind
            options = {"icc_profile": image.info.get("icc_profile"), **_BEST.get(kind, {})}
            turned.convert(mode).save(target, kind, exif=exif, **options)
    except Exception as error:  # a broken EXIF block makes Pillow raise nearly anything
        raise DataError(
            f"{shown(file.path)} cannot be turned ({error}).", hint="Exclude it, or turn it by hand."
        ) from error
