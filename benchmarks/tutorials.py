"""How long each tutorial takes from top to bottom, in a kernel of this Python."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SHORTEST = "05_cloud.ipynb"


def run(*, quick: bool = False) -> None:
    """Print the table; `quick` runs one tutorial. What they make lies in a folder that is gone afterwards."""
    print("| tutorial | code cells | seconds |")
    print("|---|---|---|")
    for file in [NOTEBOOKS / SHORTEST] if quick else sorted(NOTEBOOKS.glob("*.ipynb")):
        book = nbformat.read(file, as_version=4)
        with tempfile.TemporaryDirectory(prefix="nbdeploy-tutorials-") as place:
            began = time.monotonic()
            NotebookClient(book, timeout=None, kernel_name="python3", resources={"metadata": {"path": place}}).execute()
            took = time.monotonic() - began
        print(f"| {file.stem} | {sum(cell.cell_type == 'code' for cell in book.cells)} | {took:.0f} |", flush=True)
