"""The Android app's files that know no Android, compiled once and held to Pillow, predict.py and the golden vectors."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nbdeploy.core.signature import PADS, RESAMPLES
from nbdeploy.templates.python import predict

PURE = ("Resize.kt", "Preprocess.kt", "Png.kt")
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "resize.json").read_text(encoding="utf-8"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("kotlinc") is None, reason="there is no kotlinc (Debian: apt-get install kotlin)"),
]
Ask = Callable[[list[str]], list[str]]


@pytest.fixture(scope="module")
def ask(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answers of the compiled files, a line a question; see kotlin/Main.kt."""
    app = root / "nbdeploy" / "templates" / "android" / "app" / "src" / "main" / "kotlin" / "nbdeploy" / "camera"
    made = tmp_path_factory.mktemp("kotlin")
    sources = [*(app / name for name in PURE), root / "tests" / "templates" / "kotlin" / "Main.kt"]
    done = subprocess.run(
        ["kotlinc", *map(str, sources), "-d", str(made)], capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr

    def answers(questions: list[str]) -> list[str]:
        ran = subprocess.run(
            ["kotlin", "-cp", str(made), "nbdeploy.camera.MainKt"],
            input="\n".join(questions) + "\n",
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        lines = ran.stdout.splitlines()
        assert len(questions) == len(lines), ran.stderr[-2000:]
        return lines

    return answers


def question(pixels: np.ndarray, *doing: str) -> str:
    """`pixels` is uint8 ``[height, width, channels]``."""
    height, width, channels = pixels.shape
    start = f"picture {width} {height} {channels} {np.ascontiguousarray(pixels).tobytes().hex()}"
    return " ; ".join([start, *doing])


def picture(answer: str) -> np.ndarray:
    width, height, channels, data = answer.split(" ")
    assert "error" != width, answer
    return np.frombuffer(bytes.fromhex(data), dtype=np.uint8).reshape(int(height), int(width), int(channels))


def step(raw: dict[str, Any]) -> str:
    return f"step {raw['op']} {raw['width']} {raw['height']} {raw['resample']} {raw['pad']}"


def plain(raw: dict[str, Any]) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(raw["data"]), dtype=np.uint8)
    return data.reshape(raw["height"], raw["width"], raw["channels"])


def as_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def as_pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).reshape(image.height, image.width, -1)


def apart(one: np.ndarray, other: np.ndarray) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def test_the_golden_vectors_come_out_within_one_level(ask: Ask) -> None:
    cases = GOLDEN["cases"]
    asked = [question(plain(GOLDEN["pictures"][c["picture"]]), *map(step, c["steps"])) for c in cases]
    for case, answer in zip(cases, ask(asked), strict=True):
        assert 1 >= apart(picture(answer), plain(case["expected"])), case["steps"]


def test_every_resize_is_pillows_within_one_level(ask: Ask) -> None:
    numbers = np.random.default_rng(1)
    asked, expected = [], []
    for index in range(120):
        name = RESAMPLES[index % len(RESAMPLES)]
        pixels = numbers.integers(0, 256, (*numbers.integers(1, 70, 2), 1 + 2 * (index % 2)), dtype=np.uint8)
        width, height = (int(n) for n in numbers.integers(1, 50, 2))
        asked.append(question(pixels, f"step squish_resize {width} {height} {name} zeros"))
        expected.append(as_pixels(as_image(pixels).resize((width, height), Image.Resampling[name.upper()])))
    for wanted, answer in zip(expected, ask(asked), strict=True):
        assert 1 >= apart(picture(answer), wanted)


def test_crop_and_pad_are_those_of_the_host_code_in_order_and_rounding(ask: Ask) -> None:
    numbers = np.random.default_rng(2)
    asked, expected = [], []
    for index in range(150):
        # Reflection of numpy goes on beyond one length of the picture, so small ones are among them.
        pixels = numbers.integers(0, 256, (*numbers.integers(1, 40, 2), 1 + 2 * (index % 2)), dtype=np.uint8)
        ops = ["crop_resize", "pad_resize", "center_crop", "squish_resize"]
        steps = [
            {
                "op": str(numbers.choice(ops)),
                "width": int(numbers.integers(1, 40)),
                "height": int(numbers.integers(1, 40)),
                "resample": "nearest",  # exact: a difference is one of place
                "pad": str(numbers.choice(PADS)),
            }
            for _ in range(1 + index % 3)
        ]
        image = as_image(pixels)
        try:
            for one in steps:
                image = predict._STEPS[one["op"]](image, one)
        except (ValueError, SystemError):  # a region of no pixels: not a picture in either
            continue
        asked.append(question(pixels, *map(step, steps)))
        expected.append((steps, pixels.shape, as_pixels(image)))
    assert len(asked) > 100
    for (steps, shape, wanted), answer in zip(expected, ask(asked), strict=True):
        assert 0 == apart(picture(answer), wanted), (shape, steps)


def test_the_eight_orientations_turn_as_pillow_turns(ask: Ask) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    asked = [question(pixels, f"turn {n}") for n in range(10)]  # 0 and 9 mean nothing
    for number, answer in enumerate(ask(asked)):
        exif = Image.Exif()
        exif[0x0112] = number
        wanted = predict.decode(_png(pixels, exif=exif), channels=3, exif=True)
        assert 0 == apart(picture(answer), as_pixels(wanted)), number


