"""Pictures of data sets that come with annotations: which class each has, and the boxes that may be cut out."""

from __future__ import annotations

import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nbdeploy.data.listing import EXTENSIONS
from nbdeploy.data.records import shown
from nbdeploy.data.scan import FORMATS, MAX_PIXELS
from nbdeploy.errors import DataError

LARGEST = 1 << 29
"""Bytes of one file of annotations."""
_SMALLEST = 8  # sides in pixels of a box that is cut out


@dataclass(frozen=True, slots=True)
class Box:
    """One annotated object, in pixels of the picture as it is stored."""

    label: str
    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    detail: str = ""

    @property
    def area(self) -> float:
        """In square pixels; 0 for a label without a box."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Annotated:
    """One picture with its boxes."""

    path: Path
    boxes: tuple[Box, ...]
    missing: bool = False
    """Whether the file that the annotations name is not there."""

    @property
    def label(self) -> str:
        """The class of most boxes; of the larger area where two have as many."""
        numbers = Counter(box.label for box in self.boxes)
        areas: defaultdict[str, float] = defaultdict(float)
        for box in self.boxes:
            areas[box.label] += box.area
        return max(sorted(numbers), key=lambda label: (numbers[label], areas[label]), default="")

    @property
    def others(self) -> tuple[str, ...]:
        """The other classes in it."""
        return tuple(sorted({box.label for box in self.boxes} - {self.label}))


class Pictures:
    """The pictures below a folder, found by what annotations call them: by path, else by a name that only one has."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for folder, below, files in os.walk(root):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(files):
                if Path(name).suffix.lower() in EXTENSIONS and not name.startswith("."):
                    self._by_name[name].append(Path(folder, name))
        self.paths = [path for paths in self._by_name.values() for path in paths]

    def find(self, name: str, *near: Path) -> Path | None:
        """The picture called `name`, looked for in the folders `near` first. One outside the root is never found."""
        tail = Path(name.replace("\\", "/"))
        candidates = self._by_name.get(tail.name, [])
        for folder in (*near, self._root):
            wanted = Path(os.path.normpath(folder / tail))
            if wanted in candidates:
                return wanted
        ends = [path for path in candidates if path.parts[-len(tail.parts) :] == tail.parts]
        found = ends or candidates
        return found[0] if len(found) == 1 else None


def decoders() -> list[str]:
    """The decoders that pictures of strangers may reach."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def bounded(path: Path) -> bytes:
    """The bytes of a file of annotations. Raises DataError for one too large or not readable."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{shown(path.name)} is larger than {LARGEST / 1e6:,.0f} MB.", hint="Split the data set.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read ({error.strerror}).", hint="Copy the data set again.") from error


def not_as_it_says(path: Path, kind: str, error: Exception) -> DataError:
    """A file of annotations that does not hold what its format asks for."""
    return DataError(
        f"{shown(path.name)} is not {kind} ({type(error).__name__}: {error}).", hint="Export the data set again."
    )


def crops(path: Path, boxes: Sequence[Box]) -> Iterable[tuple[Box, bytes]]:
    """Each box of at least 8 pixels a side, cut out as PNG. Raises whatever the picture's decoder does."""
    with Image.open(path, formats=decoders()) as image:
        if image.size[0] * image.size[1] > MAX_PIXELS:
            raise Image.DecompressionBombError(f"{image.size[0]:,} x {image.size[1]:,} pixels")
        icc = image.info.get("icc_profile")
        whole = image if image.mode in {"1", "L", "LA", "I", "I;16", "RGB", "RGBA", "P"} else image.convert("RGB")
        width, height = whole.size
        for box in boxes:
            left, top = max(0, int(box.left)), max(0, int(box.top))
            right, bottom = min(width, round(box.right)), min(height, round(box.bottom))
            if min(right - left, bottom - top) < _SMALLEST:
                continue
            data = io.BytesIO()
            whole.crop((left, top, right, bottom)).save(data, "PNG", icc_profile=icc)
            yield box, data.getvalue()
