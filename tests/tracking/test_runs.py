"""nd.runs(): what is listed, found, sorted, compared, and how it reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nbdeploy as nd
from nbdeploy.errors import OutputError, UnknownName, UsageError
from nbdeploy.tracking import store
from nbdeploy.tracking.recording import recording
from nbdeploy.tracking.where import Where
from tests.tracking.made import aged, compressed, trained


@pytest.fixture
def three() -> list[str]:
    """Runs of three archs, the oldest first."""
    return [
        trained("resnet18", 0.002, [0.5, 0.8, 0.9]),
        trained("mobilenet_v3_small", 0.01, [0.4, 0.6]),
        trained("resnet34", 0.005, [0.6, 0.95]),
    ]


def test_the_newest_is_first_and_a_run_is_found_by_its_name(three: list[str]) -> None:
    runs = nd.runs()
    assert three[::-1] == [run.id for run in runs]
    assert "resnet18" == runs[three[0]].params["arch"]
    assert three[2] == runs[0].id
    assert 2 == len(runs[1:])
    with pytest.raises(UnknownName, match="swift-otter-0"):
        runs["swift-otter-0"]


def test_only_this_project_unless_all_is_asked_for(
    three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = Path("below")
    below.mkdir()
    Path(".git").mkdir()
    monkeypatch.chdir(below)
    inside = trained("resnet18", 0.1, [0.1])
    store.change(inside, project=str(tmp_path / "work"))
    assert 4 == len(nd.runs())
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert 0 == len(nd.runs())
    assert "nd.runs(all=True)" in str(nd.runs())
    assert three[0] in {run.id for run in nd.runs(all=True)}


def test_conditions_narrow_and_kinds_do(three: list[str]) -> None:
    small = compressed(three[0], "static_int8", 0.89, 1000)
    assert [three[2]] == [run.id for run in nd.runs(where="accuracy > .9 and arch in ('resnet34', 'x')")]
    assert [small] == [run.id for run in nd.runs(kind="compress")]
    assert [small] == [run.id for run in nd.runs(where=f"origin == '{three[0]}'")]
    assert "No run is like that." == str(nd.runs(where="accuracy > 2"))
    with pytest.raises(UnknownName, match="copmress"):
        nd.runs(kind="copmress")


def test_trials_are_not_listed_unless_asked_for() -> None:
    with recording("tune") as tune:
        for _ in range(3):
            with recording("trial"):
                pass
    assert [tune.id] == [run.id for run in nd.runs()]
    assert 'nd.runs(kind="trial")' in str(nd.runs())
    assert 3 == len(nd.runs(kind="trial"))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("a > 1", True),
        ("a == 2 and not b == 'x'", False),
        (".5 < share <= 1", True),
        ("b in ['x', 'y']", True),
        ("'x' in tags", True),
        ("missing > 1", False),
        ("missing == None", True),
        ("params.lr < 1e-2", True),
        ("a > 'text'", False),
        ("a < -1 or flag == True", True),
    ],
)
def test_a_condition_holds_or_not(condition: str, holds: bool) -> None:
    values = {"a": 2, "b": "x", "share": 0.75, "tags": ["x"], "params.lr": 0.001, "flag": True}
    assert holds is Where(condition)(values)


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "a.b()", "a >", "lambda: 1", "a[0] == 1", "x" * 2000, "f'{a}'", "[a for a in b]", "a + 1 > 2",
     "(" * 300 + "a" + ")" * 300, "a := 1", "print(1)", "a if b else c", "b'x' == a"],
)  # fmt: skip
def test_anything_else_is_no_condition(text: str) -> None:
    with pytest.raises(UsageError):
        Where(text)


def test_a_name_that_no_run_has_is_suggested_and_text_without_quotes_explained(three: list[str]) -> None:
    assert three
    with pytest.raises(UnknownName) as caught:
        nd.runs(where="acuracy > .9")
    assert 'Did you mean "accuracy"?' in caught.value.hint
    with pytest.raises(UnknownName) as caught:
        nd.runs(where="arch == resnet18")
    assert "Text stands in quotes: 'resnet18'" == caught.value.hint


def test_the_best_is_the_highest_accuracy_and_the_lowest_loss(three: list[str]) -> None:
    runs = nd.runs()
    assert three[2] == runs.best("accuracy").id == runs.best("valid_loss").id
    assert [three[2], three[0], three[1]] == [run.id for run in runs.sort("accuracy")]
    assert [three[0], three[2], three[1]] == [run.id for run in runs.sort("lr", ascending=True)]
    with pytest.raises(UnknownName, match="acuracy"):
        runs.best("acuracy")
    with pytest.raises(UnknownName, match="arch"):
        runs.best("arch")


def test_the_table_in_a_terminal_and_in_a_notebook(three: list[str]) -> None:
    with pytest.raises(RuntimeError), recording("deploy", params={"target": "<b>"}):
        raise RuntimeError("<script>alert(1)</script>")
    text, page = str(nd.runs()), nd.runs()._repr_html_()
    assert three[0] in text
    assert "✗ failed" in text
    assert "95.0 %" in text
    assert "4 runs: 3 train, 1 deploy" in page
    assert "<script>" not in page
    assert "&lt;b&gt;" in page


def test_what_only_a_newer_nbdeploy_knows_is_shown_as_it_stands(three: list[str]) -> None:
    from nbdeploy.jupyter.widgets.runs import RunsTable

    store.change(three[0], status="paused", kind="sweep", why="one line\nand another")
    text, page = str(nd.runs()), nd.runs()._repr_html_()
    assert "– paused" in text
    assert "1 sweep" in page
    assert f"{three[0]}: one line\n" in f"{text}\n"
    one = nd.runs()[three[0]]
    assert "paused" in str(one)
    assert "paused" in one._repr_html_()
    assert "– paused" in str(RunsTable(nd.runs()).state)


def test_a_file_of_runs_that_is_broken_is_to_be_moved_away() -> None:
    with pytest.raises(UnknownName, match="There is none yet"):
        nd.runs()["swift-otter"]
    store.file().parent.mkdir(parents=True, exist_ok=True)
    store.file().write_bytes(b"garbage" * 3000)
    with pytest.raises(OutputError, match="file is not a database") as caught:
        nd.runs()
    assert "Move that file away" in caught.value.hint


def test_frames_and_plain_data(three: list[str]) -> None:
    frame = nd.runs().to_frame()
    assert three[::-1] == list(frame.index)
    assert [0.95, 0.6, 0.9] == list(frame["metrics.accuracy"])
    first = nd.runs().to_dict()["runs"][-1]
    assert [[1.0, 0.5], [2.0, 0.8], [3.0, 0.9]] == first["series"]["accuracy"]


def test_what_differs_is_marked_and_the_best_figure_too(three: list[str]) -> None:
    store.merge(three[1], "environment", {"python": "3.9.1"})
    made = nd.runs().compare(*three)
    differing = {(row.part, row.name) for row in made.differences()}
    assert {("parameters", "arch"), ("metrics", "accuracy"), ("environment", "python")} <= differing
    assert ("environment", "platform") not in differing
    (accuracy,) = (row for row in made.rows if row.name == "accuracy")
    assert 2 == accuracy.best
    assert "≠  parameters arch" in str(made)
    assert "✓" in made._repr_html_()
    assert bool(made.to_frame().loc[("parameters", "arch"), "differs"])
    with pytest.raises(UsageError, match="two runs"):
        nd.runs().compare(three[0])


def test_notes_and_tags_are_kept_and_found(three: list[str]) -> None:
    run = nd.runs()[three[0]].note("with the new lens").tag("good", "lens")
    assert ("with the new lens", ("good", "lens")) == (run.noted, run.tags)
    assert [three[0]] == [one.id for one in nd.runs(where="'good' in tags")]
    assert () == run.tag().tags


def test_what_is_removed_is_not_listed_and_comes_back(three: list[str]) -> None:
    run = nd.runs()[three[0]].remove()
    assert three[0] not in {one.id for one in nd.runs()}
    assert three[0] in {one.id for one in nd.runs(removed=True)}
    assert run.removed
    nd.runs()[three[0]].restore()
    assert three[0] in {one.id for one in nd.runs()}


KILLED = """
import os, signal
from nbdeploy.tracking.recording import recording
with recording("train") as run:
    run.metric("loss", 1.0, step=1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_whose_process_was_killed_is_seen_as_killed_and_one_that_goes_on_as_running(root: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "PYTHONPATH": str(root)}, check=False)
    (run,) = nd.runs()
    assert ("killed", [(1.0, 1.0)]) == (run.status, run.series["loss"])
    assert "ended without a word" in str(nd.runs())
    with recording("train") as going:
        assert "running" == nd.runs()[going.id].status
    assert [run.id] == [one.id for one in nd.runs(status="killed")]


