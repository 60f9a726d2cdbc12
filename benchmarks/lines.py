"""Cells and statements to a file for a phone: nbdeploy beside what peers document.

Counted are statements of Python (a call over five lines is one, a function or a loop with all that is in it is one, and
so is a line for the shell) and the cells that hold them, from the first import to the file for the phone. Left out on
all sides: installing, fetching an example's pictures and labels, showing pictures, quantizing, comments. Imports that
only those need are left out too. nbdeploy's are counted by this program; a peer's were counted in stored copies of the
pages that are named, at the commit or on the day that is named.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

QUICKSTART = Path(__file__).resolve().parent.parent / "notebooks" / "01_quickstart.ipynb"
LEFT_OUT = {"setup", "parameters"}
DAY = "stored copy read on 29 November 2026"
PICTURES, TRAINED = "a folder of pictures", "a trained model"
BEFORE = "no: accuracy of the model before it is exported"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a file for a phone. `cells` is None where the source is no notebook."""

    name: str
    source: str
    read: str
    cells: int | None
    statements: int
    begins_with: str
    held_to_original: str
    app: str

    def row(self) -> str:
        """Its row of the table."""
        cells = "-" if self.cells is None else self.cells
        return (
            f"| [{self.name}]({self.source}), {self.read} | {cells} | {self.statements} | {self.begins_with} "
            f"| {self.held_to_original} | {self.app} |"
        )


def _github(repository: str, commit: str, path: str) -> tuple[str, str]:
    """The address of the version that was counted, and what to call that version."""
    return f"https://github.com/{repository}/blob/{commit}/{path}", f"commit {commit[:7]}"


PEERS = (
    Way(
        "TensorFlow Lite Model Maker",
        "https://ai.google.dev/edge/litert/models/modify/model_maker",
        DAY,
        None,
        7,
        PICTURES,
        BEFORE,
        "no",
    ),
    Way(
        "MediaPipe Model Maker",
        *_github(
            "google-ai-edge/mediapipe-samples",
            "05aaa93129c300c83cbdfd23f0d8a6691f67aea0",
            "examples/customization/image_classifier.ipynb",
        ),
        6,
        11,
        PICTURES,
        BEFORE,
        "a sample app of its own, elsewhere",
    ),
    Way(
        "ExecuTorch, getting started",
        *_github("pytorch/executorch", "76fcedc2a23527e1a29b2f2dbe50ead2bcfb844b", "docs/source/getting-started.md"),
        None,
        9,
        TRAINED,
        "one random input, within 1e-3: 15 statements more",
        "no; labels and preparing pictures are left to you",
    ),
    Way(
        "LiteRT's converter for PyTorch",
        *_github(
            "google-ai-edge/ai-edge-torch",
            "853301630f2b2455bd2e2f73d8a47e1a1534c91c",
            "docs/pytorch_converter/getting_started.ipynb",
        ),
        6,
        11,
        TRAINED,
        "one random input, within 1e-5, just before it is saved",
        "no; labels and preparing pictures are left to you",
    ),
    Way(
        "Core ML Tools, a torchvision model",
        *_github(
            "apple/coremltools",
            "1cf9f8293266aea771c42c40148c68195d3468b3",
            "docs-guides/source/convert-a-torchvision-model-from-pytorch.md",
        ),
        None,
        15,
        TRAINED,
        "one picture, three scores of each side printed to look at: 20 statements more",
        "no; labels and scaling are in the file",
    ),
    Way(
        "ONNX Runtime for phones",
        *_github(
            "microsoft/onnxruntime-inference-examples",
            "6a0db195bfb92baf3633ab555686073cf788f9ef",
            "quantization/notebooks/imagenet_v2/mobilenet.ipynb",
        ),
        5,
        18,
        TRAINED,
        "no: one picture is run, PyTorch's answer to it is not asked",
        "a sample app of its own, elsewhere; files and labels are copied into it",
    ),
)
"""docs/figures.md says what each number is made of."""


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
    return Way(
        "nbdeploy's 01_quickstart",
        "../notebooks/01_quickstart.ipynb",
        "counted each time",
        cells,
        statements,
        PICTURES,
        "every held-out file, from its bytes, before it is put in place",
        "an Android Studio project",
    )


def table() -> list[str]:
    """The lines of the table, as docs/figures.md shows them."""
    head = "| way | cells | statements | begins with | exported file held to the original | app |"
    return [head, "|---|---|---|---|---|---|", *(way.row() for way in (quickstart(), *PEERS))]


def run(*, quick: bool = False) -> None:
    """Print the table."""
    del quick
    print("\n".join(table()))
