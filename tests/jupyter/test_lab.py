"""What a person sees in JupyterLab: a real server, a real kernel, a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser import LOW_CONTRAST, chromium
from tests.lab import Book, jupyter, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = {
    "load": "%load_ext nbdeploy\nimport nbdeploy as nd",
    "pictures": "images = nd.ImageSet.from_folder('pictures')\nimages",
    "train": "learn = %train images --arch squeezenet1_1 --epochs 1 --size 32 --from-scratch",
    "make": """from tests.models import learner, loaders, patch_model
dls = loaders("pictures")
patch = learner(dls, patch_model(dls.c), epochs=8, lr=0.1)""",
    "deploy": "bundle = %deploy --target numpy --out made --latency-runs 0",
    "bundle": "bundle",
    "report": "bundle.report",
    "predict": "bundle.predict(*(file.path for file in images.valid[:3]))",
    "wrong": "%deploy --target nump",
}
STDERR = '[data-mime-type="application/vnd.jupyter.stderr"]'


@pytest.fixture(scope="module")
def book(root: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with jupyter(tmp_path_factory.mktemp("lab"), root) as server, chromium() as browser:
        (server.work / "pictures").symlink_to(pictures)
        write_notebook(server.work / "book.ipynb", list(CELLS.values()))
        opened = Book(browser.new_page(viewport={"width": 1280, "height": 2400}), CELLS)
        opened.open(server.page("book.ipynb"))
        opened.run_all()
        opened.outputs("wrong").first.wait_for(timeout=60_000)
        yield opened


def test_the_verdict_stands_below_the_bundle(book: Book) -> None:
    assert "✓ verified all 9 checks passed" in book.text("bundle")
    assert "accuracy" in book.text("bundle")
    assert "✓ passed top1 agreement 100 % at least 99.5 % the same answer on 16 of 16 held-out files" in book.text(
        "report"
    )
    assert "Measured Deployed Original" in book.text("report")


def test_steps_and_epochs_stand_in_tables_of_their_own(book: Book) -> None:
    assert "using patch (Sequential, made by cell 4)" in book.text("deploy")
    assert 'nd.deploy(patch, target="numpy", out="made", latency_runs=0)' in book.text("deploy")
    steps = book.outputs("deploy").locator("table tr").all_inner_texts()
    names = ["exporting the model", "asking the original model", "converting to numpy, fp32", "verifying on raw files"]
    names += ["writing report and manifest"]
    assert names == [step.split("\t")[0] for step in steps]
    assert "Epoch Train loss Held-out loss Held-out accuracy Time" in book.text("train")
    assert "1 epoch in" in book.text("train")


def test_several_answers_are_a_table_with_the_pictures(book: Book) -> None:
    assert 3 == book.outputs("predict").locator("tbody tr").count()
    assert 3 == book.outputs("predict").locator('img[src^="data:image/webp"]').count()


def test_an_unknown_target_is_one_line_and_no_traceback(book: Book) -> None:
    assert 'UsageError: There is no target "nump". Did you mean "numpy"?' in book.text("wrong")
    assert 2 >= len(book.outputs("wrong").first.inner_text().strip().splitlines())
    assert "Traceback" not in book.text("wrong")


def test_nothing_of_ours_is_in_a_red_block(book: Book) -> None:
    assert {} == {
        cell: book.text(cell) for cell in CELLS if cell != "wrong" and book.outputs(cell).locator(STDERR).count()
    }


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_word_can_be_read_in_both_themes(book: Book, theme: str) -> None:
    change = f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})"
    book.page.evaluate(change)
    book.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    assert 6 <= book.page.locator(".nbd-out").count()
    assert [] == book.page.evaluate(LOW_CONTRAST, ".nbd-out")


def test_the_link_opens_the_report_beside_the_notebook(book: Book) -> None:
    book.outputs("bundle").get_by_role("link", name="report.html").click()
    report = book.page.frame_locator(".jp-HTMLViewer iframe")
    assert "Verified: the deployed model gave the same answer" in report.locator("h1").inner_text(timeout=20_000)
    assert report.locator("body").evaluate("body => getComputedStyle(body).getPropertyValue('--nbd-accent')")
    book.page.evaluate("window.jupyterapp.commands.execute('application:close')")


def test_the_page_asks_nobody_but_its_own_server(book: Book) -> None:
    assert {"127.0.0.1"} == {urlsplit(url).hostname for url in book.asked if not url.startswith(("data:", "blob:"))}