def test_a_process_of_another_machine_is_not_judged() -> None:
    with recording("train") as run:
        pass
    store.change(run.id, status="running", host="elsewhere", pid=1, started="x")
    assert "running" == nd.runs()[run.id].status


def test_the_figures_are_drawn(three: list[str], tmp_path: Path) -> None:
    aged(three[0], "2025-12-31T23:00:00.000+00:00")
    for number, figure in enumerate((nd.runs().plot(), nd.runs().history(), nd.runs()[:1].history("accuracy"))):
        figure.savefig(tmp_path / f"{number}.png")
    parallel, history = nd.runs().plot(), nd.runs().history()
    texts = {text.get_text() for text in parallel.axes[0].texts}
    assert {"arch", "lr", "accuracy", "valid loss", "resnet18", "mobilenet_v3_small"} <= texts
    assert three[2] in parallel.axes[0].get_title(loc="left")
    assert ["train loss", "valid loss", "accuracy", "accuracy, run by run"] == [
        panel.get_title(loc="left") for panel in history.axes
    ]
    assert [0.9, 0.6, 0.95] == list(history.axes[3].lines[0].get_ydata())
    with pytest.raises(UnknownName, match="acuracy"):
        nd.runs().plot("acuracy")
    with pytest.raises(UsageError, match="two runs"):
        nd.runs()[:1].plot()
