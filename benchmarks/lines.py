"""Cells and lines from a folder of pictures to a bundle for a phone: nbdeploy's quickstart beside what peers document.

Counted are statements of Python (a call over five lines is one) and the cells that hold them, from the first import to
the file for the phone. Left out on all sides: installing, fetching an example's pictures, showing pictures, comments.
A peer's numbers were counted by hand in stored copies of the pages that are named, on the day that is named.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

QUICKSTART = Path(__file__).resolve().parent.parent / "notebooks" / "01_quickstart.ipynb"
LEFT_OUT = {"setup", "parameters"}
READ = "2026-11-25"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a file for a phone. `cells` is None where the source is no notebook."""

    name: str
    source: str
    cells: int | None
    statements: int
    begins_with: str
    held_to_original: str
    app: str


PEERS = (
    Way(
        "LiteRT's converter for PyTorch",
        "https://ai.google.dev/edge/litert/models/convert_pytorch",
        None,
        9,
        "a trained model",
        "no: one random input is run",
        "no; labels and preparing pictures are left to you",
    ),
    Way(
        "MediaPipe Model Maker",
        "https://github.com/google-ai-edge/mediapipe-samples/blob/main/examples/customization/image_classifier.ipynb",
        6,
        11,
        "a folder of pictures",
        "no: accuracy of the model before it is exported",
        "a sample app of its own, elsewhere",
    ),
    Way(
        "TensorFlow Lite Model Maker",
        "https://ai.google.dev/edge/litert/models/modify/model_maker",
        None,
        7,
        "a folder of pictures",
        "no: accuracy of the model before it is exported",
        "no",
    ),
)
"""MediaPipe: 1 import, 3 for the data, 3 options, 1 to train, 2 to evaluate and print, 1 to export."""


def quickstart() -> Way:
    """The way of nbdeploy, counted in the tutorial: every statement up to the first %deploy."""
    cells = statements = 0
    for cell in nbformat.read(QUICKSTART, as_version=4).cells:
        if cell.cell_type != "code" or LEFT_OUT & set(cell.metadata.get("tags", ())) or "show_results" in cell.source:
            continue
        cells += 1
        statements += len(ast.parse(TransformerManager().transform_cell(cell.source)).body)
        if "%deploy" in cell.source:
            break
    source, checked = "notebooks/01_quickstart.ipynb", "yes: every held-out file, from raw bytes"
    return Way("nbdeploy", source, cells, statements, "a folder of pictures", checked, "yes, an Android Studio project")


def run(*, quick: bool = False) -> None:
    """Print the table."""
    del quick
    print(
        f"| way | cells | statements | begins with | exported file held to the original | app | source, read {READ} |"
    )
    print("|---|---|---|---|---|---|---|")
    for way in (quickstart(), *PEERS):
        cells = "" if way.cells is None else way.cells
        print(
            f"| {way.name} | {cells} | {way.statements} | {way.begins_with} | {way.held_to_original} | {way.app} "
            f"| {way.source} |"
        )
