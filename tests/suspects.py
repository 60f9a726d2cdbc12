"""A folder with faults of every queue planted among clean pictures of three shapes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from PIL import Image, ImageDraw

SHAPES = ("bar", "disc", "frame")
MISLABELLED = ("bar/wrong0.png", "frame/wrong1.png", "disc/wrong2.png")
"""A disc, a bar and a frame under another label."""


def shape(kind: str, seed: int, side: int = 48) -> Image.Image:
    """A picture of one shape; every seed gives another."""
    pick = random.Random(f"{kind}{seed}")
    image = Image.new("RGB", (side, side), tuple(pick.randrange(20, 70) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    x, y, ink = pick.randrange(6, 12), pick.randrange(6, 12), tuple(pick.randrange(150, 255) for _ in range(3))
    size = pick.randrange(24, 30)
    if kind == "disc":
        draw.ellipse((x, y, x + size, y + size), fill=ink)
    elif kind == "bar":
        draw.rectangle((x + 10, y - 4, x + 15, y + size + 6), fill=ink)
    else:
        draw.rectangle((x, y, x + size, y + size), outline=ink, width=4)
    for _ in range(120):
        draw.point((pick.randrange(side), pick.randrange(side)), tuple(pick.randrange(256) for _ in range(3)))
    return image


def write_suspects(root: Path, *, clean: int = 30) -> Path:
    """`clean` pictures a class, and the faults; gives `root`."""
    for kind in SHAPES:
        (root / kind).mkdir(parents=True)
        for number in range(clean):
            shape(kind, number).save(root / kind / f"{number:03d}.png")
    for name, kind in zip(MISLABELLED, ("disc", "bar", "frame"), strict=True):
        shape(kind, 900).save(root / name)
    shutil.copy(root / "disc" / "000.png", root / "disc" / "copy.png")
    shutil.copy(root / "bar" / "000.png", root / "frame" / "cross.png")
    Image.new("RGB", (48, 48), (90, 90, 90)).save(root / "disc" / "blank.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    shape("bar", 901, 64).crop((0, 0, 64, 48)).save(root / "bar" / "turned.jpg", exif=exif)
    whole = (root / "disc" / "001.png").read_bytes()
    (root / "disc" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "frame" / "empty.png").write_bytes(b"")
    return root
