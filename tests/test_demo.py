"""The demo's runner, on small notebooks; the quickstart itself is run in test_notebooks.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbdeploy.demo import find_notebook, run_demo
from nbdeploy.errors import NbdeployError, OutputError


def notebook(folder: Path, *sources: str) -> Path:
    """A notebook of these cells behind the quickstart's parameters."""
    parameters = new_code_cell('data = "a"\nout = "b"', metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# Title"), parameters, *map(new_code_cell, sources)]
    nbformat.write(new_notebook(cells=cells), folder / "small.ipynb")
    return folder / "small.ipynb"


def test_runs_in_this_python_and_this_folder_with_settings_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = "json.dumps([sys.executable, os.getcwd(), data, out, os.environ['IPYTHONDIR'], os.getpid()])"
    book = notebook(tmp_path, f"import json, os, sys\nprint({seen})", "raise ValueError('so many\\nlines')", "print(9)")
    with pytest.raises(NbdeployError, match=r"Cell 3 of small\.ipynb failed") as caught:
        run_demo("made/bundle", notebook=book)
    assert caught.value.hint == "ValueError: so many\nlines"
    said = capsys.readouterr().err
    python, folder, data, out, settings, kernel = json.loads(
        next(line for line in said.splitlines() if "[" in line and '"' in line)
    )
    assert Path(python) == Path(sys.executable)
    assert Path(folder) == tmp_path
    assert (data, out) == (str(Path("made/digits")), str(Path("made/bundle")))
    assert not Path(settings).exists()
    assert not psutil.pid_exists(kernel)
    assert "[2/4] import json, os, sys" in said
    assert "9" not in said.split("[3/4]")[1]


def test_the_error_of_a_magic_is_shown_as_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    book = notebook(
        tmp_path, "from nbdeploy.jupyter import loading; loading.load(get_ipython())", "%deploy --target tflit"
    )
    with pytest.raises(NbdeployError) as caught:
        run_demo(notebook=book)
    assert 'There is no target "tflit". Did you mean "tflite"?' in caught.value.hint


def test_takes_the_place_of_nothing_but_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="is no bundle"):
        run_demo(tmp_path)
    assert (tmp_path / "precious.txt").read_text(encoding="utf-8") == "mine"


def test_a_process_that_dies_is_told_from_a_cell_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NbdeployError, match=r"Cell 2 of small\.ipynb took its Python process down"):
        run_demo(notebook=notebook(tmp_path, "import os\nos._exit(3)"))


def test_finds_the_quickstart() -> None:
    assert find_notebook().name == "01_quickstart.ipynb"
