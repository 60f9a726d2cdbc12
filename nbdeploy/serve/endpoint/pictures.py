"""One uploaded picture to one answer, by the bundle's own host code, within the server's limits."""

from __future__ import annotations

import contextlib
import ctypes
import io
import threading
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from .refusal import Refused

Image.init()
FORMATS = tuple(
    name for name in ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP") if name in Image.OPEN
)
"""What is opened. Pillow knows many more; of a stranger's files only what people send is worth its decoder."""
TAKES = "Send a picture: its bytes as the body, or multipart fields named file."
_LARGE = 24_000_000  # pixels above which pictures are decoded one at a time, so that several do not fill the memory
_DEEP = 4  # times the memory that a picture with more than 8 bits a channel takes
_one_large = threading.Lock()


def pixels(classifier: Any, data: bytes, *, most: int) -> np.ndarray:
    """A picture's file as the model takes it, uint8 ``[1, height, width, channels]``. Raises Refused."""
    if not data:
        raise Refused(422, "empty_picture", "The picture has no bytes.", hint=TAKES)
    weight = _weight(data)
    if weight > most:
        raise Refused(
            422,
            "too_many_pixels",
            f"The picture has too many pixels; this endpoint opens up to {most:,}, a quarter of that above 8 bits.",
            hint="Make it smaller before it is sent.",
        )
    try:
        if weight <= _LARGE:
            return classifier.prepare(data)  # type: ignore[no-any-return]
        with _one_large:
            try:
                return classifier.prepare(data)  # type: ignore[no-any-return]
            finally:
                _give_back()
    except (OSError, ValueError, SyntaxError) as error:  # what `decode` raises for a file that is no picture
        raise _unreadable(str(error)) from error


def _give_back() -> None:
    """Let the system have what a large picture took; glibc keeps it otherwise."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _weight(data: bytes) -> int:
    """Pixels, as many times as the picture is deep. Only the head of the file is read."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            deep = image.mode.partition(";")[0] in {"I", "F"}
            return image.width * image.height * (_DEEP if deep else 1)
    except UnidentifiedImageError as error:
        raise _unreadable(f"it is none of {', '.join(FORMATS)}") from error
    except Exception as error:  # a bomb, and whatever else Pillow meets in a broken file
        raise _unreadable(str(error)) from error


def _unreadable(why: str) -> Refused:
    return Refused(422, "not_a_picture", f"The picture cannot be read ({why}).", hint="Send a JPEG or PNG file.")
