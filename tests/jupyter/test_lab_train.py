"""A training in a real JupyterLab: its curves, and the button that stops it while the cell runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.browser import LOW_CONTRAST, chromium
from tests.lab import Book, jupyter, write_notebook
from tests.training.small import write_two

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRAIN = 'nd.train("pictures", arch="test_resnet.r160_in1k", epochs=3000, pretrained=False, batch_size=8)'
CELLS = {
    "load": "%load_ext nbdeploy\nimport nbdeploy as nd",
    "train": f"learn = {TRAIN}",
    "after": "print('kept', learn.history['kept'], 'of', learn.history['stopped'] - 1)",
}


@pytest.fixture(scope="module")
def book(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Book, Path]]:
    with jupyter(tmp_path_factory.mktemp("lab"), root) as server, chromium() as browser:
        write_two(server.work / "pictures")
        write_notebook(server.work / "book.ipynb", list(CELLS.values()))
        opened = Book(browser.new_page(viewport={"width": 1280, "height": 1200}), CELLS)
        opened.open(server.page("book.ipynb"))
        # The command's promise is kept only when the last cell has ended.
        opened.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        yield opened, server.work / "book.ipynb"


def test_the_button_stops_the_running_cell_and_the_best_weights_are_kept(book: tuple[Book, Path]) -> None:
    page = book[0].page
    button = page.get_by_role("button", name="Stop, keep the best weights")
    button.wait_for(timeout=60_000)
    page.locator("tbody tr").nth(2).wait_for(timeout=60_000)  # three epochs
    assert "of 3000" in book[0].text("train")
    button.click()
    page.wait_for_function("document.body.innerText.includes('kept ')", timeout=30_000)
    book[0].outputs("after").first.wait_for(timeout=30_000)
    assert "the best by held-out loss, are kept" in book[0].text("train")
    assert book[0].text("after").startswith("kept ")
    assert 0 == button.count()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_curves_and_words_can_be_read_in_both_themes(book: tuple[Book, Path], theme: str) -> None:
    page = book[0].page
    page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    assert 2 == book[0].outputs("train").locator("svg.nbd-plot").count()
    assert [] == page.evaluate(LOW_CONTRAST, ".nbd-out")


def test_the_saved_notebook_holds_the_picture_and_no_widget(book: tuple[Book, Path]) -> None:
    book[0].command("docmanager:save")
    cell = nbformat.read(book[1], 4).cells[1]
    views = [output for output in cell.outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    pages = [str(output["data"]["text/html"]) for output in cell.outputs if "text/html" in output.get("data", {})]
    assert [] == views
    assert any("<svg" in page and "are kept" in page for page in pages)
