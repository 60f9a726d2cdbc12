"""Made-up pictures, rows and texts: samples of a bundle that shows nobody's own."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from nbdeploy.core.inputs import NUMBER, Rows, Words, row_bytes, text_bytes
from nbdeploy.core.signature import Signature

_FEW_WORDS = 6
_MISSING = 0.2  # of the values of a made-up row


def made_up(signature: Signature, random: np.random.Generator) -> tuple[str, bytes]:
    """The ending and the content of a file that the model takes."""
    if isinstance(signature.given, Rows):
        return ".json", row_bytes(_row(signature.given, random))
    if isinstance(signature.given, Words):
        words = [token[1:-1] for token in signature.given.vocabulary if token[:1] == "<" and token[-1:] == ">"]
        whole = [word for word in words if word.isalpha()] or list(signature.given.vocabulary)
        picked = random.choice(len(whole), min(_FEW_WORDS, len(whole)), replace=False)
        return ".txt", text_bytes(" ".join(whole[at] for at in sorted(picked.tolist())))
    return ".png", _patch(signature, random)


def _row(rows: Rows, random: np.random.Generator) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in rows.columns:
        if random.random() < _MISSING:
            row[column.name] = None
        elif column.kind == NUMBER:
            row[column.name] = round(float(random.normal()), 3)
        else:
            row[column.name] = str(random.choice(column.categories)) if column.categories else None
    return row


def _patch(signature: Signature, random: np.random.Generator) -> bytes:
    """Smooth patches of colour, as PNG."""
    from PIL import Image  # noqa: PLC0415

    patch = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    size = (signature.width, signature.height)
    Image.fromarray(patch).resize(size, Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()
