"""The live table of runs in a real JupyterLab: the filter, sorting, choosing, keys, and the two themes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import LOW_CONTRAST, chromium
from tests.lab import Book, jupyter, write_notebook
from tests.tracking.made import compressed, trained

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = {"load": "%load_ext nbdeploy", "table": "%runs"}


@pytest.fixture(scope="module")
def book(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    own, state = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("state")
    (own / "work").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBDEPLOY_STATE", str(state))
        patch.delenv("NBDEPLOY_RUNS", raising=False)
        patch.chdir(own / "work")
        first = trained("resnet18", 0.002, [0.5, 0.8, 0.9])
        trained("mobilenet_v3_small", 0.01, [0.4, 0.6])
        trained("resnet34", 0.005, [0.6, 0.9, 0.95])
        compressed(first, "static_int8", 0.89, 11_000_000)
    with jupyter(own, root, environment={"NBDEPLOY_STATE": str(state)}) as server, chromium() as browser:
        write_notebook(server.work / "book.ipynb", list(CELLS.values()))
        opened = Book(browser.new_page(viewport={"width": 1280, "height": 1000}), CELLS)
        opened.open(server.page("book.ipynb"))
        opened.run_all()
        opened.page.locator(".nbd-runs tr[data-id]").first.wait_for(timeout=60_000)
        yield opened


def shown(book: Book, number: int) -> None:
    book.page.wait_for_function(f"document.querySelectorAll('.nbd-runs tr[data-id]').length === {number}")


def test_the_living_table_stands_alone_and_is_narrowed_by_words_and_by_conditions(book: Book) -> None:
    assert "4 runs: 3 train, 1 compress" in book.text("table")
    assert not book.page.locator("[data-nbd-static]").first.is_visible()
    shown(book, 4)
    field = book.page.get_by_label("Show only runs that match")
    field.fill("resnet")
    shown(book, 2)
    assert "2 shown" in book.text("table")
    field.fill("accuracy > .89 and arch == 'resnet34'")
    shown(book, 1)
    field.fill("acuracy > .89")
    book.page.locator(".nbd-is-failed", has_text='Did you mean "accuracy"?').wait_for()
    field.press("Escape")
    shown(book, 4)


def test_a_heading_sorts_the_best_first_and_again_the_other_way(book: Book) -> None:
    heading = book.page.locator(".nbd-runs thead button", has_text="accuracy")
    heading.click()
    texts = book.page.locator(".nbd-runs tr[data-id]").all_inner_texts()
    shares = [next(cell for cell in text.split("\t") if "%" in cell).split("\N{NO-BREAK SPACE}")[0] for text in texts]
    assert ["95.0", "90.0", "89.0", "60.0"] == shares
    assert "descending" == book.page.locator(".nbd-runs th", has_text="accuracy").get_attribute("aria-sort")
    heading.click()
    assert "ascending" == book.page.locator(".nbd-runs th", has_text="accuracy").get_attribute("aria-sort")


def test_keys_choose_compare_draw_and_go_back(book: Book) -> None:
    lines = book.page.locator(".nbd-runs tr[data-id]")
    lines.first.focus()
    for key in ("Space", "ArrowDown", "Space", "c"):
        book.page.keyboard.press(key)
    inside = book.page.locator(".nbd-runs .nbd-inside")
    inside.get_by_text("2 runs side by side").wait_for()
    assert "2 chosen" in book.text("table")
    assert "✓ best" in " ".join(inside.inner_text().split())
    book.page.keyboard.press("Escape")
    assert book.page.evaluate("Boolean(document.activeElement.dataset.id)")
    book.page.keyboard.press("e")
    book.page.wait_for_function("document.querySelector('.nbd-runs .nbd-figure')?.naturalWidth > 300", timeout=60_000)
    book.page.keyboard.press("Escape")
    book.page.keyboard.press("r")
    inside.get_by_text("Nothing differs now").or_(inside.get_by_text("differ")).first.wait_for()
    book.page.keyboard.press("Escape")
    book.page.keyboard.press("Escape")
    assert "2 chosen" not in book.text("table")


def test_what_is_removed_can_be_brought_back_and_no_key_reaches_the_notebook(book: Book) -> None:
    book.page.locator(".nbd-runs tr[data-id]").first.focus()
    book.page.keyboard.press("Delete")
    shown(book, 3)
    book.page.get_by_role("button", name="Undo").click()
    shown(book, 4)
    book.page.keyboard.press("d")
    book.page.keyboard.press("d")
    assert 2 == book.page.locator(".jp-Notebook .jp-Cell").count()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_word_can_be_read_in_both_themes(book: Book, theme: str) -> None:
    book.page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
    book.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    assert [] == book.page.evaluate(LOW_CONTRAST, ".nbd-runs")
