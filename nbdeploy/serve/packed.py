"""Compressed copies of a bundle's files, made once and kept in the cache under their hash."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import threading
from pathlib import Path

from nbdeploy.core.files import cache_dir, sha256_of

_WORTH_IT = 0.95  # of the size: less saving is not worth the work of unpacking
_PACKED_ALREADY = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".heic"}
_LEVEL = 6
_one_at_a_time = threading.Lock()


def packed(file: Path, sha256: str) -> Path | None:
    """The gzipped copy of `file`, whose hash is `sha256`; None where that saves nothing or the cache takes no files."""
    if file.suffix.lower() in _PACKED_ALREADY:
        return None
    place = cache_dir() / "served" / f"{sha256}.gz"
    try:
        with _one_at_a_time:
            if not place.is_file():
                if sha256_of(file) != sha256:
                    return None  # a spoilt file must not be kept under the name of the right one
                _pack(file, place)
            return place if place.stat().st_size < _WORTH_IT * file.stat().st_size else None
    except OSError:
        return None


def _pack(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, work = tempfile.mkstemp(dir=place.parent)
    try:
        with (
            file.open("rb") as source,
            os.fdopen(handle, "wb") as out,
            gzip.GzipFile("", "wb", _LEVEL, out, 0) as zipped,
        ):
            shutil.copyfileobj(source, zipped, 1 << 20)
        Path(work).replace(place)
    except BaseException:
        Path(work).unlink(missing_ok=True)
        raise
