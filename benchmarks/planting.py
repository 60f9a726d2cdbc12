"""A folder of clean pictures with faults and copies planted among them, as many as the facts were measured on."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tests import planted as how

_COPIES = 30
_QUALITY = 75  # of the JPEGs that planted pictures are saved as

Write = Callable[[Image.Image, Path], None]


def _saved(change: how.Change, **options: object) -> Write:
    def write(image: Image.Image, path: Path) -> None:
        change(image).save(path, **options)

    return write


def _bytes(make: Callable[[Image.Image], bytes]) -> Write:
    return lambda image, path: path.write_bytes(make(image)) and None


def _same(image: Image.Image) -> Image.Image:
    return image


def _animated(image: Image.Image, path: Path) -> None:
    image.save(path, save_all=True, append_images=[image.rotate(90)])


def _cut(image: Image.Image) -> bytes:
    data = how.jpeg(image)
    return data[: len(data) * 3 // 5]


FORMATS: dict[str, tuple[str, int, str, Write]] = {
    "truncated": ("truncated", 55, ".jpg", _bytes(_cut)),
    "zero-byte": ("empty_file", 5, ".jpg", _bytes(lambda _: b"")),
    "text": ("not_an_image", 6, ".jpg", _bytes(lambda _: b"not a picture\n" * 20)),
    "html": ("not_an_image", 5, ".png", _bytes(lambda _: b"<!doctype html><title>404</title>")),
    "pixel bomb": ("image_bomb", 5, ".png", _bytes(lambda _: how.bomb())),
    "wrong extension": ("wrong_extension", 25, ".png", _bytes(how.jpeg)),
    "EXIF-rotated": ("exif_rotated", 20, ".jpg", _saved(_same, exif=how.turned_by_exif())),
    "CMYK": ("cmyk", 6, ".jpg", _saved(lambda image: image.convert("CMYK"))),
    "RGBA": ("alpha", 6, ".png", _saved(lambda image: image.convert("RGBA"))),
    "palette": ("palette", 6, ".png", _saved(lambda image: image.quantize(64))),
    "16-bit": ("sixteen_bit", 5, ".png", _saved(how.sixteen_bit)),
    "float TIFF": ("float_pixels", 5, ".tif", _saved(how.floats)),
    "animated GIF": ("animated", 5, ".gif", _animated),
    "garbled JPEG": (
        "garbled",
        15,
        ".jpg",
        _bytes(lambda image: how.garble(how.jpeg(image), seed=zlib.crc32(image.tobytes()))),
    ),
}
"""Name -> the kind of finding that it is, how many are planted, the ending of their names, and how one is written."""


@dataclass
class Planted:
    """What lies where."""

    root: Path
    clean: set[Path] = field(default_factory=set)
    faults: dict[str, list[Path]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    """Fault -> kind of finding."""
    copies: dict[str, list[tuple[Path, Path]]] = field(default_factory=dict)
    """Kind of copy -> (original, copy)."""
    family: dict[Path, Path] = field(default_factory=dict)
    """File -> the clean picture that it was made of."""


def plant(sources: Sequence[Path], root: Path, *, seed: int, share: float = 1.0) -> Planted:
    """Link all `sources` into the flat folder `root` and plant `share` of the usual number of each fault among them."""
    root.mkdir()
    made, pick = Planted(root), random.Random(seed)
    originals = [root / f"clean~{source.parent.name}~{source.name}" for source in sources]
    for original, source in zip(originals, sources, strict=True):
        original.hardlink_to(source)
        made.clean.add(original)
        made.family[original] = original
    order = _without_end(originals, pick)
    every = {
        name: (kind, number, ".jpg", _saved(change, quality=_QUALITY))
        for name, (kind, number, change) in how.QUALITY.items()
    }
    for name, (kind, number, ending, write) in {**FORMATS, **every}.items():
        made.kinds[name] = kind
        some = [next(order) for _ in range(max(1, round(number * share)))]
        made.faults[name] = [path for _, path in _write(made, name, some, ending, write)]
    for name, change in how.COPIES.items():
        some = [next(order) for _ in range(max(1, round(_COPIES * share)))]
        made.copies[name] = _write(made, name, some, ".jpg", _saved(change, quality=_QUALITY))
    return made


def _without_end(originals: Sequence[Path], pick: random.Random) -> Iterator[Path]:
    while True:
        yield from pick.sample(originals, len(originals))


def _write(made: Planted, name: str, some: Sequence[Path], ending: str, write: Write) -> list[tuple[Path, Path]]:
    pairs = []
    for number, original in enumerate(some):
        path = made.root / f"{name}~{number}{ending}"
        with Image.open(original) as opened:
            write(opened.convert("RGB"), path)
        made.family[path] = original
        pairs.append((original, path))
    return pairs
