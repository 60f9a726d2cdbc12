"""The ship panel, clicked and typed through in a real JupyterLab: one kernel, from choosing to undoing."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import LOW_CONTRAST
from tests.jupyter.panel import PATIENCE, ShipBook, ship_book

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = {
    "load": """%load_ext nbdeploy
import os, nbdeploy as nd
from tests.models import learner, loaders, patch_model
dls = loaders("pictures")
learn = learner(dls, patch_model(dls.c), epochs=8, lr=0.1)""",
    "ship": 'panel = nd.Ship(learn, target="onnx", latency_runs=0, samples=2, verify_files=4)\npanel',
    "slow": 'os.environ |= {"NUMPY_TARGET_FAULT": "slow", "NUMPY_TARGET_MARK": "mark"}\nprint("slow now")',
    "again": "%ship --target numpy",
    "right": 'del os.environ["NUMPY_TARGET_FAULT"]\nprint("right now")',
    "wrong": 'os.environ["NUMPY_TARGET_FAULT"] = "recipe"\nprint("wrong now")',
    "result": 'print("got", panel.wait())',
}


@pytest.fixture(scope="module")
def book(root: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShipBook]:
    with ship_book(tmp_path_factory.mktemp("lab"), root, pictures, CELLS) as opened:
        yield opened


def press(book: ShipBook, *keys: str) -> None:
    for key in keys:
        book.page.keyboard.press(key)


def focused(book: ShipBook) -> str:
    return str(book.page.evaluate("document.activeElement.dataset.place || document.activeElement.textContent"))


def tab_to(book: ShipBook, place: str) -> None:
    for _ in range(40):
        if focused(book) == place:
            return
        press(book, "Tab")
    pytest.fail(f"Tab never came to {place}")


def test_by_keys_alone_a_model_is_chosen_deployed_cancelled_and_deployed(book: ShipBook) -> None:
    page = book.panel("choosing")
    page.get_by_role("radio", name="executorch").focus()
    press(book, "ArrowDown")  # numpy stands below
    page.get_by_text('nd.deploy(learn, target="numpy", recipe="fp16"').wait_for()
    tab_to(book, "field out")
    book.page.keyboard.type("build/dd")  # D D would delete the cell
    page.get_by_text('out="build/dd"').wait_for()
    book.said("slow", "slow now")
    page.get_by_label("Folder").focus()
    press(book, "Enter")
    book.panel("working")
    page.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    assert "Cancel" == focused(book)
    press(book, "Escape")
    assert "Yes, cancel" == focused(book)
    press(book, "Escape")
    assert "Cancel" == focused(book)
    press(book, "Escape", "Enter")
    book.panel("cancelled")
    assert "■\ncancelled" in page.locator(".nbd-steps li", has_text="Convert").inner_text().replace("Convert\n", "")
    assert "Nothing was put in place." in page.get_by_role("status").inner_text()
    assert [] == list((book.work / "build").iterdir())
    book.said("right", "right now")
    page.get_by_role("button", name="Try again").focus()
    press(book, "Enter")
    book.panel("done")
    assert len(CELLS) == book.page.locator(".jp-Notebook .jp-Cell").count()


def test_the_result_says_how_good_it_is_and_comes_as_a_zip_and_to_python(book: ShipBook, tmp_path: Path) -> None:
    page = book.panel("done")
    text = " ".join(page.inner_text().split())
    assert "✓ verified model 1.0.0 for numpy, fp16" in text
    assert "✓ No picture changed its answer (4 held-out files)." in text
    assert "same answer 100 %" in text
    with book.page.expect_download() as coming:
        page.get_by_role("button", name="Download as zip").click()
    coming.value.save_as(tmp_path / "dd.zip")
    assert "dd.zip" == coming.value.suggested_filename
    with zipfile.ZipFile(tmp_path / "dd.zip") as archive:
        assert archive.testzip() is None
        assert "dd/manifest.json" in archive.namelist()
    with book.page.expect_popup() as tab:
        page.get_by_role("button", name="Open the report").click()
    tab.value.get_by_text("top1 agreement").first.wait_for()
    tab.value.close()
    book.run("result")
    book.page.get_by_text("got model 1.0.0 for numpy").wait_for(timeout=PATIENCE)


def test_undo_takes_it_back_and_redo_brings_it_again(book: ShipBook) -> None:
    place = book.work / "build" / "dd"
    page = book.panel("done")
    page.get_by_role("button", name="Undo").click()
    book.panel("undone")
    assert not place.exists()
    page.get_by_role("button", name="Redo").click()
    book.panel("done")
    assert (place / "manifest.json").is_file()


def test_a_spoilt_model_is_shown_on_its_step_and_may_be_accepted_for_a_reason(book: ShipBook) -> None:
    book.said("wrong", "wrong now")
    page = book.panel("done")
    page.get_by_role("button", name="Deploy another").click()
    book.panel("choosing")
    page.get_by_text("Replaces model 1.0.0").wait_for()
    page.get_by_role("button", name="Deploy", exact=True).click()
    book.panel("failed")
    assert "✗" == page.locator(".nbd-steps li", has_text="Verify").locator(".nbd-sign").inner_text()
    fault = " ".join(page.get_by_role("region", name="What went wrong").inner_text().split())
    assert "The recipe fp16 is to blame" in fault
    assert "✗ failed top1 agreement" in fault
    page.get_by_label("Why it is good enough").fill("only a test")
    page.get_by_role("button", name="Deploy all the same").click()
    book.panel("done")
    assert "put in place although checks failed: only a test" in page.inner_text()
    assert 0 < page.locator(".nbd-changed img").count()
    page.get_by_role("button", name="Undo").click()
    book.panel("undone")
    assert "The bundle that was there before is back." in page.inner_text()


def test_it_works_on_while_it_is_closed_opened_again_and_the_page_is_left(book: ShipBook) -> None:
    book.said("slow", "slow now")
    page = book.panel("undone")
    page.get_by_role("button", name="Deploy another").click()
    book.panel("choosing")
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Close").click()
    assert not page.locator(".nbd-steps").is_visible()
    book.run("again")
    other = book.panel("working", nth=1)
    other.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    book.command("docmanager:save")
    book.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    book.open(book.address)
    back = book.panel("working", nth=1)
    back.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    back.get_by_role("button", name="Cancel", exact=True).click()
    back.get_by_role("button", name="Yes, cancel").click()
    book.panel("cancelled")
    book.panel("cancelled", nth=1)


def test_a_screen_reader_is_told_roles_and_names(book: ShipBook) -> None:
    page = book.panel("cancelled", nth=1)
    steps = page.aria_snapshot()
    assert '- region "Ship panel"' in steps
    assert '- list "Steps"' in steps
    assert "- status" in steps
    page.get_by_role("button", name="Choose again").click()
    book.panel("choosing", nth=1)
    tree = page.aria_snapshot()
    for part in ('group "Target"', 'group "Recipe"', 'textbox "Name"', 'textbox "Folder"', 'button "Deploy"'):
        assert part in tree, tree
    assert 'form "What to deploy"' in tree
    missing = "e => !e.hasAttribute('data-lm-suppress-shortcuts')"
    focusable = page.locator("button, input, summary, [tabindex]")
    assert [] == focusable.evaluate_all(f"all => all.filter({missing}).map(e => e.outerHTML)")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_word_can_be_read_in_both_themes(book: ShipBook, theme: str) -> None:
    book.theme(theme)
    assert [] == book.page.evaluate(LOW_CONTRAST, ".nbd-ship")
