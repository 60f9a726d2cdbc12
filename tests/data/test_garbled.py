"""JPEGs with overwritten bytes are told from whole ones, within the one decode, and whole ones decode as ever."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nbdeploy.data.facts import facts_of
from nbdeploy.data.garbled import watch
from nbdeploy.data.jpeg import stream_of
from tests.planted import garble, jpeg, scene

WAYS = {
    "one piece": {},
    "rows": {"restart_marker_rows": 1},
    "every third block": {"restart_marker_blocks": 3},
    "4:4:4": {"subsampling": 0},
}


def looked_at(data: bytes, mode: str = "L") -> tuple[tuple[str, ...], np.ndarray]:
    file = io.BytesIO(data)
    image = Image.open(file)
    image.draft(mode, image.size)
    damage = watch(image, file)
    image.load()
    return damage(), np.asarray(image)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("way", WAYS)
def test_a_whole_jpeg_is_not_suspected_and_decodes_as_without_watching(way, mode):
    for seed in range(6):
        data = jpeg(scene(seed, 120, 93), **WAYS[way])
        plain = Image.open(io.BytesIO(data))
        plain.draft(mode, plain.size)
        damage, pixels = looked_at(data, mode)
        assert () == damage
        assert np.array_equal(np.asarray(plain), pixels)


@pytest.mark.parametrize(("way", "least"), [("one piece", 9), ("rows", 12), ("4:4:4", 9)])
def test_most_jpegs_with_overwritten_pixels_are_found(way, least):
    found = 0
    for seed in range(15):
        data = garble(jpeg(scene(seed, 120, 93), **WAYS[way]), seed)
        try:
            found += bool(looked_at(data)[0])
        except OSError:  # that is found too, as unreadable
            found += 1
    assert least <= found


def test_marks_that_do_not_belong_among_pixels_are_damage():
    data = jpeg(scene(1, 120, 93), restart_marker_rows=1)
    stream = stream_of(data)
    assert stream.whole
    assert stream.by_rows
    first = stream.stops[0]
    assert not stream_of(data[:first] + b"\xff\xd5" + data[first + 2 :]).whole
    assert ("garbled",) == looked_at(data[:first] + b"\x12\x34" + data[first + 2 :])[0]


@pytest.mark.parametrize("tail", [b"\0", b"\xff", b"\0\0\0\0"])
def test_padding_that_cameras_write_after_the_pixels_is_no_damage(tail):
    data = jpeg(scene(2, 120, 93))
    assert () == looked_at(data[:-2] + tail + data[-2:])[0]


def test_what_follows_the_picture_in_its_file_is_no_damage():
    assert () == looked_at(jpeg(scene(3, 120, 93)) + jpeg(scene(4, 60)) + b"a film")[0]


def test_progressive_jpegs_and_other_formats_are_left_alone():
    assert stream_of(jpeg(scene(5), progressive=True)) is None
    assert stream_of(b"\xff\xd8\xff") is None
    data = io.BytesIO()
    scene(6).save(data, "PNG")
    assert () == looked_at(data.getvalue())[0]


def test_facts_name_the_damage(tmp_path):
    whole, broken = tmp_path / "whole.jpg", tmp_path / "broken.jpg"
    data = jpeg(scene(7, 120, 93), restart_marker_rows=1)
    whole.write_bytes(data)
    broken.write_bytes(garble(data, 3, size=200))
    assert () == facts_of(whole).notes
    assert ("garbled",) == facts_of(broken).notes


def test_what_is_drawn_along_the_blocks_of_a_jpeg_is_no_seam():
    squares = np.random.default_rng(0).integers(30, 220, (6, 8, 3), dtype=np.uint8)
    page = np.full((96, 128, 3), 250, np.uint8)
    page[:32] = 40
    for pixels in (squares.repeat(16, 0).repeat(16, 1), page):
        assert () == looked_at(jpeg(Image.fromarray(pixels)))[0]
