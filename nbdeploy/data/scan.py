"""Open every picture once: hash, size, whether it decodes to its end, and what is odd about it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from io import BufferedReader
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 178_956_970
"""More pixels are refused as a bomb: Pillow's own error limit (2 x 89,478,485), above the 108 MP of telephones."""
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO")
"""The decoders that files may reach. Pillow has more, some of which start other programs (EPS)."""
TINY = 8
"""A picture with a side below this many pixels is noted as tiny."""
_BIG_PIXELS = 40_000_000  # such pictures are decoded one at a time, so that threads do not add up to a full memory
_EXIF_ORIENTATION = 0x0112
_HEAD = 512
_big = threading.Lock()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one readable picture holds. `size` is width, height in pixels."""

    sha256: str
    size: tuple[int, int]
    notes: tuple[str, ...]


def read_all(paths: Iterable[Path]) -> Iterator[Reading | str]:
    """`read_picture` of every path, in order, by a pool of threads that is never far ahead of its reader.

    Closing the iterator, as Ctrl-C does, drops what has not begun and waits only for the files being read.
    """
    _decoders()  # loading them is not thread-safe
    workers = min(16, (os.cpu_count() or 1) + 1)
    waiting: deque[Future[Reading | str]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="nbdeploy-read") as pool:
        try:
            for path in paths:
                waiting.append(pool.submit(read_picture, path))
                if len(waiting) >= workers * 16:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@cache
def _decoders() -> list[str]:
    """Those of `FORMATS` that this build of Pillow has."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def read_picture(path: Path) -> Reading | str:
    """What the picture at `path` holds, or, where it cannot be used, the reason in words."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if not head:
                return "empty file (0 bytes)"
            file.seek(0)
            try:
                return _read(file)
            except UnidentifiedImageError:
                return _what_it_is(head)
    except MemoryError:
        return "too large to decode in this machine's memory"
    except Image.DecompressionBombError as error:
        return f"too many pixels ({error})"
    # Decoders raise nearly anything on broken files: OSError, SyntaxError, struct.error, KeyError, IndexError ...
    except Exception as error:  # noqa: BLE001
        return _why(error)


def _read(file: BufferedReader) -> Reading | str:
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    with Image.open(file, formats=_decoders()) as image:
        width, height = size = image.size
        if width * height > MAX_PIXELS:
            return f"too many pixels ({width:,} x {height:,}; at most {MAX_PIXELS:,})"
        notes = _notes(image)
        # An eighth of the size costs a fraction of the time and still reads the stream to its end.
        image.draft(image.mode, (max(1, width // 8), max(1, height // 8)))
        pixels = image.size[0] * image.size[1]
        with _big if pixels > _BIG_PIXELS else nullcontext():
            image.load()
    return Reading(sha256, size, notes)


def _notes(image: Image.Image) -> tuple[str, ...]:
    is_photo = image.format in {"JPEG", "MPO"}  # an MPO is a photo with a second view, not a film
    found = {
        "alpha": image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info,
        "animated": not is_photo and bool(getattr(image, "is_animated", False)),
        "cmyk": image.mode == "CMYK",
        "exif_rotated": _orientation(image) not in {0, 1},
        "float_pixels": image.mode == "F",
        "palette": image.mode in {"P", "PA"},
        "sixteen_bit": image.mode == "I" or image.mode.startswith("I;"),
        "tiny": min(image.size) < TINY,
    }
    return tuple(note for note, on in found.items() if on)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 0 < value <= 8 else 1  # noqa: PLR2004 - EXIF knows 1 to 8


def _what_it_is(head: bytes) -> str:
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page, not a picture"
    if head[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypheim"}:
        return "HEIC, which cannot be read here: convert it to JPEG"
    if start.startswith((b"<svg", b"<?xml")):
        return "SVG or XML, not a picture of pixels"
    text = sum(byte in b"\t\n\r" or byte >= 0x20 for byte in head)  # noqa: PLR2004 - the first printable byte
    if b"\0" not in head and text == len(head):
        return "text, not a picture"
    return "not a picture that can be read here"


def _why(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if "truncated" in text.lower():
        return f"cut short ({text})"
    return f"broken ({type(error).__name__}: {text})"
