"""Where collected pictures go, whole and never over anything, and where they go when they are taken back."""

from __future__ import annotations

import errno
import os
import shutil
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nbdeploy.core.files import file_name
from nbdeploy.core.signature import MAX_LABEL_CHARACTERS
from nbdeploy.data.records import short, shown
from nbdeploy.errors import DataError, OutputError

STAGING = ".nbdeploy-collecting"
"""What is still coming in. Hidden, so that no reader of the folder sees half a picture."""
REMOVED = ".nbdeploy-removed"
"""What was taken back. Nothing is deleted; a person may empty it."""
ENDINGS = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "JPEG2000": ".jp2",
    "PPM": ".ppm",
    "TGA": ".tga",
}
"""The extension of each format that folders of pictures take."""
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV, errno.EMLINK, errno.EACCES}
_MOST_BYTES = 200  # of a folder's name


def check_label(label: str) -> str:
    """`label` without spaces around it. Raises DataError for what cannot be the name of a class and of its folder."""
    label = unicodedata.normalize("NFC", label).strip()
    wrong = (
        "A class needs a name." if not label else "",
        f'"{short(label)}" begins with a dot, which hides a folder.' if label.startswith(".") else "",
        f'"{short(label)}" holds "/" or "\\".' if "/" in label or "\\" in label else "",
        f"{short(label)!r} holds what cannot be printed." if not label.isprintable() else "",
        f'"{short(label)}" is too long.'
        if len(label) > MAX_LABEL_CHARACTERS or len(label.encode("utf-8", "replace")) > _MOST_BYTES
        else "",
    )
    if any(wrong):
        raise DataError(next(filter(None, wrong)), hint="A class is the name of a folder, as cat or red-light.")
    return label


def staged(folder: Path, ending: str = "") -> Path:
    """A new path for something that is coming in. Raises OutputError."""
    place = folder / STAGING
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise refused(folder, error) from error
    return place / f"{os.getpid()}-{uuid.uuid4().hex}{ending}"


def clear_staging(folder: Path) -> None:
    """Remove what processes that have ended left half written."""
    place = folder / STAGING
    if not place.is_dir():
        return
    import psutil  # noqa: PLC0415 - only where something was left

    for left in place.iterdir():
        owner = left.name.partition("-")[0]
        if owner.isdigit() and (int(owner) == os.getpid() or psutil.pid_exists(int(owner))):
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    with suppress(OSError):
        place.rmdir()


def put(work: Path, folder: Path, label: str, name: str) -> Path:
    """Move the file `work` to ``folder/label/name``, or ``name-2`` and so on where that exists. Raises OutputError."""
    try:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for target in _free(folder / label, name):
            if _move_new(work, target):
                return target
    except OSError as error:
        raise refused(folder, error) from error
    raise AssertionError  # _free never ends


def _free(place: Path, name: str) -> Iterator[Path]:
    stem, ending = Path(name).stem, Path(name).suffix
    yield place / name
    number = 2
    while True:
        target = place / f"{stem}-{number}{ending}"
        if not target.exists():
            yield target
        number += 1


def _move_new(work: Path, target: Path) -> bool:
    """Whether `work` is at `target` now; False where something is there already, which stays as it is."""
    try:
        os.link(work, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with suppress(FileExistsError):  # a file system without links: the empty file holds the name meanwhile
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            work.replace(target)
            return True
        return False
    work.unlink()
    return True


def safe_name(name: str, fallback: str, ending: str) -> str:
    """A file's name from what somebody else called it."""
    stem = Path(name.replace("\\", "/")).stem
    return f"{file_name(stem) or fallback}{ending}"


def move_whole(source: Path, target: Path) -> None:
    """Move a file to a place where nothing is. Raises OutputError where something is."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _move_new(source, target):
            raise OutputError(f"{shown(target)} exists.", hint="Rename that file, and try again.")
    except OSError as error:
        raise refused(target.parent, error) from error


def refused(folder: Path, error: OSError) -> OutputError:
    """What a person is told when the folder cannot be written to."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    what = "The disk is full" if full else f"{shown(folder)} cannot be written to ({error.strerror or error})"
    hint = "Free some space; what was collected so far is there." if full else "Collect into a folder of your own."
    return OutputError(f"{what}.", hint=hint)


@contextmanager
def as_output_error(folder: Path) -> Iterator[None]:
    """OSErrors of the block as OutputErrors."""
    try:
        yield
    except OSError as error:
        raise refused(folder, error) from error
