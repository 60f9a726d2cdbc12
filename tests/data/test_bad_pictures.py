"""Every kind of bad or odd picture: set aside or named, never a crash."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbdeploy.data import scan
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, NbdeployWarning


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8))


def saved(kind: str, image: Image.Image | None = None, **options) -> bytes:
    data = io.BytesIO()
    (image or noise()).save(data, kind, **options)
    return data.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


BROKEN = {
    "empty.jpg": (b"", "empty file"),
    "cut.jpg": (saved("JPEG")[:-200], "cut short"),
    "half.jpg": (saved("JPEG")[: len(saved("JPEG")) // 2], "cut short"),
    "cut.png": (saved("PNG")[:-2000], "cut short"),
    "cut.gif": (saved("GIF")[:-500], ""),
    "cut.webp": (saved("WEBP")[:-300], ""),
    "cut.tif": (saved("TIFF")[:-300], ""),
    "text.jpg": (b"I am no picture\n" * 50, "text, not a picture"),
    "page.jpg": (b"<!DOCTYPE html><html>404</html>", "a web page"),
    "bytes.png": (bytes(range(256)) * 8, "not a picture"),
    "header-only.jpg": (saved("JPEG")[:20], ""),
    "phone.heic": (b"\0\0\0\x18ftypheic" + b"\0" * 100, "HEIC"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "program.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    "bomb.png": (bomb(), "too many pixels"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_sets_a_broken_file_aside_with_the_reason(make_folder, name):
    content, reason = BROKEN[name]
    root = make_folder({"a": 3, "b": 3})
    (root / "a" / name).write_bytes(content)
    with pytest.warns(NbdeployWarning, match="1 file set aside") as caught:
        images = ImageSet.from_folder(root)
    assert 1 == len(caught)
    assert 6 == len(images)
    assert [root / "a" / name] == [one.path for one in images.set_aside]
    assert reason in images.set_aside[0].reason
    assert name in str(caught[0].message)


def test_names_three_of_many_broken_files_in_one_warning(make_folder):
    root = make_folder({"a": 3, "b": 3})
    for number in range(10):
        (root / "a" / f"bad{number}.jpg").write_bytes(b"")
    with pytest.warns(NbdeployWarning, match=r"10 files set aside: .*bad0.*bad1.*bad2.* and 7 more") as caught:
        ImageSet.from_folder(root)
    assert 1 == len(caught)


def test_a_class_of_broken_files_only_is_no_class(make_folder):
    root = make_folder({"a": 3, "b": 3})
    (root / "c").mkdir()
    (root / "c" / "x.jpg").write_bytes(b"")
    with pytest.warns(NbdeployWarning) as caught:
        images = ImageSet.from_folder(root)
    assert ("a", "b") == images.labels
    assert any("1 class without a readable picture left out: c" in str(one.message) for one in caught)


def test_says_when_no_file_can_be_read(make_folder):
    root = make_folder({"a": 2, "b": 2})
    for file in root.glob("*/*.png"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="None of 4 pictures"):
        ImageSet.from_folder(root)


def test_sets_a_broken_link_aside(make_folder):
    root = make_folder({"a": 2, "b": 2})
    (root / "a" / "gone.png").symlink_to(root / "nowhere.png")
    with pytest.warns(NbdeployWarning, match="no such file"):
        assert 4 == len(ImageSet.from_folder(root))


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("JPEG", exif=exif)


ODD = {
    "cmyk.jpg": (saved("JPEG", noise().convert("CMYK")), "cmyk", "in CMYK"),
    "deep.png": (
        saved("PNG", Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20) * 100)),
        "sixteen_bit",
        "16 bits",
    ),
    "float.tif": (saved("TIFF", noise().convert("F")), "float_pixels", "float pixels"),
    "film.gif": (saved("GIF", save_all=True, append_images=[noise(64, 48).rotate(90)]), "animated", "several frames"),
    "film.webp": (saved("WEBP", save_all=True, append_images=[noise().rotate(90)]), "animated", "several frames"),
    "turned.jpg": (rotated(), "exif_rotated", "turned only by EXIF"),
    "small.png": (saved("PNG", noise(2, 2)), "tiny", "below 8 pixels"),
}


@pytest.mark.parametrize("name", ODD)
def test_takes_an_odd_picture_and_names_it(make_folder, name):
    content, note, says = ODD[name]
    root = make_folder({"a": 3, "b": 3})
    (root / "a" / name).write_bytes(content)
    with pytest.warns(NbdeployWarning, match=rf"1 picture .*{says}.*a/{name}"):
        images = ImageSet.from_folder(root)
    assert 7 == len(images)
    assert note in next(file.notes for file in images if file.path.name == name)


@pytest.mark.parametrize(("mode", "note"), [("RGBA", "alpha"), ("LA", "alpha"), ("P", "palette")])
def test_notes_alpha_and_palette_without_a_warning(make_folder, mode, note):
    root = make_folder({"a": 3, "b": 3})
    noise().convert(mode).save(root / "a" / "odd.png")
    images = ImageSet.from_folder(root)
    assert (note,) == next(file.notes for file in images if file.path.name == "odd.png")


def test_takes_a_photo_with_a_second_view(make_folder):
    root = make_folder({"a": 3, "b": 3})
    noise().save(root / "a" / "phone.jpg", "MPO", save_all=True, append_images=[noise()])
    assert () == next(file.notes for file in ImageSet.from_folder(root) if file.path.name == "phone.jpg")


def test_size_is_that_of_the_file_although_it_is_decoded_smaller(tmp_path):
    noise(640, 480).save(tmp_path / "x.jpg")
    found = scan.read_picture(tmp_path / "x.jpg")
    assert isinstance(found, scan.Reading)
    assert (640, 480) == found.size


def test_refuses_just_above_the_limit_of_pixels(tmp_path, monkeypatch):
    noise(64, 48).save(tmp_path / "x.png")
    monkeypatch.setattr(scan, "MAX_PIXELS", 64 * 48)
    assert isinstance(scan.read_picture(tmp_path / "x.png"), scan.Reading)
    monkeypatch.setattr(scan, "MAX_PIXELS", 64 * 48 - 1)
    assert "too many pixels (64 x 48" in scan.read_picture(tmp_path / "x.png")


def test_every_length_of_a_cut_jpeg_is_noticed(tmp_path):
    whole = saved("JPEG")
    for length in range(0, len(whole) - 8, len(whole) // 40):
        (tmp_path / "x.jpg").write_bytes(whole[:length])
        assert isinstance(scan.read_picture(tmp_path / "x.jpg"), str)


def test_reads_only_a_little_ahead_and_stops_when_closed(tmp_path):
    asked = []

    def paths():
        for number in range(100_000):
            asked.append(number)
            yield Path(tmp_path / "none.png")

    readings = scan.read_all(paths())
    assert "no such file" == next(readings)
    readings.close()
    assert len(asked) < 1000
