"""The page's own pixels, in a real Chromium: decoding, resizing, cropping and padding as the Python host code does."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nbdeploy.templates
from nbdeploy.templates.python.predict import decode
from tests.browser import chromium
from tests.golden import reference

WEB = Path(nbdeploy.templates.__file__).parent / "web"
ORIGIN = "http://127.0.0.1:9"  # nothing listens there: every request is answered from the folder
CASES = """async ({ pictures, cases }) => {
  const { preprocess } = await import('/preprocess.js');
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return cases.map(({ picture, steps }) => {
    const { data, ...size } = pictures[picture];
    const made = preprocess({ ...size, data: bytes(data) }, steps);
    return { ...made, data: [...made.data] };
  });
}"""
DECODE = """async ({ file, host, channels }) => {
  const { decode } = await import('/decode.js');
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  try {
    const made = await decode(new Blob([bytes]), host, channels);
    return { ...made, data: [...made.data] };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
}"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page that can import the templates' modules."""
    with chromium() as opened:
        page = opened.new_page()

        def answer(route: Any) -> None:
            file = WEB / route.request.url.removeprefix(f"{ORIGIN}/")
            if file.suffix == ".js":
                route.fulfill(body=file.read_text(encoding="utf-8"), content_type="text/javascript")
            else:
                route.fulfill(body="<!doctype html>", content_type="text/html")

        page.route("**/*", answer)
        page.goto(f"{ORIGIN}/")
        yield page


def decoded(page: Any, file: bytes, *, channels: int = 3, exif: bool = False, **host: Any) -> Any:
    given = {"file": base64.b64encode(file).decode(), "host": {"exif": exif, **host}, "channels": channels}
    made = page.evaluate(DECODE, given)
    if "error" in made:
        return made
    return np.array(made["data"], dtype=np.uint8).reshape(made["height"], made["width"], made["channels"])


def as_python(file: bytes, *, channels: int = 3, exif: bool = False) -> np.ndarray:
    image = decode(file, channels=channels, exif=exif)
    return np.asarray(image).reshape(image.height, image.width, channels)


def saved(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def noise(*shape: int, seed: int = 0, high: int = 256, kind: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, shape, dtype=kind)


def test_the_page_gives_the_golden_vectors(page: Any) -> None:
    golden = json.loads(reference.FILE.read_text(encoding="utf-8"))
    made = page.evaluate(CASES, golden)
    assert len(golden["cases"]) == len(made)
    far = {}
    for number, (case, got) in enumerate(zip(golden["cases"], made, strict=True)):
        wanted = case["expected"]
        pixels = np.frombuffer(base64.b64decode(wanted["data"]), dtype=np.uint8)
        assert (wanted["width"], wanted["height"], wanted["channels"]) == (got["width"], got["height"], got["channels"])
        far[number] = int(np.abs(pixels.astype(int) - np.array(got["data"])).max())
    assert {} == {number: levels for number, levels in far.items() if levels > 1}


def palette(colours: int, *, clear: bool) -> bytes:
    image = Image.fromarray(noise(9, 14, high=colours)).convert("P")
    image.putpalette(noise(colours, 3, seed=1).tobytes())
    return saved(image, **({"transparency": 1} if clear else {}))


PNGS = {
    "colour": lambda: saved(Image.fromarray(noise(9, 14, 3))),
    "gray": lambda: saved(Image.fromarray(noise(9, 14))),
    "black and white": lambda: saved(Image.fromarray(noise(9, 13, high=2) * 255).convert("1")),
    "alpha": lambda: saved(Image.fromarray(noise(9, 14, 4))),
    "gray with alpha": lambda: saved(Image.fromarray(noise(9, 14, 2), "LA")),
    "a palette of 200": lambda: palette(200, clear=True),
    "a palette of 12": lambda: palette(12, clear=False),
    "a palette of 3": lambda: palette(3, clear=True),
    "a gamma of its own": lambda: with_chunk(
        saved(Image.fromarray(noise(9, 14, 3))), b"gAMA", struct.pack(">I", 100000)
    ),
    "interlaced": lambda: interlaced(noise(13, 11, 3)),
    "interlaced, tiny": lambda: interlaced(noise(2, 3, 3)),
    "a gradient, every filter": lambda: saved(Image.fromarray(np.mgrid[0:40, 0:60].sum(0).astype(np.uint8))),
}


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    after = 8 + 25  # the signature and IHDR
    return png[:after] + chunk(name, content) + png[after:]


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def interlaced(pixels: np.ndarray) -> bytes:
    """A PNG in seven passes, which Pillow reads and does not write."""
    height, width, _ = pixels.shape
    rows = b""
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        part = pixels[top::down, left::across]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("name", PNGS)
def test_a_png_is_decoded_as_pillow_does_to_the_last_bit(page: Any, name: str, channels: int) -> None:
    file = PNGS[name]()
    assert np.array_equal(as_python(file, channels=channels), decoded(page, file, channels=channels))


def test_sixteen_bits_are_clipped_or_scaled_as_the_signature_says(page: Any) -> None:
    pixels = noise(9, 14, high=65536, kind=np.uint16)
    pixels[:2] //= 200  # some within 0..255
    file = saved(Image.fromarray(pixels))
    assert np.array_equal(as_python(file), decoded(page, file))
    scaled = decoded(page, file, channels=1, ranges={"integers": [0, 65535], "floats": None})
    assert np.array_equal(np.rint(pixels / 65535 * 255)[..., None], scaled)


@pytest.mark.parametrize("exif", [True, False])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_of_exif_is_heeded_only_where_the_signature_says_so(
    page: Any, kind: str, orientation: int, exif: bool
) -> None:
    y, x = np.mgrid[0:24, 0:40]
    image = Image.fromarray(np.stack([x * 6, y * 10, 255 - x * 3 - y * 5], -1).astype(np.uint8))
    tags = image.getexif()
    tags[0x0112] = orientation
    settings = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    file = saved(image, kind, exif=tags, **settings)
    ours, python = decoded(page, file, exif=exif), as_python(file, exif=exif)
    assert python.shape == ours.shape
    assert np.abs(python.astype(int) - ours).max() <= (1 if kind == "JPEG" else 0)


def test_a_colour_profile_is_not_applied(page: Any) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    image = Image.fromarray(noise(24, 40, 3)).resize((160, 96))
    for kind in ("JPEG", "PNG", "WEBP"):
        settings = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
        file = saved(image, kind, icc_profile=profile, **settings)
        assert np.abs(as_python(file).astype(int) - decoded(page, file)).max() <= (1 if kind == "JPEG" else 0), kind


def test_a_broken_or_huge_picture_is_an_error_in_words(page: Any) -> None:
    whole = saved(Image.fromarray(noise(9, 14, 3)))
    assert "PictureError" == decoded(page, whole[: len(whole) // 2])["error"]
    assert "PictureError" == decoded(page, b"not a picture")["error"]
    header = struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    assert "20000 x 20000 pixels: too many" in decoded(page, bomb)["message"]
