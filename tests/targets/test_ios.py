"""The iOS app: its project names its files, and its pure Swift does to pixels what the Python host code does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbdeploy.core.signature import PADS, RESAMPLES
from nbdeploy.templates.python.predict import preprocess

PURE = ("Resize", "Waves", "Manifest", "Preprocess")
"""The files that need no framework of Apple's."""

DRIVER = """
import Foundation
let folder = URL(fileURLWithPath: CommandLine.arguments[1])
struct Case: Decodable { var width, height, channels, orientation: Int; var deep: Bool; var host: Host }
let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: folder.appendingPathComponent("cases.json")))
for (number, one) in cases.enumerated() {
    let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent("\\(number).in")))
    let values = stride(from: 0, to: bytes.count - 1, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
    let picture = one.deep
        ? narrowed(values, width: one.width, height: one.height, range: one.host.ranges?.integers)
        : Raster(width: one.width, height: one.height, channels: 3, bytes: bytes)
    let result = try prepared(picture, orientation: one.orientation, host: one.host, channels: one.channels)
    try Data(result.bytes).write(to: folder.appendingPathComponent("\\(number).out"))
}
"""


@pytest.fixture
def app(root: Path) -> Path:
    return root / "nbdeploy" / "templates" / "ios"


def test_the_project_names_every_file_and_only_files_that_are_there(app: Path) -> None:
    project = (app / "Classify.xcodeproj" / "project.pbxproj").read_text(encoding="utf-8")
    named = set(re.findall(r"path = (?:\w+/)?(\w+\.swift);", project))
    assert {file.name for file in app.rglob("*.swift")} == named
    # A file of an app that is not compiled would be missed only by who builds it.
    assert named == set(re.findall(r"/\* (\w+\.swift) in Sources \*/,", project))


def test_the_project_takes_model_manifest_and_samples_from_the_bundle_it_lies_in(app: Path) -> None:
    project = (app / "Classify.xcodeproj" / "project.pbxproj").read_text(encoding="utf-8")
    paths = set(re.findall(r'path = "?(\.\./[^";]+)"?;', project))
    assert {"../../model.mlpackage", "../../manifest.json", "../../samples"} == paths
    # Core ML's package is compiled, the others are copied into the app as they are.
    assert "model.mlpackage in Sources" in project
    assert "manifest.json in Resources" in project
    assert "samples in Resources" in project


def test_every_identifier_of_the_project_is_defined_once(app: Path) -> None:
    project = (app / "Classify.xcodeproj" / "project.pbxproj").read_text(encoding="utf-8")
    defined = re.findall(r"^\t\t([0-9A-F]{24}) (?:/\*.*?\*/ )?= \{", project, re.MULTILINE)
    assert len(set(defined)) == len(defined)
    assert set(re.findall(r"\b[0-9A-F]{24}\b", project)) == set(defined)
    assert project.count("{") == project.count("}")
    assert project.count("(") == project.count(")")


def test_no_size_and_no_label_is_written_in_the_app(app: Path) -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in (app / "Classify").glob("*.swift"))
    assert [] == re.findall(r"\b(?:224|256|299|384|460)\b", text)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("swiftc") is None, reason="needs the Swift compiler, swiftc")
def test_swift_prepares_pixels_as_python_does_within_one_level(app: Path, tmp_path: Path) -> None:
    _compile([app / "Classify" / f"{name}.swift" for name in PURE], tmp_path)
    random = np.random.default_rng(0)
    cases, expected = [], []
    for number in range(160):
        width, height = (int(n) for n in random.integers(1, 120, 2))
        deep = number % 7 == 0
        pixels = random.integers(0, 65536, (height, width)).astype("<u2")
        if not deep:
            pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        step = {
            "op": ("crop_resize", "squish_resize", "pad_resize", "center_crop")[number % 4],
            "width": int(random.integers(1, 70)),
            "height": int(random.integers(1, 70)),
            "resample": RESAMPLES[number % len(RESAMPLES)],
            "pad": PADS[number % len(PADS)],
        }
        if min(width / step["width"], height / step["height"]) * min(step["width"], step["height"]) < 1:
            continue  # the region to resize would have no pixel
        ranges = {"integers": (None, [0, 65535], [100.5, 4095])[number // 7 % 3], "floats": None}
        host = {"exif": number % 3 > 0, "ranges": ranges, "steps": [step]}
        channels = 1 if number % 5 == 0 else 3
        (tmp_path / f"{len(cases)}.in").write_bytes(pixels.tobytes())
        picture, orientation = Image.fromarray(pixels), number % 9
        exif = picture.getexif()
        exif[0x0112] = orientation
        picture.save(tmp_path / "picture.png", exif=exif)
        expected.append(preprocess(tmp_path / "picture.png", host, channels=channels))
        sizes = {"width": width, "height": height, "channels": channels, "orientation": orientation}
        sizes["deep"] = deep
        cases.append({**sizes, "host": host})
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    subprocess.run([tmp_path / "driver", tmp_path], check=True)
    assert len(cases) > 100
    for number, wanted in enumerate(expected):
        got = np.frombuffer((tmp_path / f"{number}.out").read_bytes(), np.uint8).astype(int)
        assert np.abs(got - wanted.reshape(-1)).max() <= 1, cases[number]


def _compile(sources: list[Path], to: Path) -> None:
    (to / "main.swift").write_text(DRIVER, encoding="utf-8")
    command = ["swiftc", "-O", "-o", to / "driver", to / "main.swift", *sources]
    subprocess.run(command, check=True)
