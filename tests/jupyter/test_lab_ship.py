"""The ship panel, clicked and typed through in a real JupyterLab: one kernel, from choosing to undoing."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import LOW_CONTRAST, chromium
from tests.lab import Book, jupyter, write_notebook

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
PATIENCE = 60_000


@pytest.fixture(scope="module")
def book(root: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with jupyter(tmp_path_factory.mktemp("lab"), root) as server, chromium() as browser:
        (server.work / "pictures").symlink_to(pictures)
        write_notebook(server.work / "book.ipynb", list(CELLS.values()))
        opened = Book(browser.new_page(viewport={"width": 1280, "height": 2400}), CELLS)
        opened.work, opened.address = server.work, server.page("book.ipynb")  # type: ignore[attr-defined]
        opened.open(server.page("book.ipynb"))
        run(opened, "load")
        run(opened, "ship")
        opened.page.locator(".nbd-ship").wait_for(timeout=PATIENCE)
        yield opened


def run(book: Book, cell: str) -> None:
    number = book.cells.index(cell)
    book.page.evaluate("i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", number)
    book.command("notebook:run-cell")


def said(book: Book, cell: str, text: str) -> None:
    run(book, cell)
    book.page.get_by_text(text, exact=True).first.wait_for(timeout=PATIENCE)


def panel(book: Book, state: str, *, nth: int = 0) -> Any:
    """The panel, once it is in that state."""
    found = book.page.locator(".nbd-ship").nth(nth)
    book.page.wait_for_function(
        "([n, state]) => document.querySelectorAll('.nbd-ship')[n]?.dataset.state === state",
        arg=[nth, state],
        timeout=PATIENCE,
    )
    return found


def press(book: Book, *keys: str) -> None:
    for key in keys:
        book.page.keyboard.press(key)


def focused(book: Book) -> str:
    return str(book.page.evaluate("document.activeElement.dataset.place || document.activeElement.textContent"))


def tab_to(book: Book, place: str) -> None:
    for _ in range(40):
        if focused(book) == place:
            return
        press(book, "Tab")
    pytest.fail(f"Tab never came to {place}")


def test_by_keys_alone_a_model_is_chosen_deployed_cancelled_and_deployed(book: Book) -> None:
    page = panel(book, "choosing")
    page.get_by_role("radio", name="executorch").focus()
    press(book, "ArrowDown")  # numpy stands below
    page.get_by_text('nd.deploy(learn, target="numpy", recipe="fp16"').wait_for()
    tab_to(book, "field out")
    book.page.keyboard.type("build/dd")  # D D would delete the cell
    page.get_by_text('out="build/dd"').wait_for()
    said(book, "slow", "slow now")
    page.get_by_label("Folder").focus()
    press(book, "Enter")
    panel(book, "working")
    page.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    assert "Cancel" == focused(book)
    press(book, "Escape")
    assert "Yes, cancel" == focused(book)
    press(book, "Escape")
    assert "Cancel" == focused(book)
    press(book, "Escape", "Enter")
    panel(book, "cancelled")
    assert "■\ncancelled" in page.locator(".nbd-steps li", has_text="Convert").inner_text().replace("Convert\n", "")
    assert "Nothing was put in place." in page.get_by_role("status").inner_text()
    assert [] == list((book.work / "build").iterdir())  # type: ignore[attr-defined]
    said(book, "right", "right now")
    page.get_by_role("button", name="Try again").focus()
    press(book, "Enter")
    panel(book, "done")
    assert len(CELLS) == book.page.locator(".jp-Notebook .jp-Cell").count()


def test_the_result_says_how_good_it_is_and_comes_as_a_zip_and_to_python(book: Book, tmp_path: Path) -> None:
    page = panel(book, "done")
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
    run(book, "result")
    book.page.get_by_text("got model 1.0.0 for numpy").wait_for(timeout=PATIENCE)


def test_undo_takes_it_back_and_redo_brings_it_again(book: Book) -> None:
    place = book.work / "build" / "dd"  # type: ignore[attr-defined]
    page = panel(book, "done")
    page.get_by_role("button", name="Undo").click()
    panel(book, "undone")
    assert not place.exists()
    page.get_by_role("button", name="Redo").click()
    panel(book, "done")
    assert (place / "manifest.json").is_file()


def test_a_spoilt_model_is_shown_on_its_step_and_may_be_accepted_for_a_reason(book: Book) -> None:
    said(book, "wrong", "wrong now")
    page = panel(book, "done")
    page.get_by_role("button", name="Deploy another").click()
    panel(book, "choosing")
    page.get_by_text("Replaces model 1.0.0").wait_for()
    page.get_by_role("button", name="Deploy", exact=True).click()
    panel(book, "failed")
    assert "✗" == page.locator(".nbd-steps li", has_text="Verify").locator(".nbd-sign").inner_text()
    fault = " ".join(page.get_by_role("region", name="What went wrong").inner_text().split())
    assert "The recipe fp16 is to blame" in fault
    assert "✗ failed top1 agreement" in fault
    page.get_by_label("Why it is good enough").fill("only a test")
    page.get_by_role("button", name="Deploy all the same").click()
    panel(book, "done")
    assert "put in place although checks failed: only a test" in page.inner_text()
    assert 0 < page.locator(".nbd-changed img").count()
    page.get_by_role("button", name="Undo").click()
    panel(book, "undone")
    assert "The bundle that was there before is back." in page.inner_text()


def test_it_works_on_while_it_is_closed_opened_again_and_the_page_is_left(book: Book) -> None:
    said(book, "slow", "slow now")
    page = panel(book, "undone")
    page.get_by_role("button", name="Deploy another").click()
    panel(book, "choosing")
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Close").click()
    assert not page.locator(".nbd-steps").is_visible()
    run(book, "again")
    other = panel(book, "working", nth=1)
    other.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    book.command("docmanager:save")
    book.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    book.open(book.address)  # type: ignore[attr-defined]
    back = panel(book, "working", nth=1)
    back.locator(".nbd-is-running", has_text="Convert").wait_for(timeout=PATIENCE)
    back.get_by_role("button", name="Cancel", exact=True).click()
    back.get_by_role("button", name="Yes, cancel").click()
    panel(book, "cancelled")
    panel(book, "cancelled", nth=1)


def test_a_screen_reader_is_told_roles_and_names(book: Book) -> None:
    page = panel(book, "cancelled", nth=1)
    steps = page.aria_snapshot()
    assert '- region "Ship panel"' in steps
    assert '- list "Steps"' in steps
    assert "- status" in steps
    page.get_by_role("button", name="Choose again").click()
    panel(book, "choosing", nth=1)
    tree = page.aria_snapshot()
    for part in ('group "Target"', 'group "Recipe"', 'textbox "Name"', 'textbox "Folder"', 'button "Deploy"'):
        assert part in tree, tree
    assert 'form "What to deploy"' in tree
    missing = "e => !e.hasAttribute('data-lm-suppress-shortcuts')"
    focusable = page.locator("button, input, summary, [tabindex]")
    assert [] == focusable.evaluate_all(f"all => all.filter({missing}).map(e => e.outerHTML)")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_word_can_be_read_in_both_themes(book: Book, theme: str) -> None:
    book.page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
    book.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    assert [] == book.page.evaluate(LOW_CONTRAST, ".nbd-ship")
