"""How `train` opens a picture: by the code that goes into bundles, so that both see the same; a bad file is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from fastai.data.transforms import Transform
from fastai.vision.core import PILImage
from numpy import ndarray
from PIL import Image
from torch import Tensor

from nbdeploy.core.signature import Ranges
from nbdeploy.data.copying import TURNS
from nbdeploy.data.records import ImageFile
from nbdeploy.data.scan import read_picture
from nbdeploy.templates.python.predict import decode

_WHITES = (255, 1023, 4095, 16383, 65535)
"""The largest values of pictures with 8, 10, 12, 14 and 16 bits: sensors of 12 bits are often stored in 16."""
_FLOAT_WHITES = (1.0, 255.0, 65535.0)
_BAD = re.compile(r'("(?:[^"\\\n]|\\.)*") cannot be read as a picture: (.*)')


class BadPicture(OSError):
    """A picture that could not be opened. Its text names the file also where it comes out of another process."""


class OpenPicture(Transform):  # type: ignore[misc]
    """A file or its bytes to an RGB picture: turned as its EXIF says, more than 8 bits scaled by `ranges`.

    `turns` maps the paths of files that a decision turns to degrees clockwise. Raises BadPicture.
    """

    input_types = (Path, str, Tensor, ndarray, bytes, Image.Image)
    """What fastai lets a test item be, as for its own ``PILImage.create``."""

    def __init__(self, ranges: Ranges, turns: Mapping[str, int]) -> None:
        super().__init__()
        self.ranges, self.turns = ranges, dict(turns)
        self._spans = ranges.to_dict()

    def encodes(self, fn: Path | str | Tensor | ndarray | bytes | Image.Image):  # type: ignore[no-untyped-def] # noqa: ANN201 - fastcore would cast to what is named here
        if not isinstance(fn, str | Path | bytes):
            return PILImage.create(fn)  # pixels already
        try:
            picture = decode(fn, channels=3, exif=True, ranges=self._spans)
        except (OSError, ValueError, SyntaxError) as error:  # what `decode` raises on purpose
            raise BadPicture(_sentence(fn, error)) from error
        turn = 0 if isinstance(fn, bytes) else self.turns.get(str(fn), 0)
        return PILImage(picture.transpose(TURNS[turn]) if turn else picture)


class NoLabel(Transform):  # type: ignore[misc]
    """Stands where labels are made, for pictures that have none of the model's: any of its labels, and no truth."""

    def __init__(self, any_label: str) -> None:
        super().__init__()
        self.any_label = any_label

    def encodes(self, _: object):  # type: ignore[no-untyped-def] # noqa: ANN201 - as above
        return self.any_label


def opener(files: Iterable[ImageFile]) -> OpenPicture:
    """What opens `files`, and every picture that the Learner is asked about later."""
    files = tuple(files)
    return OpenPicture(ranges_of(files), {str(file.path): file.turn for file in files if file.turn})


def ranges_of(files: Iterable[ImageFile]) -> Ranges:
    """What becomes 0 and 255 in pictures of more than 8 bits: one rule for a whole model.

    Integers: 0 and the smallest of 255, 1023, 4095, 16383 and 65535 that no picture exceeds. Floats: 0 and 1, 255 or
    65535; with values below 0, -1 and 1. What fits none of these: the lowest and the highest value of all pictures.
    """
    spans = [(file.notes, file.span) for file in files if file.span]
    integers = [span for notes, span in spans if "sixteen_bit" in notes]
    floats = [span for notes, span in spans if "float_pixels" in notes]
    return Ranges(
        integers=_range(integers, [(0, white) for white in _WHITES]) or (0, _WHITES[-1]),
        floats=_range(floats, [*((0.0, white) for white in _FLOAT_WHITES), (-1.0, 1.0)]) or (0.0, 1.0),
    )


def _range(spans: list[tuple[float, float]], usual: list[tuple[float, float]]) -> tuple[float, float] | None:
    if not spans:
        return None
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    fitting = (one for one in usual if one[0] <= low and high <= one[1])
    return next(fitting, (low, high if high > low else low + 1))


def bad_picture(error: BaseException) -> tuple[str, str] | None:
    """The path and the reason that a BadPicture names, also one that came out of a worker; None for another error."""
    found = _BAD.search(str(error)) if isinstance(error, BadPicture) else None
    return (json.loads(found[1]), found[2]) if found else None


def _sentence(fn: str | Path | bytes, error: Exception) -> str:
    if isinstance(fn, bytes):
        return f'"(bytes)" cannot be read as a picture: {error}'
    found = read_picture(Path(fn))
    why = found if isinstance(found, str) else f"{type(error).__name__}: {error}"
    return f"{json.dumps(str(fn))} cannot be read as a picture: {' '.join(why.split())}"
