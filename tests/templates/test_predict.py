"""The host code of bundles: strange pictures, and the geometry of each step against fastai's own."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nbdeploy.core.signature import Step
from nbdeploy.templates.python import predict


def _host(*steps: Step, exif: bool = False) -> dict[str, Any]:
    return {"exif": exif, "steps": [asdict(step) for step in steps]}


def _file(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def _noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = {"RGB": 3, "RGBA": 4, "CMYK": 4, "L": 1}[mode]
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), pixels.tobytes())


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    to=st.tuples(st.integers(4, 60), st.integers(4, 60)),
    method=st.sampled_from(["crop", "squish", "pad"]),
    pad=st.sampled_from(["zeros", "border", "reflection"]),
)
def test_every_resize_is_fastais_own_pixel_for_pixel(
    width: int, height: int, to: tuple[int, int], method: str, pad: str
) -> None:
    from fastai.vision.augment import Resize
    from fastai.vision.core import PILImage

    image = _noise(width, height)
    try:
        theirs = np.asarray(Resize(to, method, pad_mode=pad)(PILImage.create(np.asarray(image)), split_idx=1))
    except ValueError:  # a region of no pixels: fastai itself cannot
        return
    step = Step(op=f"{method}_resize", width=to[1], height=to[0], pad=pad)
    ours = predict.preprocess(_file(image), _host(step), channels=3)
    assert np.array_equal(theirs, ours[0])


STEP = Step(op="crop_resize", width=32, height=32)


@pytest.mark.parametrize(
    "data",
    [
        _file(_noise(50, 40, "CMYK"), "JPEG"),
        _file(_noise(50, 40, "RGBA")),
        _file(_noise(50, 40).convert("P"), "GIF", save_all=True, append_images=[_noise(50, 40).convert("P")]),
        _file(Image.fromarray(np.arange(2000, dtype=np.uint16).reshape(40, 50) * 30)),
        _file(_noise(2, 2)),
        _file(_noise(1, 300)),
        _file(_noise(50, 40).convert("1")),
    ],
    ids=["cmyk", "alpha", "animated", "sixteen_bit", "two_pixels", "a_line", "bilevel"],
)
def test_strange_pictures_are_opened_as_fastai_opens_them(data: bytes, tmp_path: Path) -> None:
    from fastai.vision.augment import Resize
    from fastai.vision.core import PILImage

    (tmp_path / "x").write_bytes(data)
    theirs = np.asarray(Resize(32)(PILImage.create(tmp_path / "x"), split_idx=1))
    assert np.array_equal(theirs, predict.preprocess(data, _host(STEP), channels=3)[0])


def test_the_exif_turn_is_made_only_when_the_signature_says_so() -> None:
    image = _noise(60, 20)
    exif = image.getexif()
    exif[0x0112] = 6
    data = _file(image, "PNG", exif=exif)
    exact = Step(op="exact_size", width=20, height=60)
    assert (1, 60, 20, 3) == predict.preprocess(data, _host(exact, exif=True), channels=3).shape
    with pytest.raises(ValueError, match="takes only 20 x 60"):
        predict.preprocess(data, _host(exact), channels=3)


@pytest.mark.parametrize("data", [b"", b"not a picture", _file(_noise(80, 80), "JPEG")[:300]])
def test_what_is_no_picture_raises_what_callers_expect(data: bytes) -> None:
    with pytest.raises((OSError, ValueError)):
        predict.preprocess(data, _host(STEP), channels=3)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "MAX_PIXELS", 100)
    with pytest.raises(ValueError, match="pixels, more than"):
        predict.preprocess(_file(_noise(11, 10)), _host(STEP), channels=3)


def test_gray_models_get_one_channel() -> None:
    assert (1, 32, 32, 1) == predict.preprocess(_file(_noise(50, 40)), _host(STEP), channels=1).shape
