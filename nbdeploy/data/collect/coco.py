"""Data sets in the form of COCO: one JSON of images, annotations and categories."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from nbdeploy.data.collect.boxes import Annotated, Box, Pictures, bounded, not_as_it_says

_WHAT = "a COCO file of annotations"


def files_of(root: Path) -> list[Path]:
    """The files of annotations of instances below `root`, at most two folders deep."""
    found = [path for pattern in ("*.json", "*/*.json", "*/*/*.json") for path in sorted(root.glob(pattern))]
    return [path for path in found if _looks_so(path)]


def _looks_so(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
            file.seek(max(0, path.stat().st_size - (1 << 16)))
            ends = head + file.read()
    except OSError:
        return False
    # The keys may come in any order, and a large list between them; one of them is near the beginning or the end.
    marks = (b'"images"', b'"annotations"', b'"categories"')
    return b"{" in head[:64] and any(mark in ends for mark in marks) and b'"caption"' not in head


def read(path: Path, pictures: Pictures) -> Iterator[Annotated]:
    """Every picture with an annotation. Raises DataError."""
    try:
        raw = json.loads(bounded(path))
        categories = {int(one["id"]): str(one["name"]) for one in raw["categories"]}
        boxes: defaultdict[int, list[Box]] = defaultdict(list)
        for one in raw["annotations"]:
            if one.get("iscrowd"):
                continue
            left, top, width, height = map(float, one.get("bbox") or (0, 0, 0, 0))
            label, detail = categories[int(one["category_id"])], f"annotation {one.get('id', '?')}"
            boxes[int(one["image_id"])].append(Box(label, left, top, left + width, top + height, detail))
        images = [(int(one["id"]), str(one["file_name"])) for one in raw["images"]]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise not_as_it_says(path, _WHAT, error) from error
    for number, name in images:
        if found := boxes.get(number):
            place = pictures.find(name, path.parent, path.parent / "images", path.parent.parent / "images")
            yield Annotated(place or Path(name), tuple(found), missing=place is None)
