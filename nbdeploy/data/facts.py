"""What one read and one decode of a picture tell about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nbdeploy.data.plain import plain
from nbdeploy.data.scan import Reading, Refused, examine

VERSION = 2
"""Of what is measured. Another version's facts are measured anew."""
SIDE = 256
"""The longer side, in pixels, at which pictures are measured; smaller ones are measured as they are."""
SIGNATURE = 32
"""Side of the signature."""
SMALL = 64
"""Up to this longer side, in pixels, a picture is small: its strokes are a few pixels wide, and soft by themselves."""
_BLOCK = 8
_SATURATED = 250
_FLAT = 20  # percentile of the blocks: noise is everywhere, texture is not
_STEEP = 0.98  # of the steps between neighbours: the edges
_SIGMA = 1.2533 / 6  # of the mean absolute answer of the noise filter, for Gaussian noise (Immerkaer 1996)
_SMALLEST = 10  # sides in pixels below which nothing is measured


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one file's bytes. `refused` is a kind of finding and its reason, and nothing else holds then."""

    sha256: str
    refused: tuple[str, str] = ("", "")
    format: str = ""
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    measured: bool = False
    """Whether the picture is large enough for the figures below."""
    sharpness: float = 0.0
    """Variance of the Laplacian / (variance + 1), of grey values 0..255."""
    least: float = 0.0
    """The same of the second difference along the direction in which it is least: motion blurs one direction."""
    steep: float = 0.0
    """Of small pictures, the step to the next pixel that 98 % do not exceed, as a share of `span`."""
    noise: float = 0.0
    """Standard deviation of the noise in the flattest parts, in grey values."""
    roughest: float = 0.0
    """The same measure in the roughest 8 x 8 pixels, where texture counts too."""
    saturated: float = 0.0
    """Share of pixels of 250 and above."""
    mean: float = 0.0
    """Mean grey value."""
    bright: float = 0.0
    """The grey value that 99 % of the pixels do not exceed."""
    span: float = 0.0
    """Grey values between the darkest and the brightest percentile."""
    signature: bytes = b""
    """32 x 32 mean grey values, one byte each; empty for a refused file."""

    def dumps(self) -> str:
        """JSON, without the signature."""
        return json.dumps({key: getattr(self, key) for key in self.__slots__ if key != "signature"})

    @classmethod
    def loads(cls, text: str, signature: bytes) -> Facts:
        """Read what `dumps` wrote."""
        raw: dict[str, Any] = json.loads(text)
        raw.update({key: tuple(raw[key]) for key in ("refused", "size", "notes")})
        return cls(**raw, signature=signature)


Measure = Callable[[Sequence[Path]], Iterator[Facts]]
"""What an engine gives: the Facts of every path, in order; closing the iterator ends the work."""


def facts_of(path: Path) -> Facts:
    """The Facts of the file at `path`. Whatever is wrong with it stands in them; nothing is raised."""
    found = examine(path, _look, draft=_enough, mode="L")
    if isinstance(found, Refused):
        return Facts(found.sha256, (found.kind, found.reason))
    return found


def _enough(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _look(image: Image.Image, reading: Reading) -> Facts:
    facts = Facts(reading.sha256, format=reading.format, size=reading.size, notes=reading.notes)
    grey = _grey(image)
    size = _enough(grey.size)
    if size != grey.size:
        grey = grey.resize(size, Image.Resampling.BOX)
    # Boxes that are smaller than a pixel would repeat pixels.
    how = Image.Resampling.BOX if min(grey.size) >= SIGNATURE else Image.Resampling.BILINEAR
    facts = replace(facts, signature=grey.resize((SIGNATURE, SIGNATURE), how).tobytes())
    if min(size) < _SMALLEST:
        return facts
    return replace(facts, measured=True, **_figures(np.asarray(grey), np.array(grey.histogram())))


def _grey(image: Image.Image) -> Image.Image:
    """8-bit grey."""
    seen = plain(image)
    return seen if seen.mode == "L" else seen.convert("L")


def _figures(grey: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    share = counts.cumsum() / grey.size
    low, high = (int(np.searchsorted(share, at)) for at in (0.01, 0.99))
    values = np.arange(256)
    mean = float(counts @ values) / grey.size
    variance = float(counts @ (values - mean) ** 2) / grey.size
    pixels = grey.astype(np.int16)
    twice = pixels[1:-1, 1:-1] * 2
    across = pixels[1:-1, 2:] + pixels[1:-1, :-2]
    down = pixels[2:, 1:-1] + pixels[:-2, 1:-1]
    falling = pixels[2:, 2:] + pixels[:-2, :-2]
    rising = pixels[2:, :-2] + pixels[:-2, 2:]
    for second in (across, down, falling, rising):
        np.subtract(second, twice, out=second)  # in place: a fresh array costs more than the difference
    # The steps of the diagonals are longer by the root of two.
    least = min(_power(across), _power(down), _power(falling) / 2, _power(rising) / 2)
    laplacian, corners = across, falling
    laplacian += down
    corners += rising
    corners -= laplacian
    corners -= laplacian
    return {
        "sharpness": _power(laplacian) / (variance + 1),
        "steep": _steep(pixels) / (high - low + 1) if max(grey.shape) <= SMALL else 0.0,
        "least": least / (variance + 1),
        **_roughness(corners),
        "saturated": float(counts[_SATURATED:].sum()) / grey.size,
        "mean": mean,
        "bright": float(high),
        "span": float(high - low),
    }


def _power(values: np.ndarray) -> float:
    flat = values.ravel().astype(np.float32)  # whose mean is next to nothing: steps up and down end at the borders
    return float(flat @ flat) / flat.size


def _steep(pixels: np.ndarray) -> float:
    across, down = np.abs(np.diff(pixels, axis=1)), np.abs(np.diff(pixels, axis=0))
    return float(np.quantile(np.concatenate([across.ravel(), down.ravel()]), _STEEP))


def _roughness(answers: np.ndarray) -> dict[str, float]:
    height, width = (side // _BLOCK * _BLOCK for side in answers.shape)
    if not height or not width:
        return {}
    # Eight answers of at most 2,040 fit 16 bits, and numpy adds those fastest.
    rows = np.abs(answers[:height, :width]).reshape(height // _BLOCK, _BLOCK, width).sum(1, dtype=np.int16)
    blocks = rows.reshape(-1, _BLOCK).sum(1, dtype=np.int32) / _BLOCK**2
    at = len(blocks) * _FLAT // 100
    return {"noise": float(np.partition(blocks, at)[at]) * _SIGMA, "roughest": float(blocks.max()) * _SIGMA}
