"""Tutorials are held to the bands that their cells state: an injected wrong number fails, the right one passes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
QUICKSTART = next(path for path in NOTEBOOKS if path.stem == "01_quickstart")
FIGURES = 'metrics = {"accuracy_deployed": 0.98, "top1_agreement": 1.0}\nname = "digits"'


@pytest.fixture(scope="module")
def bands(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bands", root / "notebooks" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nbval(root: Path, folder: Path, *cells: str, tags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a notebook of `cells` as `make test` runs tutorials."""
    book = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    book.cells[-1].metadata["tags"] = list(tags)
    nbformat.write(book, folder / "tutorial.ipynb")
    shutil.copy(root / "notebooks" / "conftest.py", folder)
    words = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval-lax",
        "--nbval-current-env",
        "--import-mode=importlib",
        "tutorial.ipynb",
    ]
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


BAND = 'metrics\n# expect: 0.97 <= metrics["accuracy_deployed"] <= 1\n# expect: name == "digits"'


def test_a_number_within_its_band_passes_and_printed_text_is_not_compared(root: Path, tmp_path: Path) -> None:
    done = nbval(root, tmp_path, FIGURES, BAND, "import time\nprint(time.time())")
    assert 0 == done.returncode, done.stdout


def test_an_injected_wrong_number_fails_and_says_what_it_is(root: Path, tmp_path: Path) -> None:
    done = nbval(root, tmp_path, FIGURES.replace("0.98", "0.42"), BAND)
    assert 1 == done.returncode
    assert "expected 0.97 <= metrics" in done.stdout
    assert "is 0.42" in done.stdout


def test_a_wrong_band_in_a_copy_of_the_quickstart_fails_and_the_right_one_passes(root: Path, tmp_path: Path) -> None:
    cells = [cell.source for cell in nbformat.read(QUICKSTART, as_version=4).cells if "# expect:" in cell.source]
    band = next(cell for cell in cells if cell.startswith("bundle.report\n"))
    told = f"from types import SimpleNamespace as N\n{FIGURES}\nbundle = N(report=N(metrics=metrics))"
    assert 0 == nbval(root, tmp_path, told, band).returncode
    wrong = band.replace("0.97 <=", "0.99 <=")
    assert band != wrong
    assert 1 == nbval(root, tmp_path, told, wrong).returncode


def test_a_cell_that_may_fail_cannot_expect(root: Path, tmp_path: Path) -> None:
    done = nbval(root, tmp_path, FIGURES, BAND, tags=("raises-exception",))
    assert 0 != done.returncode
    assert "it can expect nothing" in done.stdout + done.stderr


def test_a_condition_that_is_no_python_is_refused(bands: ModuleType) -> None:
    with pytest.raises(SyntaxError):
        bands.conditions("x\n# expect: 0.9 <= accuracy of the model")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_tutorial_states_a_band_for_a_number_and_misspells_none(path: Path, bands: ModuleType) -> None:
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    stated = [text for source in sources for text in bands.conditions(source)]
    assert [text for text in stated if text.count("<=") == 2]
    comments = [
        line
        for source in sources
        for line in source.splitlines()
        if line.strip().lower().startswith(("# expect", "#expect"))
    ]
    assert len(stated) == len(comments), (
        "a comment that is nearly one: write `# expect: CONDITION` at the start of a line"
    )
    assert [] == [source for source in sources if "assert " in source]
