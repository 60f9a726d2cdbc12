"""The cleaner in a real JupyterLab, by keyboard and mouse, its kernel killed in the middle; and in Notebook 7."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.browser import LOW_CONTRAST, chromium
from tests.lab import Book, Server, jupyter, write_notebook
from tests.suspects import write_suspects

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = {
    "load": "%load_ext nbdeploy",
    "clean": "cleaner = %clean shapes",
    "show": "cleaner",
    "cleaned": "print(len(cleaner.images), cleaner.counts['decided'].every)",
}
UNNAMED = """() => [...document.querySelectorAll('.nbd-cleaner :is(button, input, select, [role=grid], [role=dialog])')]
  .filter(one => !(one.getAttribute('aria-label') || one.textContent.trim())).map(one => one.outerHTML)"""
CELLS_NOW = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells.map(cell => cell.source)"


class Widget:
    """The cleaner on a page, as a person has it."""

    def __init__(self, book: Book, journal: Path) -> None:
        self.book, self.page, self.journal = book, book.page, journal
        self.root = book.page.locator(".nbd-cleaner")

    def appear(self) -> None:
        """Wait until the first pictures are there."""
        self.root.locator(".nbd-picture img[src], .nbd-problem:not(:empty)").first.wait_for(timeout=60_000)
        self.settle()

    def settle(self) -> None:
        """Wait until Python has answered all that was asked."""
        self.page.wait_for_function(
            "() => document.querySelector('.nbd-saved')?.textContent.startsWith('✓') "
            "&& !document.querySelector('.nbd-saving, .nbd-loading, .nbd-card:not([aria-label])')",
            timeout=20_000,
        )

    def go(self, queue: str) -> None:
        """Click on a queue, and wait for it."""
        self.root.locator(f'[data-queue="{queue}"]').click()
        self.root.locator(f'[data-queue="{queue}"][aria-selected="true"]').wait_for()
        self.settle()

    def press(self, *keys: str) -> None:
        """Press keys in the grid, one after another."""
        self.root.locator(".nbd-grid").focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def said(self, text: str) -> None:
        """Wait until a screen reader is told that."""
        self.root.locator('[role="status"]', has_text=text).wait_for(timeout=10_000)

    def card(self, name: str) -> Any:
        """The card of a file."""
        return self.root.locator(f'.nbd-card[aria-label^="{name},"]')

    def marks(self) -> list[str]:
        """What was decided, by the journal on disk: ``relabel wrong0.png disc``, and ``undo``."""
        lines = [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return [
            " ".join(filter(None, (one["op"], Path(one.get("path", "")).name, Path(one.get("to", "")).name)))
            for one in lines
        ]


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter(tmp_path_factory.mktemp("lab"), root) as running:
        write_suspects(running.work / "shapes")
        write_notebook(running.work / "book.ipynb", list(CELLS.values()))
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def widget(server: Server, browser: Any) -> Widget:
    book = Book(browser.new_page(viewport={"width": 1280, "height": 1400}), CELLS)
    book.page.set_default_timeout(10_000)
    book.open(server.page("book.ipynb"))
    book.run_all()
    made = Widget(book, server.work / "shapes" / "decisions.jsonl")
    made.appear()
    return made


def test_it_opens_where_something_is_open_and_prints_the_line_of_python(widget: Widget) -> None:
    assert 'nd.Cleaner("shapes")' in widget.book.text("clean")
    assert "Unreadable: 2 open of 2" == widget.root.get_by_role("tab", selected=True).get_attribute("aria-label")
    assert "empty file (0 bytes)" in widget.root.inner_text()
    assert "99 pictures" in widget.root.get_by_role("heading", name="shapes").inner_text()


def test_a_queue_that_is_done_says_what_comes_next(widget: Widget) -> None:
    widget.press("a", "x")
    widget.root.get_by_text("✓ Unreadable: all 2 looked at, 2 changed").wait_for()
    widget.root.locator(".nbd-done .nbd-next").click()
    widget.root.locator('[data-queue="labels"][aria-selected="true"]').wait_for()
    widget.settle()
    assert {"exclude empty.png", "exclude cut.png"} == set(widget.marks())


def test_keys_decide_and_the_focus_goes_to_the_next_that_is_open(widget: Widget) -> None:
    names = [label.split(",")[0] for label in _labels(widget.root.locator(".nbd-card"))]
    widget.press("Home", "a")
    widget.said("1 picture decided as suggested")
    assert names[1] == _labels(widget.root.locator(".nbd-at"))[0].split(",")[0]
    widget.press("1", "k")
    assert "→ disc" in widget.card(names[0]).inner_text()
    assert "kept" in widget.card(names[2]).get_attribute("aria-label")
    assert f"relabel {names[0]} disc" == widget.marks()[2]
    assert "3 of" in widget.root.locator(".nbd-how").inner_text()


def test_keys_of_the_cleaner_do_nothing_to_the_notebook(widget: Widget) -> None:
    before = widget.page.evaluate(CELLS_NOW)
    decided = len(widget.marks())
    widget.go("all")
    widget.press("d", "d", "b", "c", "v", "m", "y", "Escape", "Enter", "z", "x", "z")
    assert before == widget.page.evaluate(CELLS_NOW)
    assert decided + 4 == len(widget.marks())
    assert "undo" == widget.marks()[-1]


def test_a_range_is_one_decision_and_one_undo(widget: Widget) -> None:
    widget.go("all")
    widget.press("Home", "Shift+ArrowRight", "Shift+ArrowRight")
    assert 3 == widget.root.locator('.nbd-card[aria-selected="true"]').count()
    widget.press("t")
    widget.said("3 pictures turned")
    widget.press("Home", "Shift+ArrowRight", "Shift+ArrowRight", "r")
    widget.said("3 pictures restored as they were")
    widget.press("PageDown", "Shift+ArrowRight", "x")
    widget.said("2 pictures excluded")
    widget.press("z")
    widget.said("Taken back: 2 pictures excluded")
    widget.press("Shift+Z")
    widget.said("Again: 2 pictures excluded")
    widget.press("Control+z")
    widget.said("Taken back: 2 pictures excluded")
    assert ["exclude", "exclude", "undo", "redo", "undo"] == [mark.split()[0] for mark in widget.marks()[-5:]]


def test_a_class_is_typed_and_a_new_one_can_be_made(widget: Widget) -> None:
    widget.go("all")
    widget.press("End", "l")
    box = widget.root.get_by_role("dialog", name="Give a class")
    widget.page.keyboard.type("fr")
    assert ["frame"] == [text.split()[0] for text in box.get_by_role("option").all_inner_texts()[:1]]
    widget.page.keyboard.press("Escape")
    assert not box.is_visible()
    widget.press("l")
    widget.page.keyboard.type("ring")
    widget.page.keyboard.press("Enter")
    widget.said('labelled "ring"')
    widget.settle()
    assert "ring" in widget.root.get_by_role("toolbar", name="Give a class").inner_text()


def test_groups_are_decided_by_mouse_and_by_key(widget: Widget) -> None:
    widget.go("duplicates")
    head = widget.root.locator(".nbd-head-line", has_text="under 2 labels", has_not_text="✓").first
    assert "best: its label is the likeliest" in head.inner_text()
    widget.root.locator(".nbd-mark", has_text="★ best").first.wait_for()
    head.get_by_role("button", name="Keep best").click()
    widget.said("merged into the one that is kept")
    widget.settle()
    assert any(mark.startswith("merge") for mark in widget.marks())
    widget.press("k")
    widget.said("1 group: all kept")
    before = len(widget.marks())
    widget.root.get_by_role("toolbar", name="Decide").get_by_role("button", name="Keep this one").click()
    widget.said("merged into the one that is kept")
    widget.settle()
    assert before < len(widget.marks())


def test_filters_narrow_what_is_shown_and_can_be_cleared(widget: Widget) -> None:
    widget.go("all")
    widget.press("/")
    widget.page.keyboard.type("wrong")
    widget.page.wait_for_function("() => document.querySelectorAll('.nbd-card').length === 3")
    widget.page.keyboard.press("Escape")
    widget.root.get_by_label("Class, given or predicted").select_option("bar")
    widget.page.wait_for_function("() => document.querySelectorAll('.nbd-card').length < 3")
    widget.root.get_by_role("button", name="Clear filters").click()
    widget.page.wait_for_function("() => document.querySelectorAll('.nbd-card').length > 8")
    widget.root.get_by_label("Confidence from, in percent").focus()
    widget.page.keyboard.press("End")
    widget.root.get_by_text("No picture fits these filters.").wait_for()
    widget.root.locator(".nbd-nothing").get_by_role("button", name="Clear filters").click()
    widget.root.locator(".nbd-card").first.wait_for()


def test_zoom_shows_the_whole_picture_with_its_decisions(widget: Widget) -> None:
    widget.go("labels")
    widget.press("Home", " ")
    over = widget.root.locator(".nbd-over")
    over.get_by_role("heading", name="Decisions").wait_for()
    assert over.locator(".nbd-whole img").evaluate("image => image.decode().then(() => image.naturalWidth)") >= 48
    assert over.locator("time").count() >= 1
    widget.page.keyboard.press("ArrowRight")
    over.get_by_role("heading", name="Decisions").wait_for()
    widget.page.keyboard.press("Escape")
    assert not over.is_visible()
    widget.root.locator(".nbd-card").first.dblclick()
    assert over.is_visible()
    over.get_by_role("button", name="Close").click()


def test_only_what_is_in_sight_is_in_the_page(widget: Widget) -> None:
    widget.go("all")
    assert 60 >= widget.root.locator(".nbd-card").count()
    widget.press("End")
    widget.root.locator(".nbd-at .nbd-problem:not(:empty)").wait_for()  # nothing was predicted of what is unreadable
    assert 60 >= widget.root.locator(".nbd-card").count()
    assert widget.root.locator(".nbd-at").get_attribute("id") == widget.root.locator(".nbd-grid").get_attribute(
        "aria-activedescendant"
    )


def test_everything_has_a_name_and_a_role(widget: Widget) -> None:
    widget.press("?")
    assert [] == widget.page.evaluate(UNNAMED)
    assert "leave out of the set" in widget.root.get_by_role("dialog", name="All keys").inner_text()
    widget.page.keyboard.press("?")
    grid = widget.root.get_by_role("grid", name="Pictures")
    assert "true" == grid.get_attribute("aria-multiselectable")
    assert grid.get_by_role("row").count() >= 2
    assert grid.get_by_role("gridcell").count() >= 6


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_every_word_can_be_read_in_both_themes(widget: Widget, theme: str) -> None:
    widget.book.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    widget.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    for queue in ("decided", "duplicates", "unreadable", "outliers"):
        widget.go(queue)
        assert [] == widget.page.evaluate(LOW_CONTRAST, ".nbd-cleaner")


def test_it_fits_a_narrow_page(widget: Widget) -> None:
    widget.page.set_viewport_size({"width": 700, "height": 1400})
    widget.go("all")
    assert [] == widget.page.evaluate(
        """() => { const {right} = document.querySelector('.nbd-cleaner').getBoundingClientRect();
        return [...document.querySelectorAll('.nbd-cleaner :is(button, select, input, .nbd-card)')].filter(
          one => one.checkVisibility() && one.getBoundingClientRect().right > right).map(one => one.outerHTML) }"""
    )
    widget.page.set_viewport_size({"width": 1280, "height": 1400})


def test_a_decision_is_not_called_saved_before_python_says_so(widget: Widget, server: Server) -> None:
    widget.go("all")
    before = widget.marks()
    kernel = _kernel(server)
    kernel.suspend()
    try:
        widget.root.locator(".nbd-grid").focus()
        widget.page.keyboard.press("x")
        widget.root.get_by_text("… saving 1 decision: the kernel is busy").wait_for()
        assert "… saving" == widget.root.locator(".nbd-saving .nbd-mark").inner_text()
        assert before == widget.marks()
    finally:
        kernel.resume()
    widget.settle()
    assert len(before) + 1 == len(widget.marks())


def test_marks_outlive_a_kernel_that_is_killed_and_a_line_that_it_left_torn(widget: Widget, server: Server) -> None:
    widget.go("all")
    widget.press("Home", "x")
    before = widget.marks()
    shown = widget.root.locator('[data-queue="decided"] .nbd-count').inner_text()
    _kernel(server).kill()
    widget.root.get_by_text("Not connected to the kernel: nothing is lost.").wait_for(timeout=30_000)
    widget.page.locator(".jp-Dialog button").click()
    excluded = widget.root.locator(".nbd-s-excluded").count()
    assert widget.root.get_by_role("toolbar", name="Decide").get_by_role("button", name="Exclude").is_disabled()
    widget.root.locator(".nbd-grid").focus()
    widget.page.keyboard.press("ArrowRight")
    widget.page.keyboard.press("x")
    assert excluded == widget.root.locator(".nbd-s-excluded").count()
    assert 0 == widget.root.locator(".nbd-saving").count()
    assert before == widget.marks()
    with widget.journal.open("ab") as file:
        file.write(b'{"v": 1, "op": "exclude", "sha2')
    widget.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'", timeout=60_000
    )
    widget.book.run_all()
    widget.page.wait_for_function("() => !document.querySelector('.nbd-gone')", timeout=60_000)
    widget.appear()
    assert shown == widget.root.locator('[data-queue="decided"] .nbd-count').inner_text()
    widget.page.wait_for_function(
        "number => [...document.querySelectorAll('.jp-OutputArea-output')].some(one => "
        "one.textContent.trim().endsWith(` ${number}`))",
        arg=shown,
    )


def test_a_cell_that_runs_again_goes_on_where_it_was(widget: Widget) -> None:
    shown = widget.root.locator('[data-queue="decided"]').inner_text()
    widget.book.run_all()
    widget.page.wait_for_timeout(300)
    widget.appear()
    assert shown == widget.root.locator('[data-queue="decided"]').inner_text()
    widget.go("labels")
    widget.press("z")
    widget.said("Taken back")


def test_a_saved_notebook_without_its_kernel_shows_a_page_that_needs_none(widget: Widget) -> None:
    page = widget.page
    assert not page.locator(".nbd-cleaner-page").is_visible()
    assert page.locator(".nbd-cleaner-page").count()
    widget.press("Home", "x")
    page.wait_for_timeout(2500)  # the page follows the last decision after a moment
    widget.book.command("docmanager:save")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.model.dirty")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.reload()
    page.locator(".nbd-cleaner-page").wait_for(timeout=60_000)
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.nbd-cleaner-page')).visibility === 'visible'"
    )
    text = " ".join(page.locator(".nbd-cleaner-page").inner_text().split())
    assert "shapes: 99 pictures" in text
    assert "Decided:" in text
    assert "Run the cell again to go on." in text
    assert page.locator('.nbd-cleaner-page img[src^="data:image/webp"]').count() >= 10
    assert [] == page.evaluate(LOW_CONTRAST, ".nbd-cleaner-page")
    assert not page.get_by_text("Error displaying widget").is_visible()


def test_the_page_asks_nobody_but_its_own_server(widget: Widget) -> None:
    hosts = {urlsplit(url).hostname for url in widget.book.asked if not url.startswith(("data:", "blob:"))}
    assert {"127.0.0.1"} == hosts
    assert [] == [url for url in widget.book.asked if "/files/" in url]


def test_notebook_7_shows_it_too(root: Path, tmp_path: Path, browser: Any) -> None:
    cells = {"clean": "import nbdeploy as nd\ncleaner = nd.Cleaner('shapes')\ncleaner"}
    with jupyter(tmp_path, root, app="notebook") as server:
        write_suspects(server.work / "shapes", clean=12)
        write_notebook(server.work / "book.ipynb", list(cells.values()))
        book = Book(browser.new_page(viewport={"width": 1000, "height": 1100}), cells)
        book.open(server.page("book.ipynb", app="notebook"))
        book.run_all()
        widget = Widget(book, server.work / "shapes" / "decisions.jsonl")
        widget.appear()
        before = book.page.evaluate(CELLS_NOW)
        widget.go("all")
        widget.press("Home", "d", "d", "x", "1")
        assert before == book.page.evaluate(CELLS_NOW)
        assert 2 == len(widget.marks())
        assert not book.page.locator(".nbd-cleaner-page").is_visible()


def _labels(cards: Any) -> list[str]:
    return [card.get_attribute("aria-label") for card in cards.all()]


def _kernel(server: Server) -> psutil.Process:
    mine = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "ipykernel_launcher" in " ".join(process.info["cmdline"] or ())
        and str(server.work.parent) in " ".join(process.info["cmdline"])
    ]
    (one,) = mine
    return one
