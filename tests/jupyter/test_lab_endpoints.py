"""The live table of endpoints in a real JupyterLab: keys, the two themes, and what is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdeploy.providers import store
from tests.browser import LOW_CONTRAST, chromium
from tests.lab import Book, jupyter, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = {"load": "%load_ext nbdeploy", "table": "%endpoints"}


@pytest.fixture(scope="module")
def book(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBDEPLOY_STATE", str(state))
        about = {"url": "http://127.0.0.1:9", "model": {"name": "pets", "version": "2.0.0"}}
        for name in ("cats", "pets"):
            store.keep(name, "local", {}, {**about, "folder": str(state / "endpoints" / name)})
    with (
        jupyter(tmp_path_factory.mktemp("lab"), root, environment={"NBDEPLOY_STATE": str(state)}) as server,
        chromium() as browser,
    ):
        write_notebook(server.work / "book.ipynb", list(CELLS.values()))
        opened = Book(browser.new_page(viewport={"width": 1280, "height": 900}), CELLS)
        opened.open(server.page("book.ipynb"))
        opened.run_all()
        opened.page.locator(".nbd-endpoints tr[data-name]").first.wait_for(timeout=60_000)
        yield opened


def test_the_living_table_stands_alone_and_says_what_is_down(book: Book) -> None:
    assert "0 of 2 endpoints up" in book.text("table")
    assert 2 == book.page.locator(".nbd-endpoints tr[data-name]").count()
    assert not book.page.locator("[data-nbd-static]").first.is_visible()
    assert "✗ down" in book.text("table")


def test_a_key_asks_and_escape_goes_back_to_the_row(book: Book) -> None:
    cats = book.page.locator('.nbd-endpoints tr[data-name="cats"]')
    cats.focus()
    book.page.keyboard.press("ArrowDown")
    book.page.keyboard.press("u")
    field = book.page.get_by_label("The folder of a bundle")
    field.wait_for()
    assert "Let this bundle answer for pets" in book.text("table")
    book.page.keyboard.type("dd")
    assert "dd" == field.input_value()
    assert 2 == book.page.locator(".jp-Notebook .jp-Cell").count()
    book.page.keyboard.press("Escape")
    assert "pets" == book.page.evaluate("document.activeElement.dataset.name")
    book.page.keyboard.press("Delete")
    assert "This cannot be undone." in book.text("table")
    book.page.keyboard.press("Escape")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_word_can_be_read_in_both_themes(book: Book, theme: str) -> None:
    book.page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
    book.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    assert [] == book.page.evaluate(LOW_CONTRAST, ".nbd-endpoints")
