"""How a JPEG is laid out: where its compressed pixels begin, are cut by marks, and end. Nothing is decoded here."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SOS, _DRI, _EOI, _FILL = 0xDA, 0xDD, 0xD9, 0xFF
_SEQUENTIAL = (0xC0, 0xC1)
_OTHER_FRAMES = frozenset({*range(0xC2, 0xD0)} - {0xC4, 0xC8, 0xCC})  # progressive, lossless, arithmetic
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # marks without a length
_RESTARTS = 0xD0, 8  # the first of them and their number
_MARKS = re.compile(rb"\xff[^\0\xff]")
_BLOCK = 8
_LEAST = 20  # bytes that the start of a frame or a scan has at least, with what follows


@dataclass(frozen=True, slots=True)
class Stream:
    """The compressed pixels of a sequential JPEG of one scan."""

    stops: tuple[int, ...]
    """Where its pieces end: a mark of two bytes stands there."""
    height: int
    """Of the picture, in pixels."""
    tall: int
    """Pixels in one row of blocks."""
    by_rows: bool
    """Whether every row of blocks is a piece of its own."""
    whole: bool
    """Whether the marks between its pieces are those that belong there."""


@dataclass(slots=True)
class _Header:
    height: int = 0
    across: int = 0
    tall: int = 0
    components: int = 0
    interval: int = 0
    start: int = 0
    """Where the stream begins."""


def stream_of(data: bytes) -> Stream | None:
    """The Stream of a JPEG; None for other kinds of JPEG and for one without an end."""
    header = _header(data)
    if header is None:
        return None
    stops = []
    for found in _MARKS.finditer(data, header.start):
        stops.append(found.start())
        if data[found.start() + 1] == _EOI:
            break
    else:
        return None
    rows = -(-header.height // header.tall)
    first, number = _RESTARTS
    pieces = -(-rows * header.across // header.interval) if header.interval else 1
    expected = [*(first + k % number for k in range(pieces - 1)), _EOI]
    marks = [data[stop + 1] for stop in stops]
    by_rows = rows > 1 and header.interval == header.across
    return Stream(tuple(stops), header.height, header.tall, by_rows, whole=marks == expected)


def _header(data: bytes) -> _Header | None:
    header, at = _Header(), 2
    while at + _LEAST < len(data) and data[at] == _FILL:
        mark = data[at + 1]
        if mark == _FILL or mark in _ALONE:
            at += 1 if mark == _FILL else 2
            continue
        if mark in _OTHER_FRAMES:
            return None
        if mark in _SEQUENTIAL:
            _read_frame(data, at, header)
        elif mark == _DRI:
            header.interval = _number(data, at + 4)
        header.start = at + 2 + _number(data, at + 2)
        if mark == _SOS:
            known = header.height and header.across and data[at + 4] == header.components
            return header if known else None
        at = header.start
    return None


def _read_frame(data: bytes, at: int, header: _Header) -> None:
    header.components = data[at + 9]
    factors = [data[place] for place in range(at + 11, min(at + 11 + 3 * header.components, len(data)), 3)]
    wide, tall = max((f >> 4 for f in factors), default=0), max((f & 15 for f in factors), default=0)
    if header.components == 1:  # its blocks are laid out one by one, whatever its factors say
        wide = tall = 1
    header.height, header.tall = _number(data, at + 5), _BLOCK * max(1, tall)
    header.across = -(-_number(data, at + 7) // (_BLOCK * max(1, wide)))


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2])
