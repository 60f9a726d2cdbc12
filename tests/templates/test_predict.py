"""The host code of bundles: strange pictures, and the geometry of each step against fastai's own."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
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


def test_whatever_a_decoder_raises_becomes_what_callers_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # beyond twice that Pillow itself speaks of a bomb
    with pytest.raises(ValueError, match="DecompressionBombError"):
        predict.preprocess(_file(_noise(11, 10)), _host(STEP), channels=3)


def test_a_picture_that_is_a_program_is_not_started() -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n"
    with pytest.raises(ValueError, match="EPS is a program"):
        predict.preprocess(eps, _host(STEP), channels=3)


def _bundle(folder: Path) -> Path:
    """The least a bundle can be: its "model" is a line of Python that answers always the same."""
    app = folder / "app" / "python"
    app.mkdir(parents=True)
    shutil.copyfile(str(predict.__file__), app / "predict.py")
    (app / "runtime.py").write_text("def load(path, threads):\n    return eval(open(path).read())\n")
    (folder / "model.txt").write_text("lambda pixels: [0.25, 0.75]")
    host = _host(STEP)
    signature = {"labels": ["a", "🍏"], "host": host, "input": {"channels": 3}}
    (folder / "manifest.json").write_text(json.dumps({"signature": signature, "model": "model.txt"}))
    return app / "predict.py"


def _run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_names_from_a_list_may_hold_any_letter_but_a_line_feed(tmp_path: Path) -> None:
    host = _bundle(tmp_path / "b")
    names = [str(tmp_path / name) for name in ("a\u2028b", "c\x85d", " e\x0b\x1cf ", os.fsdecode(b"caf\xe9"))]
    for name in names:
        Path(name).write_bytes(_file(_noise(9, 9)))
    (tmp_path / "list").write_bytes("\r\n".join(names).encode("utf-8", "surrogateescape"))
    done = _run(host, "--json", "--files-from", tmp_path / "list", PYTHONUTF8="1")
    assert names == [row["file"] for row in json.loads(done.stdout)]
    assert {"🍏"} == {row.get("label") for row in json.loads(done.stdout)}


def test_a_terminal_without_such_letters_gets_an_answer_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_file(_noise(9, 9)))
    done = _run(_bundle(tmp_path / "b"), tmp_path / "a.png", PYTHONIOENCODING="ascii")
    assert 0 == done.returncode
    assert "\\U0001f34f  75.0%" in done.stdout


def test_a_torn_model_is_one_line(tmp_path: Path) -> None:
    host = _bundle(tmp_path / "b")
    (tmp_path / "b" / "model.txt").write_text("lambda")
    done = _run(host, "a.png")
    assert 1 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert "The model cannot be loaded (SyntaxError" in done.stderr


def test_a_reader_that_has_gone_is_no_traceback(tmp_path: Path) -> None:
    host = _bundle(tmp_path / "b")
    (tmp_path / "list").write_text("\n".join(["nothing.png"] * 3000))
    line = f"{sys.executable} {host} --files-from {tmp_path / 'list'} | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "" == done.stderr
