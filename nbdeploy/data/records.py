"""What is known about one file, and the plain sentences in which files are named."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "valid"]

SPLIT_NAMES: dict[str, str] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
"""What people call the two sides (lower case). A test set beside a validation set is left out, never trained on."""


MANIFEST = ("path", "label", "split", "sha256", "turn", "by_exif")
"""The columns of the tables that ``ImageSet.export(..., manifest=True)`` writes."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One readable picture."""

    path: Path
    """Absolute; links are not resolved."""
    label: str
    split: Split
    sha256: str
    """Hex, of the file's bytes."""
    group: str
    """Files of one group stay on one side of the split. The sha256, or the session that it was captured in."""
    source: str
    """Where it came from: a folder, a table or an archive; a collected file's own source."""
    size: tuple[int, int]
    """Width, height in pixels, as stored (not turned by EXIF)."""
    notes: tuple[str, ...] = ()
    """Any of: alpha, animated, cmyk, exif_rotated, float_pixels, palette, sixteen_bit, tiny."""
    turn: int = 0
    """Degrees clockwise by which a decision turns it, seen upright as its EXIF says: 0, 90, 180 or 270."""
    by_exif: bool = False
    """Whether a decision turns it as its EXIF says, which ``nd.train`` does anyway."""
    span: tuple[float, float] | None = None
    """The lowest and the highest value where it has more than 8 bits a channel; None where 8, or where not known."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that is not used, and why, in words."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that says it is a picture, before it was opened. `name` orders files whatever the machine."""

    path: Path
    name: str
    label: str
    split: Split | None
    """None: the seeded split decides."""
    turn: int = 0
    by_exif: bool = False
    """What decisions that are written in a manifest say, as in ImageFile."""


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text that can be printed anywhere, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def clean_hint(folder: str | os.PathLike[str]) -> str:
    """What to type when a picture below `folder` cannot be read."""
    quoted = shlex.quote(shown(folder))
    return f"Type: %clean {quoted} (in a terminal: nbdeploy audit {quoted}), which names every such file."


def count(number: int, noun: str) -> str:
    """``"1 picture"``, ``"1,797 pictures"``, ``"3 classes"``."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def names(items: Iterable[str], limit: int = 3) -> str:
    """The first `limit` of `items`, and how many more there are."""
    every: Sequence[str] = list(items)
    more = len(every) - limit
    return ", ".join(every[:limit]) + (f" and {more:,} more" if more > 0 else "")


def short(label: str, limit: int = 60) -> str:
    """A label cut for a message."""
    return label if len(label) <= limit else label[: limit - 1] + "…"
