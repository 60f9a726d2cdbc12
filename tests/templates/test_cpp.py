"""The C++ program of onnx bundles: its pixels are those of the Python host code, and its answers are."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.signature import PADS, RESAMPLES, Step
from nbdeploy.templates.python import predict

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

_STRICT = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror")


def _run(command: list[Any], **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, capture_output=True, check=False, **how)


def _headers(*names: str) -> bool:
    return all(
        0 == _run(["g++", "-std=c++17", "-E", "-x", "c++", "-"], input=f"#include <{name}>").returncode
        for name in names
    )


def _compile(root: Path, name: str, out: Path, *more: str) -> Path:
    code, headers = root / "tests" / "templates" / f"{name}.cpp", root / "nbdeploy" / "templates" / "cpp"
    command = ["g++", *_STRICT, "-I", str(headers), str(code), "-o", str(out / name), *more]
    done = _run(command)
    assert 0 == done.returncode, done.stderr
    return out / name


@pytest.fixture(scope="module")
def prepare(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled steps."""
    return _compile(root, "prepare", tmp_path_factory.mktemp("cpp"))


@pytest.fixture(scope="module")
def decoder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled decoder."""
    if not _headers("cstdio>\n#include <jpeglib.h", "png.h"):
        pytest.skip("needs libjpeg-dev and libpng-dev")
    return _compile(root, "decode", tmp_path_factory.mktemp("cpp"), "-ljpeg", "-lpng")


def _cases() -> list[tuple[np.ndarray, Step]]:
    numbers = np.random.default_rng(0)
    sizes = [((64, 48), (32, 32)), ((31, 90), (33, 20)), ((7, 5), (40, 40)), ((90, 41), (90, 20)), ((3, 50), (8, 8))]
    cases = []
    for (given, wanted), how, channels in itertools.product(sizes, RESAMPLES, (3, 1)):
        shape = (given[1], given[0], 3)[: 3 if channels == 3 else 2]
        pixels = numbers.integers(0, 256, shape, dtype=np.uint8)
        step = Step(op="squish_resize", width=wanted[0], height=wanted[1], resample=how)
        cases.append((pixels, step))
    for (given, wanted), op, pad in itertools.product(sizes, ("crop_resize", "pad_resize", "center_crop"), PADS):
        pixels = numbers.integers(0, 256, (given[1], given[0], 3), dtype=np.uint8)
        cases.append((pixels, Step(op=op, width=wanted[0], height=wanted[1], resample="bilinear", pad=pad)))
    return cases


def test_every_step_gives_the_pixels_of_the_python_host_code(prepare: Path) -> None:
    cases = _cases()
    said, expected = io.BytesIO(), []
    for pixels, step in cases:
        height, width, *channels = pixels.shape
        words = (width, height, *(channels or [1]), step.op, step.width, step.height, step.resample, step.pad)
        said.write(" ".join(map(str, words)).encode() + b"\n" + pixels.tobytes())
        made = predict._STEPS[step.op](Image.fromarray(pixels), asdict(step))
        expected.append(np.asarray(made))
    got = subprocess.run([prepare], input=said.getvalue(), capture_output=True, check=True).stdout
    assert sum(picture.size for picture in expected) == len(got)
    at = 0
    for (_, step), picture in zip(cases, expected, strict=True):
        here = np.frombuffer(got, np.uint8, picture.size, at).reshape(picture.shape)
        at += picture.size
        assert np.abs(picture.astype(int) - here).max() <= 1, step


def _files(folder: Path) -> list[Path]:
    smooth = Image.fromarray(np.random.default_rng(1).integers(0, 256, (6, 9, 4), dtype=np.uint8))
    smooth = smooth.resize((45, 30), Image.Resampling.BICUBIC)
    rgb, files = smooth.convert("RGB"), []
    for turn in range(1, 9):
        exif = rgb.getexif()
        exif[0x0112] = turn
        rgb.save(folder / f"turned-{turn}.jpg", quality=95, exif=exif)
        rgb.save(folder / f"turned-{turn}.png", exif=exif)
        files += [folder / f"turned-{turn}.jpg", folder / f"turned-{turn}.png"]
    more = {
        "alpha.png": smooth,
        "gray.png": rgb.convert("L"),
        "bits.png": rgb.convert("1"),
        "palette.png": rgb.quantize(16),
        "gray.jpg": rgb.convert("L"),
        "plain.jpg": rgb,
        "sixteen.png": Image.fromarray(np.random.default_rng(2).integers(0, 65536, (9, 6), dtype=np.uint16)),
    }
    for name, picture in more.items():
        picture.save(folder / name)
        files.append(folder / name)
    return files


@pytest.mark.parametrize(
    ("channels", "exif", "span"), [(3, True, None), (3, False, [0, 65535]), (1, True, [100.5, 4095])]
)
def test_files_are_decoded_as_the_host_code_decodes_them(
    decoder: Path, tmp_path: Path, channels: int, exif: bool, span: list[float] | None
) -> None:
    files = _files(tmp_path)
    words = (channels, int(exif), *(span or ("-", "-")), *files)
    done = subprocess.run([decoder, *map(str, words)], capture_output=True, check=True).stdout
    ranges = {"integers": span, "floats": None}
    stream = io.BytesIO(done)
    for file in files:
        width, height, depth = (int(n) for n in stream.readline().split()[:3])
        got = np.frombuffer(stream.read(width * height * depth), np.uint8).reshape(height, width, depth)
        wanted = np.asarray(predict.decode(file, channels=channels, exif=exif, ranges=ranges)).reshape(
            height, width, channels
        )
        # Another build of libjpeg may round differently; everything else is exact.
        apart = np.abs(got.astype(int) - wanted.astype(int)).max()
        assert apart <= (2 if file.suffix == ".jpg" else 0), file.name


def test_what_is_no_picture_is_said_to_be_none(decoder: Path, tmp_path: Path) -> None:
    whole = _files(tmp_path)
    (tmp_path / "torn.png").write_bytes(whole[1].read_bytes()[:200])
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("CMYK", (8, 8)).save(tmp_path / "cmyk.jpg")
    files = [str(tmp_path / name) for name in ("torn.png", "text.jpg", "cmyk.jpg", "gone.png")]
    done = subprocess.run(
        [decoder, "3", "1", "-", "-", *files], capture_output=True, check=True, text=True
    ).stdout.splitlines()
    assert 4 == len(done)
    for line, why in zip(done, ("ends too early", "neither a JPEG nor a PNG", "CMYK", "no such file"), strict=True):
        assert line.startswith("0 0 0 ")
        assert why in line


def _onnxruntime(folder: Path) -> Path | None:
    """A folder with onnxruntime's headers (NBDEPLOY_ONNXRUNTIME, or the system's) and the library of its wheel."""
    places = [Path(os.environ.get("NBDEPLOY_ONNXRUNTIME", "/usr")), Path("/usr"), Path("/usr/local")]
    inner = ("include", "include/onnxruntime", "include/onnxruntime/core/session")
    found = [p / i for p in places for i in inner if (p / i / "onnxruntime_cxx_api.h").is_file()]
    if not found:
        return None
    import onnxruntime

    libraries = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    if not libraries:
        return None
    (folder / "lib").mkdir(parents=True)
    (folder / "include").symlink_to(found[0])
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / "lib" / name).symlink_to(libraries[0])
    return folder


@pytest.mark.slow
def test_the_program_of_a_bundle_answers_as_the_bundle(conv_learner: Any, tmp_path: Path) -> None:
    place = _onnxruntime(tmp_path / "onnxruntime")
    if place is None or shutil.which("cmake") is None or not _headers("nlohmann/json.hpp", "png.h"):
        pytest.skip("needs cmake, nlohmann-json3-dev, and onnxruntime's headers in $NBDEPLOY_ONNXRUNTIME/include")
    bundle = nd.deploy(conv_learner, target="onnx", out=tmp_path / "b", samples=6, latency_runs=0)
    build = tmp_path / "build"
    for command in (
        ["cmake", "-S", bundle.path / "app" / "cpp", "-B", build, f"-DONNXRUNTIME_ROOT={place}"],
        ["cmake", "--build", build],
    ):
        done = _run(command)
        assert 0 == done.returncode, done.stdout[-1000:] + done.stderr[-2000:]
    (tmp_path / "broken.png").write_text("no picture")
    files = [*(str(bundle.path / name) for name in bundle.manifest["samples"]), str(tmp_path / "broken.png")]
    done = _run([build / "classify", "--json", bundle.path, *files])
    assert 1 == done.returncode, done.stderr
    rows = json.loads(done.stdout)
    assert files == [row["file"] for row in rows]
    assert "neither a JPEG nor a PNG" in rows.pop()["error"]
    for row, file in zip(rows, files, strict=False):
        here = bundle.predict(file)
        assert here.label == row["label"]
        assert set(bundle.labels) == set(row["probabilities"])
        assert all(abs(here.probabilities[label] - row["probabilities"][label]) < 0.02 for label in bundle.labels)
    _sixteen_bits_are_scaled_as_the_manifest_says(build / "classify", bundle, tmp_path)
    told = _run([build / "classify", bundle.path, files[0]])
    assert rows[0]["label"] in told.stdout


def _sixteen_bits_are_scaled_as_the_manifest_says(program: Path, bundle: nd.Bundle, work: Path) -> None:
    file, answers = work / "sixteen.png", []
    ramp = np.add.outer(np.arange(40), np.arange(40)) * 800
    Image.fromarray(ramp.astype(np.uint16)).save(file)
    for span in (None, [0, 65535]):
        other = Path(shutil.copytree(bundle.path, work / f"span-{span is not None}"))
        manifest = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
        manifest["signature"]["host"]["ranges"]["integers"] = span
        (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        (row,) = json.loads(_run([program, "--json", other, file]).stdout)
        here = predict.Classifier(other, load=registry.targets.load("onnx")().load).predict(file)["probabilities"]
        assert all(abs(here[label] - row["probabilities"][label]) < 1e-3 for label in bundle.labels)
        answers.append(list(here.values()))
    assert answers[0] != answers[1]
