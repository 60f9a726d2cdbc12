"""How a Learner opens a picture file: found out by showing its own opening code test pictures."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nbdeploy.core.signature import Ranges
from nbdeploy.errors import ExportError, NbdeployWarning, UnsupportedTransform
from nbdeploy.exporting.pipeline import name_of
from nbdeploy.templates.python.predict import decode

_INTEGERS = [(0, white) for white in (255, 1023, 4095, 16383, 65535)]
_FLOATS = [(0, 1), (0, 255), (0, 65535), (-1, 1)]
"""What opening code of one's own may scale by."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How the Learner opens a file: number of channels, whether it heeds EXIF, what it does to more than 8 bits."""

    channels: int
    exif: bool
    ranges: Ranges


def opening_of(dls: Any) -> Opening:
    """Show the Learner's own opening code test pictures and see what comes out. Raises UnsupportedTransform."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.jpg"
        _write_turned(path)
        seen = opened_by(dls, path)
        channels = {"RGB": 3, "L": 1}.get(seen.mode, 0)
        for exif in (False, True):
            if channels and _same(seen, path, channels, exif=exif):
                return Opening(channels, exif, _ranges(dls, Path(folder), channels))
    names = ", ".join(name_of(tfm) for tfm in dls.valid_ds.tls[0].tfms.fs)
    raise UnsupportedTransform(
        f"The pictures are opened in a way that an app cannot repeat ({names}; mode {seen.mode}, size {seen.size}).",
        hint="Use ImageBlock (RGB) or ImageBlock(cls=PILImageBW); do other changes beforehand, on the files.",
    )


def opened_by(dls: Any, path: Path) -> Any:
    """The picture that the Learner's type transforms make of a file, before any resize. Raises ExportError."""
    from fastai.data.core import test_set  # noqa: PLC0415 - fastai is slow to import

    dataset = getattr(dls, "valid_ds", None)
    if not getattr(dataset, "tls", None):
        raise ExportError(
            "The data of this Learner was not made with fastai's data blocks, so how it opens a file is not known.",
            hint="Use ImageDataLoaders or DataBlock, or set learn.dls to DataLoaders made with them.",
        )
    for item in (path, str(path), path.read_bytes()):  # what a test item may be depends on how the dls was made
        try:
            return test_set(dataset, [item])[0][0]
        except (AssertionError, TypeError):
            continue
    raise ExportError("The data of this Learner does not take a picture file.", hint="Train on files of pictures.")


def turned_by(dls: Any) -> set[str]:
    """The paths of the files that the Learner sees turned by a decision, as no app would: not raw any more."""
    return {path for opener in _own_openers(dls) for path in opener.turns}


def _own_openers(dls: Any) -> list[Any]:
    from nbdeploy.training.opening import OpenPicture  # noqa: PLC0415 - fastai is slow to import

    return [tfm for tfm in dls.valid_ds.tls[0].tfms.fs if isinstance(tfm, OpenPicture)]


def _ranges(dls: Any, folder: Path, channels: int) -> Ranges:
    """What the Learner does to pictures of 16 bits and of floats."""
    own = [opener.ranges for opener in _own_openers(dls)]
    steps = np.concatenate([np.arange(320), np.linspace(320, 4096, 320), np.linspace(4096, 65535, 320)])
    whole = steps.reshape(24, 40)
    parts = np.concatenate([np.linspace(-1.5, 1.5, 480), np.linspace(1.5, 300, 240), np.linspace(300, 70000, 240)])
    probes: dict[str, tuple[str, np.ndarray, Any, Any]] = {
        "integers": ("probe.png", whole.astype(np.uint16), [one.integers for one in own if one.integers], _INTEGERS),
        "floats": (
            "probe.tif",
            parts.reshape(24, 40).astype(np.float32),
            [one.floats for one in own if one.floats],
            _FLOATS,
        ),
    }
    found: dict[str, tuple[float, float] | None] = {}
    for kind, (name, pixels, known, usual) in probes.items():
        Image.fromarray(pixels).save(folder / name)
        found[kind] = _span(dls, folder / name, channels, kind, (None, *known, *usual))
    return Ranges(**found)


def _span(
    dls: Any, path: Path, channels: int, kind: str, spans: Iterable[tuple[float, float] | None]
) -> tuple[float, float] | None:
    try:
        seen = opened_by(dls, path)
    except Exception:  # noqa: BLE001 - code of one's own that takes no such picture never saw one
        return None
    for span in spans:
        if _same(seen, path, channels, exif=False, ranges={kind: None if span is None else list(span)}):
            return span
    what = "with 16 bits" if kind == "integers" else "with float pixels"
    warnings.warn(
        f"The Learner opens pictures {what} in a way that an app cannot repeat: the app clips them to 0..255.",
        NbdeployWarning,
        stacklevel=5,
    )
    return None


def _same(seen: Any, path: Path, channels: int, **how: Any) -> bool:
    return np.array_equal(np.asarray(seen), np.asarray(decode(path, channels=channels, **{"exif": False, **how})))


def _write_turned(path: Path) -> None:
    # Asymmetric and coloured, so that turned, mirrored, gray and swapped channels all show.
    y, x = np.mgrid[0:24, 0:40]
    pixels = np.stack([x * 6, y * 10, 255 - x * 3 - y * 5], axis=-1).astype(np.uint8)
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = 6  # Orientation: turn a quarter clockwise (EXIF 2.3, table 4)
    picture.save(path, quality=95, exif=exif)
