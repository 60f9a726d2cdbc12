"""Pictures of any mode as ones of 8 bits that can be looked at and measured."""

from __future__ import annotations

import numpy as np
from PIL import Image

_GROUND = (128, 128, 128, 255)


def plain(image: Image.Image) -> Image.Image:
    """Values of 16 bits and of floats stretched over 0..255 (L), transparency laid on grey (RGB); else as it is."""
    if image.mode in {"F", "I"} or image.mode.startswith("I;"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(((values - low) * (255 / max(high - low, 1e-6))).astype(np.uint8))
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        pixels = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", pixels.size, _GROUND), pixels).convert("RGB")
    return image
