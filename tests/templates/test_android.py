"""The Android project as files: it cannot be built here, but what it reads must be there."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nbdeploy.core.signature import Signature, Step


@pytest.fixture(scope="module")
def project(root: Path) -> Path:
    return root / "nbdeploy" / "templates" / "android"


@pytest.fixture(scope="module")
def code(project: Path) -> dict[str, str]:
    """The Kotlin files of the app and its test: name -> text."""
    return {file.name: file.read_text(encoding="utf-8") for file in project.rglob("*.kt")}


def test_what_it_reads_from_the_manifest_is_in_the_manifest(code: dict[str, str]) -> None:
    signature = Signature(
        width=1, height=1, channels=3, labels=("a", "b"), steps=(Step(op="exact_size", width=1, height=1),)
    ).to_dict()
    there = {"name", "version", "model", "signature", *signature, *signature["input"], *signature["host"]}
    there |= set(signature["host"]["steps"][0])
    assert set(re.findall(r'\.get\w+\("(\w+)"\)', code["Contract.kt"])) <= there


def test_no_size_label_or_resize_rule_is_written_in_its_code(code: dict[str, str]) -> None:
    for name in ("Classifier.kt", "MainActivity.kt", "Answers.kt", "Decode.kt", "Contract.kt"):
        assert [] == re.findall(r"\b(?:224|256|299|384)\b|bilinear|crop_resize|0\.485|127\.5", code[name]), name


def test_the_files_that_are_tested_without_a_phone_know_no_android(code: dict[str, str]) -> None:
    for name in ("Resize.kt", "Preprocess.kt", "Png.kt"):
        assert [] == re.findall(r"import (?:android|androidx|org|com)\S*", code[name]), name


def test_its_xml_is_well_formed_and_names_only_what_is_there(project: Path, code: dict[str, str]) -> None:
    files = {file: file.read_text(encoding="utf-8") for file in project.rglob("*.xml")}
    for text in files.values():
        ET.fromstring(text)
    resources = project / "app" / "src" / "main" / "res"
    names = {(file.parent.name.split("-")[0], file.stem) for file in resources.rglob("*.xml")}
    names |= {("string", "app_name")}  # made from the manifest's name
    for file in resources.glob("values*/*.xml"):
        names |= {(entry.tag, entry.get("name", "")) for entry in ET.fromstring(files[file])}
    names |= {("id", name) for text in files.values() for name in re.findall(r"@\+id/(\w+)", text)}
    used = {pair for text in files.values() for pair in re.findall(r"@(string|color|drawable|layout|id)/(\w+)", text)}
    used |= {pair for text in code.values() for pair in re.findall(r"\bR\.(\w+)\.(\w+)", text)}
    assert set() == used - names


def test_both_layouts_and_both_themes_have_the_same_parts(project: Path) -> None:
    resources = project / "app" / "src" / "main" / "res"

    def found(place: str, pattern: str) -> set[str]:
        return set(re.findall(pattern, (resources / place).read_text(encoding="utf-8")))

    assert found("layout/main.xml", r"@\+id/(\w+)") == found("layout-land/main.xml", r"@\+id/(\w+)")
    assert found("values/colors.xml", r'name="(\w+)"') == found("values-night/colors.xml", r'name="(\w+)"')


def test_text_is_readable_in_both_themes(project: Path) -> None:
    def light(colour: str) -> float:
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for place in ("values", "values-night"):
        entries = ET.parse(project / "app" / "src" / "main" / "res" / place / "colors.xml").getroot()
        colours = {entry.get("name"): light(entry.text or "") for entry in entries}
        for text, ground in (("text", "ground"), ("quiet", "ground"), ("on_accent", "accent"), ("accent", "ground")):
            low, high = sorted((colours[text], colours[ground]))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (place, text)


def test_every_package_it_names_has_one_version(project: Path) -> None:
    catalogue = (project / "gradle" / "libs.versions.toml").read_text(encoding="utf-8")
    build = (project / "app" / "build.gradle.kts").read_text(encoding="utf-8")
    named = {name.replace("-", ".") for name in re.findall(r"^([\w-]+) = \{", catalogue, re.MULTILINE)}
    used = set(re.findall(r"[iI]mplementation\(libs\.([\w.]+)\)", build))
    assert used == {name for name in named if not name.startswith(("android.", "kotlin."))}
    assert [] == re.findall(r'"[\w.]+:[\w-]+:[\d.]+"', build)
