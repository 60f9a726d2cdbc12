"""Data sets in the form of Pascal VOC: one XML a picture, in a folder named Annotations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from nbdeploy.data.collect.boxes import Annotated, Box, Pictures, bounded, not_as_it_says

_WHAT = "an annotation of Pascal VOC"


def folders_of(root: Path) -> list[Path]:
    """The folders of annotations below `root`, at most two folders deep."""
    found = [path for pattern in ("Annotations", "*/Annotations", "*/*/Annotations") for path in root.glob(pattern)]
    return sorted(path for path in found if path.is_dir() and any(path.glob("*.xml")))


def read(folder: Path, pictures: Pictures) -> Iterator[Annotated]:
    """Every picture with an object. Raises DataError."""
    for path in sorted(folder.glob("*.xml")):
        try:
            root = fromstring(bounded(path))
            boxes = tuple(_box(one, number) for number, one in enumerate(root.iter("object"), 1))
        except (ParseError, DefusedXmlException, ValueError, TypeError) as error:
            raise not_as_it_says(path, _WHAT, error) from error
        if boxes:
            name = (root.findtext("filename") or "").strip() or f"{path.stem}.jpg"
            place = pictures.find(name, folder.parent / "JPEGImages", folder.parent, folder)
            yield Annotated(place or Path(name), boxes, missing=place is None)


def _box(one: object, number: int) -> Box:
    def text(key: str) -> str:
        return (one.findtext(key) or "").strip()  # type: ignore[attr-defined]

    label = text("name")
    if not label:
        raise ValueError("an object has no name")
    sides = [float(text(f"bndbox/{side}") or 0) for side in ("xmin", "ymin", "xmax", "ymax")]
    left, top = max(0.0, sides[0] - 1), max(0.0, sides[1] - 1)  # VOC counts pixels from 1, both ends inside
    return Box(label, left, top, sides[2], sides[3], f"object {number}")
