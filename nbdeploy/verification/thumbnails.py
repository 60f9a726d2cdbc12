"""Small previews of pictures that may be anything at all."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def thumbnail(source: str | Path | bytes, size: int = 160, *, exif: bool = False) -> bytes:
    """A JPEG of the picture that fits `size` x `size` px; a neutral placeholder if it cannot be read. Never raises.

    `source` is a path or the file's bytes. `exif` turns the picture as its EXIF orientation says, which is right only
    where the model sees it turned too. Pictures far smaller than `size` are enlarged without smoothing, so that the
    pixels the model sees can be told apart.
    """
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a report needs it

    try:
        with warnings.catch_warnings():
            # Pillow only warns of a picture that unpacks to gigabytes.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
                opened.draft("RGB", (size, size))
                picture: Picture = ImageOps.exif_transpose(opened) if exif else opened
                picture = _to_rgb(picture)
        factor = size // max(picture.size)
        if factor > 1:
            picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
        else:
            picture.thumbnail((size, size))
        return _jpeg(picture)
    except Exception:  # noqa: BLE001 - Pillow's plugins raise anything; a preview must not stop a report
        return _jpeg(_placeholder(size))


def _to_rgb(picture: Picture) -> Picture:
    from PIL import Image  # noqa: PLC0415 - only a report needs it

    if picture.mode.startswith(("I", "F")):
        # 16-bit and float pixels would clip to white: stretch what is there over 0..255.
        floats = picture.convert("F")
        ends = floats.getextrema()
        low, high = (float(end) for end in ends if isinstance(end, float | int))
        scale = 255.0 / max(high - low, 1e-9)
        return floats.point(lambda v: v * scale - low * scale).convert("L").convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return picture.convert("RGB")


def _placeholder(size: int) -> Picture:
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only a report needs it

    blank = Image.new("RGB", (size, size), (184, 189, 196))
    draw = ImageDraw.Draw(blank)
    draw.line((0, 0, size, size), fill=(150, 156, 164), width=2)
    draw.line((0, size, size, 0), fill=(150, 156, 164), width=2)
    return blank


def _jpeg(picture: Picture) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()
