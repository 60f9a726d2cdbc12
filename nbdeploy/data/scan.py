"""Open every picture once: hash, size, whether it decodes to its end, and what is odd about it."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO, TypeVar

from PIL import Image, UnidentifiedImageError

from nbdeploy.data.garbled import watch

MAX_PIXELS = 178_956_970
"""More pixels are refused as a bomb: Pillow's own error limit (2 x 89,478,485), above the 108 MP of telephones."""
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO")
"""The decoders that files may reach. Pillow has more, some of which start other programs (EPS)."""
TINY = 8
"""A picture with a side below this many pixels is noted as tiny."""
_BIG_PIXELS = 40_000_000  # such pictures are decoded one at a time, so that threads do not add up to a full memory
_EXIF_ORIENTATION = 0x0112
_HEAD = 512
_IN_MEMORY = 64 << 20  # larger files are read twice rather than held
_CUT = "cut short"
_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND"}
"""How JPEG and PNG begin, and what stands at their end."""
T = TypeVar("T")
_big = threading.Lock()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one readable picture holds. `size` is width, height in pixels."""

    sha256: str
    size: tuple[int, int]
    notes: tuple[str, ...]
    format: str = ""
    """Pillow's name of the format: JPEG, PNG ..."""
    span: tuple[float, float] | None = None
    """The lowest and the highest value where there are more than 8 bits a channel; None where 8."""


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
    # An eighth of the size costs a fraction of the time and still reads the stream to its end.
    found = examine(path, _only_the_reading, draft=lambda size: (max(1, size[0] // 8), max(1, size[1] // 8)))
    return found.reason if isinstance(found, Refused) else found


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a file cannot be used: a kind of finding, the reason in words, and the hash where its bytes were read."""

    kind: str
    reason: str
    sha256: str = ""


def examine(
    path: Path,
    see: Callable[[Image.Image, Reading], T],
    *,
    draft: Callable[[tuple[int, int]], tuple[int, int]],
    mode: str | None = None,
) -> T | Refused:
    """`see` of the decoded picture at `path` and of its Reading, after one read and one decode of the file.

    A JPEG is decoded at the smallest scale that has at least the size that `draft` makes of (width, height), in `mode`
    (else its own); other formats at their own size. Whatever is wrong with the file becomes a Refused.
    """
    sha256, head = "", b""
    try:
        data = path.read_bytes() if path.stat().st_size <= _IN_MEMORY else None
        with path.open("rb") if data is None else io.BytesIO(data) as file:
            head = file.read(_HEAD)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if not head:
                return Refused("empty_file", "empty file (0 bytes)", sha256)
            file.seek(0)
            return _decode(file, sha256, see, draft, mode)
    except UnidentifiedImageError:
        return Refused(*_what_it_is(head, path), sha256)
    except MemoryError:
        return Refused("image_bomb", "too large to decode in this machine's memory", sha256)
    except (Image.DecompressionBombError, _TooManyPixels) as error:
        return Refused("image_bomb", f"too many pixels ({error})", sha256)
    # Decoders raise nearly anything on broken files: OSError, SyntaxError, struct.error, KeyError, IndexError ...
    except Exception as error:  # noqa: BLE001
        why = _why(error)
        return Refused("truncated" if why.startswith(_CUT) or _ends_early(head, path) else "unreadable", why, sha256)


class _TooManyPixels(Exception):
    pass


def _only_the_reading(image: Image.Image, reading: Reading) -> Reading:
    deep = {"float_pixels", "sixteen_bit"} & set(reading.notes)
    return replace(reading, span=_span(image)) if deep else reading


def _span(image: Image.Image) -> tuple[float, float]:
    import numpy as np  # noqa: PLC0415 - few pictures need it

    values = np.asarray(image)
    values = values[np.isfinite(values)]  # floats may hold NaN where nothing was measured
    return (values.min().item(), values.max().item()) if values.size else (0, 0)


def _decode(
    file: BinaryIO,
    sha256: str,
    see: Callable[[Image.Image, Reading], T],
    draft: Callable[[tuple[int, int]], tuple[int, int]],
    mode: str | None,
) -> T:
    with Image.open(file, formats=_decoders()) as image:
        width, height = size = image.size
        if width * height > MAX_PIXELS:
            raise _TooManyPixels(f"{width:,} x {height:,}; at most {MAX_PIXELS:,}")
        reading = Reading(sha256, size, _notes(image), image.format or "")
        image.draft(mode or image.mode, draft(size))
        damage = watch(image, file)
        pixels = image.size[0] * image.size[1]
        with _big if pixels > _BIG_PIXELS else nullcontext():
            image.load()
            return see(image, replace(reading, notes=reading.notes + damage()))


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


def _what_it_is(head: bytes, path: Path) -> tuple[str, str]:  # noqa: PLR0911 - one answer a line
    """The kind of finding and the words for bytes that no decoder knows."""
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "not_an_image", "a web page, not a picture"
    if head[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypheim"}:
        return "unreadable", "HEIC, which cannot be read here: convert it to JPEG"
    if start.startswith((b"<svg", b"<?xml")):
        return "not_an_image", "SVG or XML, not a picture of pixels"
    text = sum(byte in b"\t\n\r" or byte >= 0x20 for byte in head)  # noqa: PLR2004 - the first printable byte
    if b"\0" not in head and text == len(head):
        return "not_an_image", "text, not a picture"
    if _ends_early(head, path):
        return "truncated", "cut short before its pixels"
    if head.startswith(tuple(_ENDS)):
        return "unreadable", "broken: it begins as a picture and cannot be read as one"
    return "not_an_image", "not a picture that can be read here"


def _ends_early(head: bytes, path: Path) -> bool:
    """Whether a JPEG or a PNG lacks the mark of its end."""
    end = next((end for start, end in _ENDS.items() if head.startswith(start)), None)
    if end is None:
        return False
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _HEAD))
        return end not in file.read()
    return False


def _why(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if "truncated" in text.lower():
        return f"{_CUT} ({text})"
    return f"broken ({type(error).__name__}: {text})"
