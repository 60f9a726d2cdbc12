"""The live table of runs and %runs, without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.jupyter.widgets.runs import RunsTable
from nbdeploy.tracking.runs import Runs
from tests.tracking.made import trained


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("NBDEPLOY_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    return [trained("resnet18", 0.1, [0.5, 0.9]), trained("resnet34", 0.2, [0.8])]


@pytest.fixture
def table(two: list[str]) -> Iterator[RunsTable]:
    assert two
    made = RunsTable(nd.runs())
    yield made
    made.close()


def until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def rows(table: RunsTable) -> list[str]:
    return [row["id"] for row in table.state["rows"]]


def test_a_row_is_what_a_person_reads_and_what_it_is_sorted_by(table: RunsTable, two: list[str]) -> None:
    assert two[::-1] == rows(table)
    heads = [head["text"] for head in table.state["heads"]]
    row = table.state["rows"][1]
    cells, sort = (dict(zip(heads, row[key], strict=True)) for key in ("cells", "sort"))
    assert ("train digits", "✓ done", "90.0\N{NO-BREAK SPACE}%", "resnet18") == tuple(
        cells[name] for name in ("What", "Status", "accuracy", "arch")
    )
    assert (0.9, "resnet18") == (sort["accuracy"], sort["arch"])
    assert [False, True] == [head["up"] for head in table.state["heads"] if head["text"] in {"accuracy", "valid loss"}]


def test_a_condition_narrows_and_a_wrong_one_is_explained(table: RunsTable, two: list[str]) -> None:
    table._heard(table, {"kind": "where", "text": "accuracy > .85"}, [])
    until(lambda: rows(table) == [two[0]])
    table._heard(table, {"kind": "where", "text": "acuracy > .85"}, [])
    until(lambda: "Did you mean" in table.state["said"]["text"])
    assert [two[0]] == rows(table)
    table._heard(table, {"kind": "where", "text": ""}, [])
    until(lambda: len(rows(table)) == 2)
    for nonsense in ("nonsense", {"kind": "no such thing"}, {"kind": ["x"]}, None):
        table._heard(table, nonsense, [])


def test_what_is_asked_for_comes_below(table: RunsTable, two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(table, "send", sent.append)
    for kind in ("details", "reproduce"):
        table._heard(table, {"kind": kind, "id": two[0]}, [])
    for kind in ("compare", "history", "plot"):
        table._heard(table, {"kind": kind, "ids": two}, [])
    until(lambda: len(sent) == 5)
    said = {one["title"]: one["html"] for one in sent}
    assert "resnet18" in said[two[0]]
    assert "2 runs side by side" in said["Side by side"]
    assert said["Epoch by epoch"].startswith('<img class="nbd-figure"')
    table._heard(table, {"kind": "compare", "ids": two[:1]}, [])
    until(lambda: "takes two runs" in table.state["said"]["text"])


def test_removing_can_be_undone_and_new_runs_are_seen(table: RunsTable, two: list[str]) -> None:
    table._heard(table, {"kind": "remove", "id": two[0]}, [])
    until(lambda: rows(table) == [two[1]])
    assert two[0] == table.state["said"]["undo"]
    table._heard(table, {"kind": "restore", "id": two[0]}, [])
    until(lambda: len(rows(table)) == 2)
    third = trained("resnet50", 0.1, [0.7])
    table._heard(table, {"kind": "look"}, [])
    until(lambda: third in rows(table))


def test_a_saved_notebook_shows_the_table_without_a_kernel(table: RunsTable) -> None:
    data, _ = table._repr_mimebundle_()
    assert "2 runs" in data["text/html"]
    assert "90.0 %" in data["text/plain"]


def test_the_magic_gives_what_the_python_call_gives(shell: Any, two: list[str], capsys: Any) -> None:
    assert isinstance(shell.run("""r = %runs --where "accuracy > .85" --kind train\nr"""), Runs)
    assert 'nd.runs(kind="train", where="accuracy > .85")' in capsys.readouterr().out
    assert two[0] == shell.run(f"r = %runs {two[0]}\nr").id
    shell.run(f"r = %runs {two[0]} compare {two[1]}")
    assert f'nd.runs().compare("{two[0]}", "{two[1]}")' in capsys.readouterr().out
    shell.run(f"r = %runs {two[0]} note with care")
    assert "with care" == nd.runs()[two[0]].noted
    assert f'nd.runs()["{two[0]}"].note("with care")' in capsys.readouterr().out
    assert two[::-1] == [run.id for run in shell.run("r = %runs --sort lr\nr")]
