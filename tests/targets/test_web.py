"""The web target, and what its page does beside answering: installing, updating, falling back, access for all."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.bundle import MANIFEST, sealed
from nbdeploy.core.files import sha256_of, write_json
from tests.browser import CHROMIUM, FLAGS, LOW_CONTRAST
from tests.targets.page import PHONE, PageContract, Served, classified, opened, served, until, until_text


def release(folder: Path, version: str, *changed: str, wrong: str = "") -> None:
    """Make what lies in `folder` a release: a version, the hashes of `changed` files, and of `wrong` another."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["version"] = version
    for file in manifest["files"]:
        if file["path"] in changed:
            file |= {"sha256": sha256_of(folder / file["path"]), "bytes": (folder / file["path"]).stat().st_size}
        if file["path"] == wrong:
            file["sha256"] = "0" * 64
    write_json(folder / MANIFEST, sealed(manifest))


def turn_answers_round(model: Path) -> None:
    """A model that loads and runs as before and answers nonsense."""
    import onnx
    from onnx import numpy_helper

    loaded = onnx.load(model)
    (last,) = (one for one in loaded.graph.initializer if list(one.dims) == [3, 32])
    last.CopyFrom(numpy_helper.from_array(-8 * numpy_helper.to_array(last), last.name))
    onnx.save(loaded, model)


def look_for_update(page: Any) -> None:
    page.click("#open-about")
    page.click("#look-for-update")
    page.keyboard.press("Escape")


def version(page: Any) -> str:
    return page.evaluate("document.querySelector('#facts dd').textContent").rpartition(" ")[2]


