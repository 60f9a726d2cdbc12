"""Faults planted in pictures, as they happen: the same for the tests and for `make bench`, by a seed."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Change = Callable[[Image.Image], Image.Image]


def scene(seed: int, width: int = 96, height: int | None = None) -> Image.Image:
    """A picture with soft light, edges and fine texture; it has about the entropy of a photo."""
    height = height or width
    numbers = np.random.default_rng(seed)
    rough = Image.fromarray(numbers.integers(40, 180, (7, 7, 3), dtype=np.uint8)).resize((width, height))
    pen = ImageDraw.Draw(rough)
    unit = min(width, height) / 96
    for _ in range(14):
        x, y = int(numbers.integers(4, width - 4)), int(numbers.integers(4, height - 4))
        r = int(numbers.integers(4, 92))
        wide, tall = unit * (r // 6 + 3), unit * (r // 9 + 3)
        pen.ellipse((x - wide, y - tall, x + wide, y + tall), outline=(30, 60, 20), width=max(1, round(2 * unit)))
    fine = numbers.standard_normal((height, width, 1), dtype=np.float32) * 2
    return Image.fromarray(np.clip(np.asarray(rough) + fine, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", **{"quality": 90, **options})
    return data.getvalue()


def bomb() -> bytes:
    """A PNG of 3.6 gigapixels in 150 bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def garble(data: bytes, seed: int, size: int = 48) -> bytes:
    """A JPEG with a run of `size` random bytes, or a fifth of its pixels where that is less, over its pixels."""
    numbers = random.Random(seed)
    start = 2
    while data[start + 1] != 0xDA:
        start += 2 + int.from_bytes(data[start + 2 : start + 4])
    start += 2 + int.from_bytes(data[start + 2 : start + 4])
    end = data.rindex(b"\xff\xd9")
    size = min(size, (end - start) // 5)
    at = numbers.randrange(start + (end - start) // 10, end - size - (end - start) // 10)
    # No mark among them: one that no decoder knows makes the file unreadable, which is another fault.
    run = bytes(numbers.randrange(0xFF) for _ in range(size))
    return data[:at] + run + data[at + size :]


def noisy(image: Image.Image, sigma: float = 20) -> Image.Image:
    pixels = np.asarray(image, np.float32) + np.random.default_rng(0).normal(0, sigma, np.asarray(image).shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def shaken(image: Image.Image, steps: int = 11) -> Image.Image:
    """Blur of a motion to the side."""
    pixels = np.asarray(image, np.float32)
    return Image.fromarray(np.mean([np.roll(pixels, k, axis=1) for k in range(steps)], axis=0).astype(np.uint8))


def _blurred(sigma: float) -> Change:
    return lambda image: image.filter(ImageFilter.GaussianBlur(sigma))


def _lit(times: float) -> Change:
    return lambda image: ImageEnhance.Brightness(image).enhance(times)


def blank(image: Image.Image) -> Image.Image:
    return Image.new("RGB", image.size, image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))


QUALITY: dict[str, tuple[str, int, Change]] = {
    "blank": ("blank", 24, blank),
    "dark": ("dark", 90, _lit(0.2)),
    "over-exposed x 2": ("overexposed", 30, _lit(2)),
    "over-exposed x 3": ("overexposed", 30, _lit(3)),
    "blur, sigma 2": ("blurred", 30, _blurred(2)),
    "blur, sigma 4": ("blurred", 30, _blurred(4)),
    "blur, sigma 8": ("blurred", 30, _blurred(8)),
    "motion blur": ("blurred", 30, shaken),
    "noise": ("noisy", 30, noisy),
}
"""Name -> the kind of finding that it is, how many are planted, and what is done to a picture."""


def crop(share: float) -> Change:
    """Cut `share` of the width and of the height away, half of it on each side."""

    def cut(image: Image.Image) -> Image.Image:
        x, y = image.width * share / 2, image.height * share / 2
        return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))

    return cut


def watermark(image: Image.Image) -> Image.Image:
    """Half-transparent words and a bar in the lower third."""
    marked = image.convert("RGB")
    layer = Image.new("RGBA", marked.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    width, height = marked.size
    pen.rectangle((0, height * 0.8, width, height * 0.92), fill=(255, 255, 255, 110))
    pen.text((width * 0.08, height * 0.78), "SAMPLE", fill=(20, 20, 20, 180), font_size=max(8, height // 8))
    return Image.alpha_composite(marked.convert("RGBA"), layer).convert("RGB")


COPIES: dict[str, Change] = {
    "re-encode": lambda image: image,
    "half": lambda image: image.resize((max(1, image.width // 2), max(1, image.height // 2))),
    "brightness": _lit(1.2),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "gray": lambda image: image.convert("L"),
    "crop 5 %": crop(0.05),
    "crop 10 %": crop(0.10),
    "crop 20 %": crop(0.20),
    "rotation 3 deg": lambda image: image.rotate(3, Image.Resampling.BICUBIC, fillcolor=_corner(image)),
    "flip": ImageOps.mirror,
    "rotation 90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "watermark": watermark,
}
"""Name -> what is done to a picture to make a near-duplicate of it."""


def _corner(image: Image.Image) -> tuple[int, ...] | int:
    return image.getpixel((0, 0))


def sixteen_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 200)


def floats(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L"), np.float32) * 200)


def turned_by_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def unpack_signs(archive: Path, out: Path) -> list[Path]:
    """The pictures of hands of `archive` (Dataset.tar.gz of sign-digits), unpacked into `out`."""
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    return sorted(out.glob("*/*/*.JPG"))
