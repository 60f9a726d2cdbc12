"""Whether a JPEG's compressed pixels were damaged on the way: its decoder is watched, and never says so itself.

The pixels of a JPEG are a stream of bits, in one piece or cut by marks, often at the end of every row of blocks. Where
bytes of it were overwritten the decoder loses its place and goes on with other blocks than were meant: it then has all
its rows before the piece ends, or lacks some when it has ended. Both are seen by giving it the file in parts, within
the one decode. Where it found its place again, what follows is too bright or too dark, and a seam along a row of blocks
stays.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image

from nbdeploy.data.jpeg import Stream, stream_of

_SPARE = 2  # bytes of the end: without them the last block cannot be complete
_PADDING = (b"\0\0", b"\xff\0")  # what some cameras write after the last block
_ONES = b"\xff\0" * 7  # 56 set bits, which are no code: enough to look ahead at, too few to make two blocks of
_PLACES = 8  # pixels of a row that are looked at to see whether it was written
_QUARTERS = 4  # of a row: a seam runs through two that lie together, since it may begin anywhere
_FLAT, _STEP = 1.0, 5.0  # grey values: the spread along a seam that is no spread, and the smallest step
_GRAIN = 0.3  # grey values: photos have some, a bar on a page has none
_SEAM = 1.2  # step over spread: 1 of 2,062 pictures of hands reaches it, and half of the seams do
_SEAM_CLOSE = 2.0  # of small pictures and of close rows of blocks, where an edge lies between two rows more often
_FAR, _TINY = 16, 64  # pixels
_SEAM_TIMES = 2.0  # times the third sharpest edge between rows where no seam can be
_FEWEST_ROWS = 4  # of a block, as decoded; closer together nothing tells a seam from texture


def watch(image: Image.Image, file: BinaryIO) -> Callable[[], tuple[str, ...]]:
    """Watch the decoding of `image`, which was opened from `file` and is not loaded yet.

    The function that is given says, after the load, what is wrong: ``("garbled",)`` where the stream of pixels ended
    elsewhere than its decoder or lacks marks, ``("seam",)`` where only the picture shows it. Of other formats than
    sequential JPEGs of one scan in memory (an io.BytesIO) nothing is ever said.
    """
    stream = None
    if image.format in {"JPEG", "MPO"} and isinstance(file, io.BytesIO):
        stream = stream_of(data := file.getvalue())
    if stream is None:
        return tuple
    if not stream.whole:
        return lambda: ("garbled",)
    watcher = _Watcher(image, data, stream)
    image.load_read = watcher.read  # type: ignore[attr-defined] # Pillow's own way to give a decoder its bytes
    return watcher.verdict


class _Watcher:
    def __init__(self, image: Image.Image, data: bytes, stream: Stream) -> None:
        self._image, self._data, self._stream = image, data, stream
        self._tall = stream.tall * image.size[1] / stream.height
        # Only a grey picture has its rows as soon as they are decoded; colours wait for those of the next row.
        self._parts = self._by_rows() if stream.by_rows and image.mode == "L" else self._in_one()
        self._early, self._late = True, False

    def read(self, _: int) -> bytes:
        """The next part of the file; the decoder asks for more until it has its last row."""
        return next(self._parts, b"")

    def verdict(self) -> tuple[str, ...]:
        if self._early or self._late:
            return ("garbled",)
        return ("seam",) if self._image.mode == "L" and _has_seam(np.asarray(self._image), self._tall) else ()

    def _in_one(self) -> Iterator[bytes]:
        end = self._stream.stops[-1]
        yield self._data[: end - _SPARE]
        self._early = False
        yield self._data[end - _SPARE : end] + _ONES
        self._late = True
        yield self._data[end:]

    def _by_rows(self) -> Iterator[bytes]:
        stops, height = self._stream.stops, self._image.size[1]
        bottoms = [min(height, round((row + 1) * self._tall)) - 1 for row in range(len(stops))]
        for bottom in bottoms:
            self._mark(bottom)
        early, start = False, 0
        for bottom, stop in zip(bottoms, stops, strict=True):
            self._early = early or stop == stops[-1]  # after the last row nobody asks
            yield self._data[start : stop - _SPARE]
            end = self._data[stop - _SPARE : stop]
            early = self._early = early or (self._written(bottom) and end not in _PADDING)
            yield end + _ONES
            self._late |= not self._written(bottom)
            start = stop
        yield self._data[start:]

    def _places(self, row: int) -> list[tuple[tuple[int, int], int]]:
        width = self._image.size[0]
        return [((width * k // _PLACES, row), (37 * k + 101) % 256) for k in range(_PLACES)]

    def _mark(self, row: int) -> None:
        for place, value in self._places(row):
            self._image.im.putpixel(place, value)

    def _written(self, row: int) -> bool:
        """Whether a row no longer holds what `_mark` put there."""
        return any(self._image.im.getpixel(place) != value for place, value in self._places(row))


def _has_seam(grey: np.ndarray, tall: float) -> bool:
    """Whether brightness steps by about the same amount along a row of blocks, and nowhere else."""
    step = round(tall)
    if step != tall or step < _FEWEST_ROWS or grey.shape[0] < _QUARTERS * step or grey.shape[1] < _QUARTERS * step:
        return False
    rows = np.arange(2, len(grey) - 1)
    place = rows % step
    limit = _SEAM if step >= _FAR and max(grey.shape) > _TINY else _SEAM_CLOSE
    at_blocks = _steps(grey, rows[place == 0])
    seams = np.flatnonzero(at_blocks >= limit)
    # Bytes are overwritten in one place, and what follows it is shifted: above it on one side, below it on the other.
    if not len(seams) or seams[-1] - seams[0] > 1:
        return False
    across = np.arange(step, grey.shape[1] - 1, step)
    if _steps(grey.T, across).max() >= limit:  # drawn on squared paper
        return False
    elsewhere = _steps(grey, rows[(place > 1) & (place < step - 1)])
    return bool(at_blocks.max() > _SEAM_TIMES * np.partition(elsewhere, -3)[-3])


def _steps(grey: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """How evenly brightness steps up to each of `rows`: the step, beyond those beside it, over its spread."""
    above, below = grey[rows - 1].astype(np.int16), grey[rows].astype(np.int16)
    beyond = 3 * (below - above) - (grey[rows + 1].astype(np.int16) - grey[rows - 2])
    width = grey.shape[1] // _QUARTERS
    quarters = beyond[:, : width * _QUARTERS].reshape(len(rows), _QUARTERS, width).astype(np.float32) / 2
    mean = quarters.sum(2) / width
    spread = np.sqrt(np.maximum(np.einsum("rqc,rqc->rq", quarters, quarters) / width - mean**2, 0))
    drawn = spread < _GRAIN
    size = np.where((np.abs(mean) > _STEP) & ~drawn, mean / (spread + _FLAT), 0)
    one, other = size[:, :-1], size[:, 1:]
    together = np.where(one * other > 0, np.minimum(np.abs(one), np.abs(other)), 0)
    return np.asarray(together.max(1))
