"""Data sets in the form of YOLO detection: data.yaml with the names, and a text of boxes beside each picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from PIL import Image

from nbdeploy.data.collect.boxes import Annotated, Box, Pictures, bounded, decoders, not_as_it_says
from nbdeploy.data.records import shown
from nbdeploy.errors import DataError

_WHAT = "a YOLO file of names"
_FEWEST = 5  # numbers of a line: class, and centre, width and height; more are the corners of a polygon


def file_of(root: Path) -> Path | None:
    """The file of names below `root`, where there is one, and a folder of labels."""
    if not any(path.is_dir() for pattern in ("labels", "*/labels") for path in root.glob(pattern)):
        return None
    found = [*sorted(root.glob("*.yaml")), *sorted(root.glob("*.yml")), *sorted(root.glob("classes.txt"))]
    return next((path for path in found if path.name == "classes.txt" or b"names" in path.read_bytes()[:65536]), None)


def _names(path: Path) -> dict[int, str]:
    data = bounded(path)
    try:
        if path.suffix == ".txt":
            return dict(enumerate(line.strip() for line in data.decode("utf-8-sig").splitlines() if line.strip()))
        if len(data) > 1 << 20 or b"&" in data:  # aliases may refer to one another without end
            raise ValueError("too long, or with aliases")
        names = yaml.safe_load(data)["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise not_as_it_says(path, _WHAT, error) from error


def read(path: Path, pictures: Pictures) -> Iterator[Annotated]:
    """Every picture with a box. Raises DataError."""
    names = _names(path)
    for picture in sorted(pictures.paths):
        text = _text_of(picture)
        if text is None:
            continue
        boxes = tuple(_boxes(text, picture, names))
        if boxes:
            yield Annotated(picture, boxes)


def _text_of(picture: Path) -> Path | None:
    """The text of a picture: in ``labels`` where the picture is in ``images``, else beside it."""
    parts = list(picture.with_suffix(".txt").parts)
    places = [place for place, part in enumerate(parts) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    beside = Path(*parts)
    return beside if beside.is_file() else None


def _boxes(text: Path, picture: Path, names: dict[int, str]) -> Iterator[Box]:
    try:
        lines = [line.split() for line in bounded(text).decode("utf-8", "replace").splitlines() if line.strip()]
        rows = [(int(float(cells[0])), [float(cell) for cell in cells[1:]]) for cells in lines]
    except (ValueError, OverflowError) as error:
        raise not_as_it_says(text, "a YOLO file of boxes", error) from error
    size = _size(picture) if rows else (0, 0)
    for number, (which, values) in enumerate(rows, 1):
        if which not in names:
            raise DataError(f"{shown(text.name)} names class {which}, which has no name.", hint="Mend data.yaml.")
        if len(values) + 1 < _FEWEST:
            yield Box(names[which], detail=f"line {number}")
        elif len(values) + 1 == _FEWEST:
            x, y, w, h = values
            yield _scaled(names[which], [x - w / 2, x + w / 2], [y - h / 2, y + h / 2], size, number)
        else:
            yield _scaled(names[which], values[0::2], values[1::2], size, number)


def _scaled(label: str, across: list[float], down: list[float], size: tuple[int, int], number: int) -> Box:
    left, right = (side * size[0] for side in (min(across), max(across)))
    top, bottom = (side * size[1] for side in (min(down), max(down)))
    return Box(label, left, top, right, bottom, f"line {number}")


def _size(picture: Path) -> tuple[int, int]:
    try:
        with Image.open(picture, formats=decoders()) as image:
            return image.size
    except Exception:  # noqa: BLE001 - screening will say what is wrong with it
        return 0, 0
