"""What the page is made of: npm's packages at their pinned hashes, nbdeploy's own files, icons, licences."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbdeploy import registry
from nbdeploy.core.recipe import RECIPES
from nbdeploy.core.report import Status
from nbdeploy.errors import IntegrityError, MissingExtra, NbdeployError
from nbdeploy.shipping.choices import offered
from nbdeploy.targets.page import browser, icons, npm, site
from nbdeploy.targets.tfjs import TfjsTarget
from nbdeploy.targets.web import WebTarget

SMALL = "@litertjs/wasm-utils"
TARGETS = [WebTarget, TfjsTarget]


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path))
    return tmp_path / "npm"


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(npm.importlib.util, "find_spec", lambda _: None)


def test_what_a_page_takes_is_told_without_asking_the_network(empty_cache: Path) -> None:
    for target in TARGETS:
        target().check(RECIPES["fp32"])
    ready, _ = offered()
    assert {"web", "tfjs"} <= {choice.name for choice in ready if choice.recipes}
    assert not empty_cache.exists()


def test_the_lock_holds_names_versions_and_hashes_and_no_address() -> None:
    text = npm.LOCK.read_text(encoding="utf-8")
    lines = json.loads(text)
    assert set(lines) == {name for target in TARGETS for name in target.page.packages}
    assert all({"version", "integrity"} == set(line) for line in lines.values())
    assert all(re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", line["integrity"]) for line in lines.values())
    assert "://" not in text
    assert "resolved" not in text


@pytest.mark.usefixtures("empty_cache", "no_npm")
def test_without_npm_and_without_a_cache_it_says_what_to_type() -> None:
    with pytest.raises(MissingExtra, match=r'pip install "nbdeploy\[web\]"'):
        npm.fetch([SMALL])


def test_a_package_that_is_kept_is_used_without_npm(request: pytest.FixtureRequest) -> None:
    archive = npm.fetch([SMALL])[SMALL]
    kept = request.getfixturevalue("empty_cache")
    kept.mkdir()
    shutil.copy(archive, kept)
    request.getfixturevalue("no_npm")
    assert kept / archive.name == npm.fetch([SMALL])[SMALL]


def test_a_spoilt_file_in_the_cache_is_removed_and_told(empty_cache: Path) -> None:
    empty_cache.mkdir()
    spoilt = empty_cache / npm.locked()[SMALL].file
    spoilt.write_bytes(b"something else")
    with pytest.raises(IntegrityError, match="fetched anew"):
        npm.fetch([SMALL])
    assert not spoilt.exists()


def script(folder: Path, body: str) -> str:
    """A program in npm's place."""
    file = folder / "npm.py"
    file.write_text(body, encoding="utf-8")
    return str(file)


def test_another_file_than_the_pinned_one_is_refused(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = npm.locked()[SMALL].file
    fake = script(tmp_path, f"import pathlib; pathlib.Path({name!r}).write_bytes(b'evil')")
    monkeypatch.setattr(npm, "_npm", lambda: [sys.executable, fake])
    with pytest.raises(IntegrityError, match="npm gave another file"):
        npm.fetch([SMALL])
    assert not (empty_cache / name).exists()


@pytest.mark.usefixtures("empty_cache")
def test_without_a_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = script(tmp_path, "import sys; sys.exit('npm error code ENOTFOUND')")
    monkeypatch.setattr(npm, "_npm", lambda: [sys.executable, fake])
    with pytest.raises(NbdeployError, match=r"ENOTFOUND.*\n.*needed once: connect to the network"):
        npm.fetch([SMALL])


def test_the_npm_of_the_extra_serves_who_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm.shutil, "which", lambda *_, **__: None)
    command = npm._npm()
    assert all(Path(part).is_file() for part in command)
    assert "npm" in Path(command[1]).name


