"""Pictures made small enough to be sent: by threads, from the file on disk, and kept while there is room."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps

from nbdeploy.data.plain import plain
from nbdeploy.data.scan import Reading, Refused, examine

SIDE = 192
"""Pixels of the longer side of a thumbnail: twice what is shown, for sharp screens."""
LARGE = 1600
"""Pixels of the longer side of a picture that is looked at closely."""
_PIXELS_KEPT = 64  # pictures of so few pixels a side are sent as they are, without loss
_ROOM = 64 << 20
_QUALITY = {SIDE: 78, LARGE: 88}


@dataclass(frozen=True, slots=True)
class Shown:
    """The bytes of a picture for a browser (JPEG or PNG), or why there are none."""

    data: bytes = b""
    problem: str = ""


_Key = tuple[Path, int, int]
"""Path, time and length: a file that was mended is looked at again."""


@cache
def shared_thumbs() -> Thumbs:
    """The thumbnails of this process: cells that run again must not add up to a full memory."""
    return Thumbs()


class Thumbs:
    """Thumbnails of files. Safe to use from several threads."""

    def __init__(self, room: int = _ROOM) -> None:
        self._room = room
        self._kept: OrderedDict[_Key, Shown] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="nbdeploy-thumbs")

    def many(self, paths: Iterable[Path]) -> list[Shown]:
        """The thumbnails of files, in order. Nothing is raised."""
        return list(self._pool.map(self._one, paths))

    def _one(self, path: Path) -> Shown:
        try:
            about = path.stat()
        except OSError as error:
            return Shown(problem="no such file" if isinstance(error, FileNotFoundError) else str(error.strerror))
        key = (path, about.st_mtime_ns, about.st_size)
        with self._lock:
            if found := self._kept.get(key):
                self._kept.move_to_end(key)
                return found
        made = picture(path, SIDE)
        self._keep(key, made)
        return made

    def _keep(self, key: _Key, made: Shown) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._held += len(made.data)
            while self._held > self._room:
                self._held -= len(self._kept.popitem(last=False)[1].data)


def picture(path: Path, side: int) -> Shown:
    """The picture at `path`, at most `side` pixels wide and high, upright as its EXIF says: so does training see it."""

    def small(image: Image.Image, _reading: Reading) -> Shown:
        shown = _rgb(_upright(image))
        # A draft that is a bit larger than asked for is brought down cheaply; the eye does not see the difference.
        shown.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
        return Shown(_encoded(shown, side))

    try:
        found = examine(path, small, draft=lambda size: _within(size, side))
    except OSError as error:
        return Shown(problem=error.strerror or str(error))
    return Shown(problem=found.reason) if isinstance(found, Refused) else found


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - a broken EXIF block makes Pillow raise nearly anything, and says nothing of the pixels
        return image


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit colour or grey."""
    seen = plain(image)
    return seen.copy() if seen.mode in {"L", "RGB"} else seen.convert("RGB")


def _encoded(image: Image.Image, side: int) -> bytes:
    data = io.BytesIO()
    if max(image.size) <= _PIXELS_KEPT:
        image.save(data, "PNG", compress_level=1)
    else:
        image.save(data, "JPEG", quality=_QUALITY.get(side, 80))
    return data.getvalue()
