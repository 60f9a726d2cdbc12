"""The magics with nothing stubbed: pictures to a verified bundle."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import nbdeploy as nd


@pytest.fixture
def real_shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    yield shell
    shell.run_line_magic("unload_ext", "nbdeploy")
    InteractiveShell.clear_instance()


@pytest.mark.slow
def test_three_lines_of_a_notebook_give_a_verified_bundle(
    real_shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for label in ("0", "1", "2"):
        Path("few", label).mkdir(parents=True)
        for picture in sorted((nd.dataset("digits", out="digits") / label).glob("*.png"))[:10]:
            shutil.copy(picture, Path("few", label))
    for line in (
        "%load_ext nbdeploy",
        "learn = %train few --arch squeezenet1_1 --epochs 1 --size 64 --from-scratch --no-flip",
        "bundle = %deploy --target onnx --out made --latency-runs 0",
        "again = %deploy learn --target onnx --out made --latency-runs 0",
    ):
        done = real_shell.run_cell(line, store_history=True)
    bundle = real_shell.user_ns["bundle"]
    assert bundle.report.compared
    assert bundle.path == tmp_path / "made"
    assert bundle.labels == ("0", "1", "2")
    assert isinstance(done.error_in_exec, nd.errors.OutputError)
    said = capsys.readouterr().out
    assert "using learn (squeezenet1_1, made by cell 2)" in said
    assert 'nd.deploy(learn, target="onnx", out="made", latency_runs=0)' in said
