"""A JupyterLab or a Notebook 7 of its own, and a notebook in it on a page of a real Chromium."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
import psutil
import pytest

APPS = {"lab": "jupyterlab", "notebook": "notebook"}
READY = """async () => {
  await window.jupyterapp.restored;
  const book = window.jupyterapp.shell.currentWidget;
  await book.context.ready;
  await book.sessionContext.ready;
  await book.sessionContext.session.kernel.info;
}"""
SETTINGS = {
    "page_config.json": {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}},
    # Every cell stays in the page, so that what stands below it can be read.
    "default_setting_overrides.json": {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}},
}


@dataclass(frozen=True)
class Server:
    """A running server: where it is, and the folder it shows."""

    url: str
    """Ends in a slash."""
    token: str
    work: Path

    def page(self, name: str, *, app: str = "lab") -> str:
        """The address of a notebook, token included."""
        place, query = {"lab": (f"lab/tree/{name}", "&reset"), "notebook": (f"notebooks/{name}", "")}[app]
        return f"{self.url}{place}?{urlencode({'token': self.token})}{query}"


@contextmanager
def jupyter(
    own: Path, root: Path, *, app: str = "lab", environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server that knows nothing of the user's own settings, whose kernels import the nbdeploy at `root`.

    `own` is an empty folder for all it keeps; notebooks lie in ``own/work``. `app` is ``lab`` or ``notebook``. The
    server and its kernels end with the block.
    """
    folders = {name: str(own / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    for name, settings in SETTINGS.items():
        place = Path(folders["JUPYTER_CONFIG_DIR"], "labconfig", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(settings), encoding="utf-8")
    work = own / "work"
    work.mkdir(exist_ok=True)
    variables = {
        **os.environ,
        **folders,
        "JUPYTER_RUNTIME_DIR": str(own / "run"),
        "PYTHONPATH": os.pathsep.join((str(root), str(root / "tests" / "thirdparty"))),
        "OMP_NUM_THREADS": "1",
        **(environment or {}),
    }
    token = secrets.token_hex(16)
    exposed = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}[app]
    command = [sys.executable, "-m", APPS[app], "--no-browser", "--allow-root"]
    command += [f"--{exposed}.expose_app_in_browser=True", f"--ServerApp.root_dir={work}"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--IdentityProvider.token={token}"]
    with (own / "log").open("w") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        yield Server(_address(process, own), token, work)
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


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of code cells, to be run by the kernel of this Python."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)


class Book:
    """A notebook on a page; `cells` maps a name of the test's own to the code of each cell."""

    def __init__(self, page: Any, cells: Mapping[str, str]) -> None:
        self.page, self.cells = page, list(cells)
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def open(self, address: str) -> None:
        """Load the page and wait for the kernel."""
        self.page.goto(address)
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext", timeout=60_000)
        self.page.evaluate(READY)

    def command(self, name: str, **arguments: Any) -> None:
        """Run a command of JupyterLab: ``notebook:run-all-cells``, ``kernelmenu:restart`` ..."""
        self.page.evaluate("([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, arguments])

    def run_all(self) -> None:
        """Run every cell."""
        self.command("notebook:run-all-cells")

    def outputs(self, cell: str) -> Any:
        """What stands below a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(self.cells.index(cell)).locator(".jp-OutputArea-output")

    def text(self, cell: str) -> str:
        """The words below a cell; no-break spaces as plain ones."""
        return " ".join(" ".join(self.outputs(cell).all_inner_texts()).split())
