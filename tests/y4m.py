"""A film of pictures for Chromium's fake camera: YUV4MPEG2, which needs no encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def write_film(file: Path, pictures: Sequence[Image.Image], *, frames_each: int = 8, rate: int = 8) -> Path:
    """Show each of `pictures` (RGB, all of one even size) for `frames_each` frames, `rate` a second, over and over."""
    width, height = pictures[0].size
    with file.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for picture in pictures:
            y, cb, cr = (np.asarray(plane, dtype=np.float64) for plane in picture.convert("YCbCr").split())
            # Pillow's YCbCr uses all of 0..255; a camera's luma 16..235 and its colours 16..240.
            luma = np.rint(16 + y * 219 / 255).astype(np.uint8)
            colours = [
                np.rint(128 + (c.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) - 128) * 224 / 255)
                for c in (cb, cr)
            ]
            frame = luma.tobytes() + b"".join(c.astype(np.uint8).tobytes() for c in colours)
            for _ in range(frames_each):
                out.write(b"FRAME\n" + frame)
    return file