@pytest.mark.slow
@pytest.mark.browser
class TestWeb(PageContract):
    """Held to what every target with a page promises."""

    target = "web"

    @pytest.fixture
    def site(self, page_bundle: nd.Bundle, tmp_path: Path) -> Path:
        return shutil.copytree(page_bundle.path, tmp_path / "site")

    @pytest.fixture
    def plain(self, browser: Any) -> Iterator[Any]:
        """A context without leave to use the camera."""
        made = browser.new_context(viewport=PHONE)
        yield made
        made.close()

    def test_an_update_is_tested_used_and_taken_back_when_it_answers_otherwise(
        self, plain: Any, site: Path, samples: list[dict[str, Any]]
    ) -> None:
        with served(site) as running:
            page = opened(plain, running.url)
            until_text(page, "#standing", "Works offline")
            assert "1.0.0" == version(page)

            release(site, "1.1.0")
            look_for_update(page)
            until_text(page, "#toast-text", "A new version is ready")
            page.click("#toast-action")
            page.wait_for_event("load")
            page.evaluate("window.nbdeploy.ready")
            until_text(page, "#standing", "Works offline")
            assert "1.1.0" == version(page)

            turn_answers_round(site / "model.onnx")
            release(site, "1.2.0", "model.onnx")
            look_for_update(page)
            until_text(page, "#toast-text", "A new version is ready")
            page.click("#toast-action")
            until_text(page, "#toast-text", "was taken back (on this device it answers")
            until(page, "window.nbdeploy.mode === 'idle'")
            assert "1.1.0" == version(page)
            assert samples[0]["label"] == classified(page, site / "samples" / samples[0]["file"])["label"]
            look_for_update(page)
            until_text(page, "#toast-text", "The new version did not work here before")

    def test_a_release_that_does_not_start_is_taken_back_and_one_with_a_wrong_hash_is_not_taken(
        self, plain: Any, site: Path
    ) -> None:
        with served(site) as running:
            page = opened(plain, running.url)
            until_text(page, "#standing", "Works offline")
            release(site, "1.1.0", wrong="app/web/view.js")
            look_for_update(page)
            until_text(page, "#toast-text", "app/web/view.js is not what manifest.json says")

            (site / "app" / "web" / "view.js").write_text("this is no program", encoding="utf-8")
            release(site, "1.2.0", "app/web/view.js")
            look_for_update(page)
            until_text(page, "#toast-text", "A new version is ready")
            for _ in range(3):
                page.reload()
                assert page.evaluate("window.nbdeploy === undefined")
            page.reload()
            page.evaluate("window.nbdeploy.ready")
            assert "1.0.0" == version(page)
            assert "it did not start" in page.inner_text("#toast-text")

    def test_a_browser_finds_it_installable(self, browser: Any, server: Served, tmp_path: Path) -> None:
        # A profile that is kept: nothing can be installed from a private window.
        settings = {"executable_path": str(CHROMIUM), "args": list(FLAGS)}
        context = browser.browser_type.launch_persistent_context(str(tmp_path), **settings)
        try:
            page = opened(context, server.url)
            until_text(page, "#standing", "Works offline")
            session = context.new_cdp_session(page)
            errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
            assert [] == errors
            found = session.send("Page.getAppManifest")
            assert [] == found["errors"]
            assert "colours" == json.loads(found["data"])["name"]
        finally:
            context.close()

    def test_without_leave_to_use_the_camera_it_says_why_and_takes_files(
        self, plain: Any, server: Served, page_bundle: nd.Bundle, samples: list[dict[str, Any]]
    ) -> None:
        page = opened(plain, server.url)
        page.get_by_role("button", name="Use the camera").click()
        until_text(page, "#cover-code", "NotAllowedError")
        assert "blocked" in page.inner_text("#cover-text")
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a picture").click()
        chooser.value.set_files(str(page_bundle.path / "samples" / samples[0]["file"]))
        until(page, "window.nbdeploy.answer")
        assert samples[0]["label"] == page.evaluate("window.nbdeploy.answer.label")

    def test_a_file_that_is_no_picture_is_told_in_words(self, plain: Any, server: Served, tmp_path: Path) -> None:
        page = opened(plain, server.url)
        (tmp_path / "notes.png").write_text("not a picture")
        page.set_input_files("#file", str(tmp_path / "notes.png"))
        until_text(page, "#cover-title", "Not a picture")
        assert "notes.png cannot be read" in page.inner_text("#cover-text")

    def test_the_keyboard_does_all_and_a_screen_reader_is_told(
        self, context: Any, server: Served, samples: list[dict[str, Any]]
    ) -> None:
        page = opened(context, server.url)
        choosers: list[Any] = []
        page.on("filechooser", lambda one: choosers.append(one))  # noqa: PLW0108 - playwright marks the function; from the start: waiting for one alone loses a race now and then
        until(page, "window.nbdeploy.mode === 'live' && window.nbdeploy.answer")
        page.keyboard.press("Space")
        until(page, "window.nbdeploy.mode === 'still' && window.nbdeploy.answer")
        assert "true" == page.get_by_role("button", name="Resume").get_attribute("aria-pressed")
        answer = page.evaluate("window.nbdeploy.answer")
        assert page.inner_text("#spoken").startswith(answer["label"])
        assert "polite" == page.get_attribute("#spoken", "aria-live")
        rows = page.get_by_role("list").get_by_role("listitem").all_inner_texts()
        assert 3 == len(rows)
        assert rows[0].startswith(answer["label"])
        page.keyboard.press("m")
        page.get_by_role("dialog", name="About this model").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog", include_hidden=True).wait_for(state="hidden")
        page.keyboard.press("o")
        end = time.monotonic() + 20
        while not choosers:
            assert time.monotonic() < end, "no file chooser was opened"
            page.wait_for_timeout(50)
        page.keyboard.press("s")
        until(page, "!document.querySelector('#toast').hidden")  # nothing to share with here: copied, or the reason
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save the picture").click()
        assert saved.value.suggested_filename.endswith(".png")
        for name in ("Picture", "Switch", "Resume", "Share", "Model"):
            assert 1 == page.get_by_role("navigation").get_by_role("button", name=name).count()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_can_be_read_in_light_and_dark_and_fits_a_small_phone(
        self, browser: Any, server: Served, page_bundle: nd.Bundle, samples: list[dict[str, Any]], scheme: str
    ) -> None:
        context = browser.new_context(viewport={"width": 320, "height": 568}, color_scheme=scheme)
        page = opened(context, server.url)
        assert [] == page.evaluate(LOW_CONTRAST, "body")
        page.click("#start")
        until_text(page, "#cover-code", "NotAllowedError")
        assert [] == page.evaluate(LOW_CONTRAST, "body")
        classified(page, page_bundle.path / "samples" / samples[0]["file"])
        page.click("#open-about")
        assert [] == page.evaluate(LOW_CONTRAST, "body")
        assert 320 >= page.evaluate("document.documentElement.scrollWidth")
        context.close()


def test_pwa_is_another_name_for_it() -> None:
    assert "web" == registry.targets.canonical("pwa")
