"""The embedded data set: scikit-learn's 1,797 handwritten digits as pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core.progress import track
from nbdeploy.errors import DataError, MissingExtra

if TYPE_CHECKING:
    from nbdeploy.data.cards import Card

SIDE = 32
"""Width and height of the pictures in pixels; the originals have 8."""
_INK = 16  # the largest value of the originals, which count inked pixels of a 4 x 4 block


def write_digits(card: Card, folder: Path) -> int:
    """Write ``LABEL/NUMBER.png`` (grey, 32 x 32; the number is the digit's place in the original set).

    Returns the number of pictures. Raises DataError when the installed digits are not those of the card.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - slow to import
    except ModuleNotFoundError as error:
        raise MissingExtra("The data set digits", "scikit-learn", "") from error
    from PIL import Image  # noqa: PLC0415 - not needed to look at cards

    digits = load_digits()
    labels, values = digits.target.astype("uint8"), digits.images.astype("uint8")
    # The PNG files depend on the compressor's version; labels and original values do not.
    checksum = "sha256:" + hashlib.sha256(labels.tobytes() + values.tobytes()).hexdigest()
    if checksum != card.checksum:
        raise DataError(
            f"scikit-learn's digits are not those of the card ({checksum}).",
            hint="Install scikit-learn as constraints.txt says.",
        )
    grey = (values.astype("float32") * (255 / _INK)).round().astype("uint8")
    for label in sorted(set(labels.tolist())):
        (folder / str(label)).mkdir()
    for number, (label, picture) in enumerate(track(zip(labels, grey, strict=True), "writing digits", total=len(grey))):
        big = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        big.save(folder / str(label) / f"{number:04d}.png")
    return len(grey)
