"""Frames of a video, without those that are nearly the one before."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nbdeploy.data.likeness import COARSE
from nbdeploy.data.records import shown
from nbdeploy.data.scan import MAX_PIXELS
from nbdeploy.errors import DataError, MissingExtra, NbdeployWarning

ENDINGS = frozenset(".mp4 .m4v .mov .3gp .mkv .webm .avi .ts .mts .m2ts .mpg .mpeg .ogv .y4m .wmv .flv".split())
DIFFERENT = 4.0
"""Grey values (root mean square over 16 x 16 cells) by which a frame differs from the last one that was kept; noise and
compression give below 2, a hand that moves through a tenth of the picture more than 10."""
_FORMATS = {
    b"\x1aE\xdf\xa3": "matroska",
    b"FLV\x01": "flv",
    b"OggS": "ogg",
    b"YUV4MPEG2": "yuv4mpegpipe",
    b"\x30\x26\xb2\x75": "asf",
    b"\x00\x00\x01\xba": "mpeg",
    b"\x00\x00\x01\xb3": "mpegvideo",
}
_SYNC, _PACKET = 0x47, 188  # of MPEG transport streams


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, turned as it is meant to be seen."""

    second: float
    """From the beginning."""
    image: Image.Image


def frames(video: str | Path, *, every: float = 0.5, different: float = DIFFERENT) -> Iterator[Frame]:
    """Frames of `video`, at least `every` seconds apart, and `different` from the last one that was given.

    With ``different=0`` none is left out. A video that breaks off gives what can be read and one NbdeployWarning.
    Raises DataError for a file that is no video, or has no pictures, and MissingExtra without PyAV.
    """
    path = Path(video)
    if not path.is_file():
        raise DataError(f"There is no video {shown(path)}.", hint="Give a video file, as clip.mp4.")
    if not every >= 0:
        raise DataError(f"every is {every}.", hint="It is the seconds between two frames, as 0.5.")
    try:
        import av  # noqa: PLC0415 - of the extra "video"
    except ImportError as error:
        raise MissingExtra("Reading videos", "av", "video") from error
    with path.open("rb") as file:
        kind = _kind(file.read(1024))
        if not kind:
            raise DataError(f"{shown(path.name)} is not a video that can be read.", hint="Convert it to MP4.")
        file.seek(0)
        try:
            # The format is named by us: formats that lead to other files and addresses (playlists) are out of reach.
            opened = av.open(file, format=kind, metadata_errors="ignore")
        except (av.FFmpegError, ValueError) as error:
            raise _broken(path, error) from error
        with opened:
            if not opened.streams.video:
                raise DataError(f"{shown(path.name)} holds no pictures, only sound.", hint="Give a video.")
            yield from _different(_decoded(opened, path), every, different)


def _kind(head: bytes) -> str:
    """The name that ffmpeg has for the container, by its first bytes."""
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > _PACKET and head[0] == _SYNC == head[_PACKET]:
        return "mpegts"
    return next((name for start, name in _FORMATS.items() if head.startswith(start)), "")


def _decoded(opened: Any, path: Path) -> Iterator[tuple[float, Any]]:
    """(second, frame) of every frame that can be decoded. Raises DataError where there is none."""
    import av  # noqa: PLC0415

    stream = opened.streams.video[0]
    stream.thread_type = "AUTO"
    if stream.width * stream.height > MAX_PIXELS:
        raise DataError(f"{shown(path.name)} has frames of too many pixels.", hint=f"At most {MAX_PIXELS:,}.")
    number, start, second = 0, None, 0.0
    rate = float(stream.average_rate or 25)
    try:
        for frame in opened.decode(stream):
            # A frame without a time of its own follows the one before at the usual rate.
            at = number / rate if frame.time is None else float(frame.time)
            start = at if start is None else start
            second = max(second, at - start)
            number += 1
            yield second, frame
    except (av.FFmpegError, ValueError) as error:
        if not number:
            raise _broken(path, error) from error
        warnings.warn(
            f"{shown(path.name)} breaks off after {second:,.1f} s ({_why(error)}): what comes before is used.",
            NbdeployWarning,
            stacklevel=2,
        )
    if not number:
        raise DataError(f"{shown(path.name)} holds no frame that can be read.", hint="Convert it to MP4.")


def _different(decoded: Iterator[tuple[float, Any]], every: float, different: float) -> Iterator[Frame]:
    last: np.ndarray | None = None
    due = 0.0
    for second, frame in decoded:
        if second < due - 1e-6:
            continue
        small = frame.reformat(width=min(frame.width, 160), height=min(frame.height, 160), format="gray")
        grey = Image.fromarray(small.to_ndarray()).resize((COARSE, COARSE), Image.Resampling.BOX)
        look = np.asarray(grey, dtype=np.float32)
        if last is not None and float(np.sqrt(np.mean((look - last) ** 2))) < different:
            continue
        last, due = look, second + every
        image = frame.to_image()
        if frame.rotation:
            image = image.rotate(frame.rotation, expand=True)
        yield Frame(second, image)


def _broken(path: Path, error: Exception) -> DataError:
    return DataError(f"{shown(path.name)} is broken ({_why(error)}).", hint="Copy it again, or convert it to MP4.")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", "") or str(error)
