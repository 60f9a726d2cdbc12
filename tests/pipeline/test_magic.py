"""%%pipeline: a cell that is a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbdeploy.errors import PipelineFailed
from nbdeploy.jupyter import magics
from nbdeploy.pipeline import running
from tests.jupyter.conftest import Shell


@pytest.fixture
def shell(project: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setattr(running, "Doing", lambda: project.doing)
    monkeypatch.chdir(project.root)
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    magics.load(made)
    yield Shell(made)
    magics.unload(made)
    InteractiveShell.clear_instance()


def test_the_cell_is_run_and_its_result_has_a_name(shell: Shell, project: Any, capsys: Any) -> None:
    result = shell.run(f"%%pipeline pets --until train\n{project.text}")
    assert result.ok
    assert shell.ns["pets"] is result
    assert 'pets = nd.Pipeline.parse(text_of_this_cell).run(until="train")' in capsys.readouterr().out
    assert Path(".nbdeploy/tiny/state.json").is_file()
    again = shell.run(f"%%pipeline\n{project.text}")
    assert again.steps["train"].how == "up to date"
    assert shell.ns["pipeline"] is again


def test_a_dry_run_does_nothing(shell: Shell, project: Any) -> None:
    result = shell.run(f"%%pipeline --dry-run --overwrite\n{project.text}")
    assert result.steps["data"].how == "would run"
    assert not Path(".nbdeploy").exists()


def test_a_failure_is_shown_kept_and_raised(shell: Shell, project: Any) -> None:
    project.change("seed: 1", 'seed: 1\ngates: {size_bytes: "< 1 MB"}')
    with pytest.raises(PipelineFailed, match=r"size_bytes is 2\.00"):
        shell.run(f"%%pipeline pets\n{project.text}")
    assert not shell.ns["pets"].ok


def test_what_is_wrong_is_said_with_the_line_of_the_cell(shell: Shell) -> None:
    with pytest.raises(Exception, match='the cell, line 2: There is no key of a pipeline "sed"'):
        shell.run("%%pipeline\ndata: pictures\nsed: 1\n")
    with pytest.raises(UsageError, match='There is no option "--utnil"'):
        shell.run("%%pipeline --utnil train\ndata: pictures\n")
    with pytest.raises(UsageError, match="is no name of a variable"):
        shell.run("%%pipeline my-pets\ndata: pictures\n")


def test_help_needs_no_pipeline_below_and_all_else_asks_for_one(shell: Shell, capsys: Any) -> None:
    shell.run("%pipeline --help")
    assert "usage: %%pipeline [-h] [--until STEP]" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"the cell body is empty\. Did you mean the line magic %pipeline"):
        shell.run("%%pipeline --help")
    with pytest.raises(UsageError, match=r"below a line that begins with %%pipeline\. One in a file: nd\.Pipeline"):
        shell.run("%pipeline pets")


def test_its_options_and_the_keys_of_the_file_complete(shell: Shell) -> None:
    assert {"--until", "--force", "--provide", "--dry-run"} <= set(shell.complete("%%pipeline pets --"))
    assert shell.complete("%%pipeline pets --un") == ["--until"]
    assert {"data", "train", "deploy"} <= set(shell.complete("%%pipeline pets\nname: x\n"))
    assert shell.complete("%%pipeline\ntr") == ["train"]
    assert shell.complete("%%pipeline\ntrain:\n  ep") == ["epochs"]
    assert "static_int8" in shell.complete("%%pipeline\ndeploy:\n  - target: onnx\n    recipe: ")
    assert "accuracy" in shell.complete("%%pipeline\ndeploy:\n  - gates:\n      ac")


def test_unloading_takes_it_away(shell: Shell) -> None:
    magics.unload(shell.ip)
    assert "pipeline" not in shell.ip.magics_manager.magics["cell"]
    assert "pipeline" not in shell.ip.magics_manager.magics["line"]
