"""What a person sees in JupyterLab: a real server, a real kernel, a real Chromium."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import psutil
import pytest

from tests.browser import LOW_CONTRAST, chromium

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
READY = """async () => {
  await window.jupyterapp.restored;
  const book = window.jupyterapp.shell.currentWidget;
  await book.context.ready;
  await book.sessionContext.ready;
  await book.sessionContext.session.kernel.info;
}"""
STDERR = '[data-mime-type="application/vnd.jupyter.stderr"]'


@pytest.fixture(scope="module")
def server(root: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, token included, of a notebook in a JupyterLab that knows nothing of the user's own."""
    own = tmp_path_factory.mktemp("lab")
    folders = {name: str(own / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    for name, settings in (
        ("page_config.json", {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}),
        ("default_setting_overrides.json", {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}),
    ):
        place = Path(folders["JUPYTER_CONFIG_DIR"], "labconfig", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(settings), encoding="utf-8")
    work = own / "work"
    work.mkdir()
    (work / "pictures").symlink_to(pictures)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS.values()])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, work / "book.ipynb")
    environment = {
        **os.environ,
        **folders,
        "JUPYTER_RUNTIME_DIR": str(own / "run"),
        "PYTHONPATH": os.pathsep.join((str(root), str(root / "tests" / "thirdparty"))),
        "OMP_NUM_THREADS": "1",
    }
    token = secrets.token_hex(16)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
    ]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--IdentityProvider.token={token}"]
    with (own / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--ServerApp.root_dir={work}"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield f"{_address(process, own)}lab/tree/book.ipynb?token={token}&reset"
    finally:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=10)
        for one in left:
            one.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], own: Path) -> str:
    for _ in range(300):
        for file in own.glob("run/jpserver-*.json"):
            try:
                return str(json.loads(file.read_text(encoding="utf-8"))["url"])
            except ValueError:  # half written
                continue
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail((own / "log").read_text(encoding="utf-8"))


class Book:
    """The notebook after Run All, on a page."""

    def __init__(self, page: Any, asked: list[str]) -> None:
        self.page, self.asked = page, asked

    def outputs(self, cell: str) -> Any:
        """What stands below a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(list(CELLS).index(cell)).locator(".jp-OutputArea-output")

    def text(self, cell: str) -> str:
        """The words below a cell; no-break spaces as plain ones."""
        return " ".join(" ".join(self.outputs(cell).all_inner_texts()).split())


@pytest.fixture(scope="module")
def book(server: str) -> Iterator[Book]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 2400})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.goto(server)
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext", timeout=60_000)
        page.evaluate(READY)
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        opened = Book(page, asked)
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
