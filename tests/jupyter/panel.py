"""The ship panel in a notebook of a real JupyterLab: what its tests click, press and wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser import chromium
from tests.lab import Book, Server, jupyter, write_notebook

PATIENCE = 60_000


class ShipBook(Book):
    """A notebook whose cells show ship panels. `work` is its folder, `address` its page."""

    def __init__(self, page: Any, cells: Mapping[str, str], server: Server) -> None:
        super().__init__(page, cells)
        self.work, self.address = server.work, server.page("book.ipynb")
        self.open(self.address)

    def run(self, cell: str) -> None:
        """Run one cell."""
        number = self.cells.index(cell)
        self.page.evaluate("i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", number)
        self.command("notebook:run-cell")

    def said(self, cell: str, text: str) -> None:
        """Run one cell, which prints `text`."""
        self.run(cell)
        self.page.get_by_text(text, exact=True).first.wait_for(timeout=PATIENCE)

    def panel(self, state: str, *, nth: int = 0) -> Any:
        """The panel, once it is in that state."""
        self.page.wait_for_function(
            "([n, state]) => document.querySelectorAll('.nbd-ship')[n]?.dataset.state === state",
            arg=[nth, state],
            timeout=PATIENCE,
        )
        return self.page.locator(".nbd-ship").nth(nth)

    def theme(self, name: str) -> None:
        """JupyterLab's own theme: Light or Dark."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(name == 'Light').lower()}'")


@contextmanager
def ship_book(
    own: Path, root: Path, pictures: Path, cells: Mapping[str, str], *, environment: Mapping[str, str] | None = None
) -> Iterator[ShipBook]:
    """A notebook beside a folder `pictures`; its cells ``load`` and ``ship`` have been run, and the panel is there."""
    with jupyter(own, root, environment=environment) as server, chromium() as browser:
        (server.work / "pictures").symlink_to(pictures)
        write_notebook(server.work / "book.ipynb", list(cells.values()))
        book = ShipBook(browser.new_page(viewport={"width": 1280, "height": 2400}), cells, server)
        book.run("load")
        book.run("ship")
        book.page.locator(".nbd-ship").wait_for(timeout=PATIENCE)
        yield book