@pytest.mark.parametrize("target", TARGETS)
def test_every_import_leads_to_a_file_of_the_page(target: type[WebTarget]) -> None:
    files = {**site.own_files(target.page), **site.runtime_files(target.page, npm.fetch(target.page.packages))}
    for name, content in files.items():
        if not name.endswith(".js"):
            continue
        text = content.decode()
        found = re.findall(r"""(?:\bfrom|\bimport)\s*["']([\w@./-]+)["']""", text)
        for wanted in found:
            assert wanted.startswith("./"), f"{name} imports {wanted}"
            assert (Path(name).parent / wanted).as_posix() in files, f"{name} imports {wanted}"
        assert "sourceMappingURL" not in text


@pytest.mark.parametrize("target", TARGETS)
def test_the_page_is_written_whole_with_icons_and_licences(target: type[WebTarget], tmp_path: Path) -> None:
    site.write(tmp_path, target.page, name="Wild birds of Europe")
    page = tmp_path / "app" / "web"
    manifest = json.loads((page / "manifest.webmanifest").read_text(encoding="utf-8"))
    assert ("Wild birds of Europe", "Wild birds …") == (manifest["name"], manifest["short_name"])
    for icon in manifest["icons"]:
        with Image.open(page / icon["src"]) as image:
            assert icon["sizes"] == "{}x{}".format(*image.size)
    licences = (page / "licences.txt").read_text(encoding="utf-8")
    assert all(f"{name} {npm.locked()[name].version}" in licences for name in target.page.packages)
    assert "END OF TERMS AND CONDITIONS" in licences
    assert ("THE SOFTWARE IS PROVIDED" in licences) == any(licence == "MIT" for _, licence, _ in target.page.notices)
    assert "app/web/" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "" == site.foreign(tmp_path, target.page)


def test_a_file_that_a_stranger_changed_or_added_is_found(tmp_path: Path) -> None:
    site.write(tmp_path, TfjsTarget.page, name="x")
    added = tmp_path / "app" / "web" / "runtime" / "more.js"
    added.write_text("1")
    assert "runtime/more.js" == site.foreign(tmp_path, TfjsTarget.page)
    added.unlink()
    changed = tmp_path / "app" / "web" / "runtime" / "litert.js"
    changed.write_bytes(changed.read_bytes() + b"\n")
    assert "runtime/litert.js" == site.foreign(tmp_path, TfjsTarget.page)


def test_the_icon_is_drawn_to_its_edges_where_a_launcher_cuts_it() -> None:
    whole, rounded = (np.asarray(Image.open(io.BytesIO(icons.png(64, rounded=r)))) for r in (False, True))
    assert 255 == whole[0, 0, 3]
    assert 0 == rounded[0, 0, 3]
    assert icons.svg().startswith("<svg")


ROWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])


@pytest.mark.parametrize(
    ("change", "recipe", "status"),
    [
        (0.0, "fp32", Status.passed),
        (9e-4, "fp32", Status.passed),
        (2e-3, "fp32", Status.failed),
        (0.02, "static_int8", Status.passed),
        (0.4, "static_int8", Status.failed),
        (float("nan"), "fp32", Status.failed),
    ],
)
def test_the_browsers_answers_are_held_to_the_recipes_limits(change: float, recipe: str, status: Status) -> None:
    moved = np.array([[-change, change, 0.0], [0.0, 0.0, 0.0]])
    assert status is browser.judged(ROWS + moved, ROWS, RECIPES[recipe]).status


def test_without_playwright_or_a_browser_it_is_not_run_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browser, "found", lambda: "")
    check = browser.browser_check(None, WebTarget.page)  # type: ignore[arg-type]
    assert (Status.not_run, True) == (check.status, "install one" in check.why)
    monkeypatch.setattr(browser.importlib.util, "find_spec", lambda _: None)
    check = browser.browser_check(None, WebTarget.page)  # type: ignore[arg-type]
    assert (Status.not_run, True) == (check.status, 'pip install "nbdeploy[web]"' in check.why)


def test_the_manifest_names_the_versions_of_what_runs_in_the_page() -> None:
    assert {"onnxruntime-web"} == set(WebTarget().versions())
    assert "@litertjs/core" in TfjsTarget().versions()
    assert ("web", "tfjs") == (registry.targets["web"].extra, registry.targets["tfjs"].extra)
