"""The demo: the quickstart notebook, run from top to bottom without a browser, with progress."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbclient.util import run_sync

import nbdeploy
from nbdeploy.core.files import write_json
from nbdeploy.errors import NbdeployError, OutputError, say

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from nbdeploy.core.bundle import Bundle

NOTEBOOK = "01_quickstart.ipynb"
KERNEL = "nbdeploy-demo"
_TITLE_CHARACTERS = 90
_ERROR_LINES = 6


def run_demo(out: str | os.PathLike[str] = "build/digits-tflite", *, notebook: Path | None = None) -> Bundle:
    """Run the quickstart in the current folder and return the bundle it made at `out`.

    The notebook runs in a kernel of this very Python with settings of its own; the user's Jupyter settings are neither
    read nor written. Its pictures go beside `out`. Running it again takes the place of the bundle, and of nothing
    that is not a bundle. Raises OutputError, or NbdeployError naming the cell that failed.
    """
    place = Path(out)
    if place.exists() and not (place / "manifest.json").is_file():
        raise OutputError(f"{place} exists and is no bundle.", hint="Choose another folder with -o.")
    source = notebook or find_notebook()
    book: NotebookNode = nbformat.read(source, as_version=4)
    _set_parameters(book, data=str(place.with_name("digits")), out=str(place))
    with tempfile.TemporaryDirectory(prefix="nbdeploy-demo-") as own:
        _run(book, source.name, Path(own))
    from nbdeploy.core.bundle import Bundle  # noqa: PLC0415 - a cell that fails has no need of it

    return Bundle.load(place)


def find_notebook() -> Path:
    """The quickstart: inside the package where it is installed, beside it in a checkout. Raises NbdeployError."""
    package = Path(nbdeploy.__path__[0])
    for folder in (package / "_notebooks", package.parent / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder / NOTEBOOK
    raise NbdeployError(f"{NOTEBOOK} is not installed.", hint="Run the demo from a checkout: make demo")


def _set_parameters(book: NotebookNode, **values: str) -> None:
    """Give the names of the cell tagged ``parameters`` other values, as a person would by editing it."""
    cell = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in values.items())


def _run(book: NotebookNode, name: str, own: Path) -> None:
    kernel = _kernel(own)
    where = {"metadata": {"path": str(Path.cwd())}}
    runner = _Runner(book, km=kernel, timeout=None, resources=where, shutdown_kernel="immediate")
    say(f"Running {name}: {runner.total} cells")
    try:
        runner.execute(env=_environment(own), stderr=subprocess.DEVNULL)  # native code's chatter comes as messages too
    except CellExecutionError as error:
        raise NbdeployError(f"Cell {runner.done + 1} of {name} failed.", hint=_short(error)) from error
    except DeadKernelError as error:
        if kernel.stopped:
            raise KeyboardInterrupt from error
        raise NbdeployError(
            f"Cell {runner.done + 1} of {name} took its Python process down.", hint="It may have run out of memory."
        ) from error
    finally:
        if kernel.has_kernel:  # nbclient leaves one that it was given running
            run_sync(kernel.shutdown_kernel)(now=True)


def _short(error: CellExecutionError) -> str:
    lines = f"{error.ename}: {error.evalue}".strip().splitlines()
    return "\n".join(lines[:_ERROR_LINES])


class _Kernel(AsyncKernelManager):
    stopped = False
    """Whether it was alive when it was shut down. nbclient takes Ctrl-C for a signal to do that, and raises nothing."""

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:  # type: ignore[override]
        self.stopped = await self.is_alive()
        await super().shutdown_kernel(now=now, restart=restart)


def _kernel(own: Path) -> _Kernel:
    """A kernel of this Python, whatever kernels are installed for the user or the system."""
    spec = own / "kernels" / KERNEL
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    write_json(spec / "kernel.json", {"argv": command, "display_name": KERNEL, "language": "python"})
    return _Kernel(
        kernel_name=KERNEL,
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(own / "kernels")]),
        connection_file=str(own / "kernel.json"),
    )


def _environment(own: Path) -> dict[str, str]:
    folders = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    return {**os.environ, "NBDEPLOY_PROGRESS": "plain", **{name: str(own / name.lower()) for name in folders}}


class _Runner(NotebookClient):
    """Says which cell runs, how long each took, and passes on what the cells print."""

    def __init__(self, book: NotebookNode, **settings: Any) -> None:
        super().__init__(
            book, on_cell_execute=self._starts, on_cell_executed=self._ends, coalesce_streams=True, **settings
        )
        self.total = sum(cell.cell_type == "code" for cell in book.cells)
        self.done = 0
        self._began = 0.0

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Print what the cell prints, as it comes."""
        if msg["msg_type"] == "stream":
            for line in msg["content"]["text"].splitlines():
                if line.strip():
                    say(f"      {line}")
        return super().process_message(msg, cell, cell_index)

    def _starts(self, cell: NotebookNode, cell_index: int) -> None:
        del cell_index
        self._began = time.monotonic()
        lines = (line for line in cell.source.splitlines() if line.strip() and not line.startswith("#"))
        say(f"[{self.done + 1}/{self.total}] {next(lines, '')[:_TITLE_CHARACTERS]}")

    def _ends(self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        del cell, cell_index
        if execute_reply["content"]["status"] == "ok":
            self.done += 1
            say(f"      {time.monotonic() - self._began:.1f} s")
