"""The shared resize of docs/resize.md in numpy, as plain as the page says it, and the golden vectors made with it.

python -m tests.golden.reference      writes tests/golden/resize.json anew
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nbdeploy.templates.python import predict

FILE = Path(__file__).with_name("resize.json")
BITS = 22


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return -0.5 * (((x - 5) * x + 8) * x - 4) if x < 2 else 0.0


FILTERS: dict[str, tuple[float, Callable[[float], float]]] = {
    "box": (0.5, lambda x: float(-0.5 < x <= 0.5)),
    "bilinear": (1, lambda x: max(0.0, 1 - abs(x))),
    "hamming": (1, lambda x: _sinc(x) * (0.54 + 0.46 * math.cos(math.pi * x)) if abs(x) < 1 else 0.0),
    "bicubic": (2, _cubic),
    "lanczos": (3, lambda x: _sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0),
}


def matrix(size: int, to: int, name: str) -> np.ndarray:
    """Whole-number weights ``[to, size]`` of one axis."""
    reach, weight = FILTERS[name]
    scale = size / to
    stretch = max(scale, 1.0)
    support = reach * stretch
    rows = np.zeros((to, size), dtype=np.int64)
    for place in range(to):
        centre = (place + 0.5) * scale
        begin = max(0, int(centre - support + 0.5))
        end = min(size, int(centre + support + 0.5))
        exact = [weight((i - centre + 0.5) / stretch) for i in range(begin, end)]
        whole = sum(exact) or 1.0
        for i, value in zip(range(begin, end), exact, strict=True):
            share = value / whole * 2**BITS
            rows[place, i] = int(share - 0.5) if share < 0 else int(share + 0.5)
    return rows


def resize(pixels: np.ndarray, width: int, height: int, name: str) -> np.ndarray:
    """uint8 ``[height, width, channels]`` of another size: an axis after the other, each rounded to bytes."""
    if name == "nearest":
        rows, columns = (_nearest(size, to) for size, to in zip(pixels.shape, (height, width), strict=False))
        return pixels[rows][:, columns]
    lost_rows, lost_columns = pixels.shape[0] - height, pixels.shape[1] - width
    passes = [(1, width), (0, height)]
    if lost_rows > 0 and lost_rows > 2 * lost_columns:
        passes.reverse()
    for axis, to in passes:
        if pixels.shape[axis] != to:
            sums = np.tensordot(matrix(pixels.shape[axis], to, name), pixels.astype(np.int64), (1, axis))
            rounded = np.clip((sums + 2 ** (BITS - 1)) >> BITS, 0, 255).astype(np.uint8)
            pixels = np.moveaxis(rounded, 0, axis)
    return pixels


def _nearest(size: int, to: int) -> list[int]:
    at, found = size / to * 0.5, []
    for _ in range(to):
        found.append(min(size - 1, int(at)))
        at += size / to
    return found


def pictures() -> dict[str, np.ndarray]:
    """What is resized: gradients and noise, in colour and gray, wide, tall, tiny."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:18, 0:24]
    return {
        "noise": random.integers(0, 256, (17, 23, 3), dtype=np.uint8),
        "edges": (255 * ((x // 5 + y // 4) % 2))[..., None].repeat(3, 2).astype(np.uint8),
        "gradient": np.stack([x * 10, y * 14, 255 - x * 5 - y * 6], -1).astype(np.uint8),
        "gray": random.integers(0, 256, (31, 9, 1), dtype=np.uint8),
        "row": random.integers(0, 256, (1, 13, 3), dtype=np.uint8),
        "dot": np.array([[[200, 100, 50]]], dtype=np.uint8),
    }


def cases() -> list[tuple[str, list[dict[str, Any]]]]:
    """(picture, steps of a signature)."""

    def step(op: str, width: int, height: int, resample: str = "bilinear", pad: str = "zeros") -> dict[str, Any]:
        return {"op": op, "width": width, "height": height, "resample": resample, "pad": pad}

    found: list[tuple[str, list[dict[str, Any]]]] = []
    for resample in ("nearest", *FILTERS):
        for picture, width, height in (("noise", 8, 6), ("noise", 21, 6), ("edges", 30, 7), ("gray", 16, 16)):
            found.append((picture, [step("squish_resize", width, height, resample)]))
    found += [(name, [step("crop_resize", 12, 12)]) for name in ("noise", "gray", "row", "dot")]
    found += [("gradient", [step("crop_resize", 10, 14, "bicubic")])]
    for pad in ("zeros", "border", "reflection"):
        found += [(name, [step("pad_resize", 12, 12, pad=pad)]) for name in ("noise", "gray", "row")]
        found += [(name, [step("center_crop", 20, 20, pad=pad)]) for name in ("noise", "gray", "row")]
    found += [("noise", [step("squish_resize", 20, 20), step("center_crop", 12, 12)])]
    found += [("gradient", [step("exact_size", 24, 18)])]
    return found


def expected(pixels: np.ndarray, steps: list[dict[str, Any]]) -> np.ndarray:
    """What app/python/predict.py makes of decoded pixels, with this file's resize in the place of Pillow's."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    kept, predict._resize = predict._resize, _resized
    try:
        for step in steps:
            image = predict._STEPS[step["op"]](image, step)
    finally:
        predict._resize = kept
    return np.asarray(image).reshape(image.height, image.width, -1)


def _resized(image: Image.Image, step: dict[str, Any]) -> Image.Image:
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    made = resize(pixels, step["width"], step["height"], step["resample"])
    return Image.fromarray(made[..., 0] if made.shape[2] == 1 else made)


def document() -> dict[str, Any]:
    """What resize.json holds."""

    def plain(pixels: np.ndarray) -> dict[str, Any]:
        height, width, channels = pixels.shape
        data = base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode()
        return {"width": width, "height": height, "channels": channels, "data": data}

    sources = pictures()
    return {
        "about": "Golden vectors of docs/resize.md: data is base64 of bytes, row by row, channels together. "
        "expected is what the steps make of the picture; a right implementation is within one level everywhere.",
        "pictures": {name: plain(pixels) for name, pixels in sources.items()},
        "cases": [
            {"picture": name, "steps": steps, "expected": plain(expected(sources[name], steps))}
            for name, steps in cases()
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