def test_a_camera_that_is_turned_by_degrees_is_turned_back_clockwise(ask: Ask) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for degrees, answer in zip((0, 90, 180, 270), ask([question(pixels, f"degrees {n * 90}") for n in range(4)])):  # noqa: B905 - four and four
        assert 0 == apart(picture(answer), np.rot90(pixels, -degrees // 90)), degrees


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_becomes_what_the_host_code_hands_to_the_model(ask: Ask, channels: int) -> None:
    numbers = np.random.default_rng(8)
    asked, expected = [], []
    for index in range(24):
        pixels = numbers.integers(0, 256, (*numbers.integers(8, 60, 2), (1, 3, 4)[index % 3]), dtype=np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 1 + index % 8
        content = _png(pixels[..., 0] if pixels.shape[2] == 1 else pixels, exif=exif)
        op, pad = ("crop_resize", "pad_resize", "squish_resize")[index % 3], PADS[index // 3 % 3]
        size = {"width": int(numbers.integers(4, 40)), "height": int(numbers.integers(4, 40))}
        steps = [
            {"op": op, **size, "resample": "bilinear", "pad": pad},
            {"op": "center_crop", "width": 16, "height": 12, "resample": "bilinear", "pad": pad},
        ]
        doing = [f"colour {channels}", f"turn {1 + index % 8}", *map(step, steps)]
        asked.append(" ; ".join([f"png {content.hex()} - -", *doing]))
        expected.append(predict.preprocess(content, {"exif": True, "steps": steps}, channels=channels)[0])
    for wanted, answer in zip(expected, ask(asked), strict=True):
        assert 1 >= apart(picture(answer), wanted)


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_is_pillows_gray_exactly_and_alpha_is_dropped(ask: Ask, channels: int) -> None:
    numbers = np.random.default_rng(5)
    modes = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
    sources = [numbers.integers(0, 256, (16, 16, n), dtype=np.uint8) for n in modes]
    answers = ask([question(pixels, f"colour {channels}") for pixels in sources])
    for mode, pixels, answer in zip(modes.values(), sources, answers, strict=True):
        image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
        assert mode == image.mode
        assert 0 == apart(picture(answer), as_pixels(image.convert(modes[channels]))), mode


def test_a_picture_of_another_size_is_refused_where_none_is_resized(ask: Ask) -> None:
    pixels = np.zeros((4, 5, 3), dtype=np.uint8)
    right, wrong, unknown = ask(
        [
            question(pixels, f"step {op} {w} 4 bilinear zeros")
            for op, w in (("exact_size", 5), ("exact_size", 4), ("x", 4))
        ]
    )
    assert 0 == apart(picture(right), pixels)
    assert wrong.startswith("error The picture is 5 x 4; this model was trained without a resize and takes only 4 x 4")
    assert "error This app does not know the step x." == unknown


def _png(pixels: np.ndarray, mode: str | None = None, **settings: Any) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, "PNG", **settings)
    return file.getvalue()


def _adam7_gray(pixels: np.ndarray) -> bytes:
    """An interlaced PNG, which Pillow reads but does not write; `pixels` is uint8 ``[height, width]``."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [b"\0" + line.tobytes() for x, y, dx, dy in passes for line in pixels[y::dy, x::dx] if line.size]
    size = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 1)
    whole = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole


def _pngs() -> dict[str, bytes]:
    numbers = np.random.default_rng(6)
    colour = numbers.integers(0, 256, (13, 11, 3), dtype=np.uint8)
    smooth = np.add.outer(np.arange(60), np.arange(70)).astype(np.uint8)  # so that the encoder uses its filters
    return {
        "gray": _png(smooth),
        "colour": _png(colour),
        "smooth colour": _png(np.stack([smooth, smooth.T[:60, :60].repeat(2, 1)[:, :70], 255 - smooth], -1)),
        "alpha": _png(numbers.integers(0, 256, (9, 6, 4), dtype=np.uint8)),
        "gray and alpha": _png(numbers.integers(0, 256, (9, 6, 2), dtype=np.uint8)),
        "palette": _png(colour, "P"),
        "one bit": _png(colour, "1"),
        "palette of four bits": _png(colour[..., 0] // 16 * 17, "P", bits=4),
        "interlaced": _adam7_gray(colour[..., 0]),
        "interlaced dot": _adam7_gray(colour[:1, :1, 0]),
        "sixteen bits": _png(numbers.integers(0, 65536, (9, 6), dtype=np.uint16)),
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("span", [None, [0, 65535], [100.5, 4095]])
def test_png_is_read_as_the_host_code_reads_it(ask: Ask, channels: int, span: list[float] | None) -> None:
    low, high = span or ("-", "-")
    files = _pngs()
    answers = ask([f"png {content.hex()} {low} {high} ; colour {channels}" for content in files.values()])
    for (name, content), answer in zip(files.items(), answers, strict=True):
        wanted = as_pixels(predict.decode(content, channels=channels, exif=False))
        if span and name == "sixteen bits":
            values = np.asarray(Image.open(io.BytesIO(content)), dtype=np.float64)
            scaled = np.clip(np.rint((values - span[0]) * (255 / (span[1] - span[0]))), 0, 255)
            wanted = scaled.astype(np.uint8)[..., None].repeat(channels, 2)
        assert 0 == apart(picture(answer), wanted), name


def test_a_broken_png_is_an_error_with_words(ask: Ask) -> None:
    whole = _png(np.random.default_rng(7).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    odd = bytearray(whole)
    odd[25] = 5
    for answer in ask([f"png {bytes(part).hex()} - -" for part in (whole[:200], whole[:40], odd)]):
        assert answer.startswith("error The PNG "), answer


def test_the_best_answers_come_first_and_equal_ones_in_the_order_of_the_labels(ask: Ask) -> None:
    assert ["l3 l0 l2", "l1 l0"] == ask(["best 3 0.2 0.1 0.2 0.5", "best 5 0.4 0.6"])
