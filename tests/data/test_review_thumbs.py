"""Thumbnails: small, upright where it was decided, bounded in memory, and never an error."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nbdeploy.data.review.thumbs import LARGE, SIDE, Thumbs, picture


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_photo_is_brought_down_and_a_small_picture_is_sent_without_loss(tmp_path):
    photo, small = tmp_path / "photo.jpg", tmp_path / "small.png"
    Image.effect_mandelbrot((900, 600), (-2, -1, 1, 1), 60).save(photo)
    pixels = np.arange(1200, dtype=np.uint8).reshape(30, 40)
    Image.fromarray(pixels).save(small)
    shown = picture(photo, SIDE)
    assert (SIDE, SIDE * 2 // 3) == opened(shown.data).size
    assert "JPEG" == opened(shown.data).format
    assert np.array_equal(pixels, np.asarray(opened(picture(small, SIDE).data)))
    assert (900, 600) == opened(picture(photo, LARGE).data).size


def test_a_picture_stands_upright_as_its_exif_says(tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), (200, 10, 10)).save(path, exif=exif)
    assert (40, 80) == opened(picture(path, SIDE).data).size


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F", "YCbCr"])
def test_every_kind_of_pixels_can_be_shown(tmp_path, mode):
    path = tmp_path / "a.tif"
    Image.new("L", (70, 70), 100).convert("I" if mode == "I;16" else mode).save(path)
    shown = picture(path, SIDE)
    assert "" == shown.problem
    assert opened(shown.data).mode in {"L", "RGB"}


def test_a_file_that_is_gone_or_broken_is_a_reason_and_no_error(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    assert "no such file" == picture(tmp_path / "gone.png", SIDE).problem
    assert "empty file (0 bytes)" == picture(empty, SIDE).problem
    assert picture(broken, SIDE).problem
    assert b"" == picture(broken, SIDE).data


def test_thumbnails_are_kept_while_there_is_room(tmp_path, monkeypatch):
    for number in range(6):
        Image.effect_noise((60, 60), 90).save(tmp_path / f"{number}.png")
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    length = len(picture(paths[0], SIDE).data)
    thumbs = Thumbs(room=4 * length)
    first = thumbs.many(paths)
    assert all(one.data for one in first)
    assert 4 * length >= thumbs._held
    assert 2 <= len(thumbs._kept) < 6
    monkeypatch.setattr("nbdeploy.data.review.thumbs.picture", lambda *_, **__: pytest.fail("it is kept"))
    assert first[-1:] == thumbs.many([paths[-1]])


def test_a_file_that_is_mended_is_looked_at_again(tmp_path):
    thumbs = Thumbs()
    path = tmp_path / "late.png"
    assert "no such file" == thumbs.many([path])[0].problem
    Image.new("L", (20, 20)).save(path)
    before = thumbs.many([path])[0].data
    assert before
    Image.new("L", (30, 20)).save(path)
    assert before != thumbs.many([path])[0].data
