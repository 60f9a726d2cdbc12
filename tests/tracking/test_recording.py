"""recording(): what is remembered of a run, by whom it is seen, and that it never stops the work."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nbdeploy.errors import DataError, NbdeployWarning
from nbdeploy.tracking import store
from nbdeploy.tracking.recording import current, recording, unrecorded


def test_a_run_has_its_parameters_figures_series_and_result(tmp_path: Path) -> None:
    with recording("train", params={"arch": "resnet18", "lr": np.float32(0.5)}, name="digits") as run:
        run.metric("valid_loss", 0.5, step=1)
        run.metric("valid_loss", np.float64(0.25), step=2)
        run.metrics({"accuracy": 0.98, "note": "good", "bad": float("nan")})
        run.result(path="build/x", sha256="ab")
    (row,) = store.every()
    assert row["id"] == run.id
    assert ("train", "digits", "done") == (row["kind"], row["name"], row["status"])
    assert {"arch": "resnet18", "lr": 0.5} == row["params"]
    assert {"valid_loss": 0.25, "accuracy": 0.98, "note": "good", "bad": "nan"} == row["metrics"]
    assert {"path": str(tmp_path / "work" / "build" / "x"), "sha256": "ab"} == row["result"]
    assert [(1.0, 0.5), (2.0, 0.25)] == store.series([run.id])[run.id]["valid_loss"]
    assert str(tmp_path / "work") == row["project"]
    assert row["took_s"] >= 0
    assert "torch" in row["environment"]["packages"]


def test_an_error_ends_it_as_failed_and_ctrl_c_as_stopped() -> None:
    with pytest.raises(DataError), recording("train"):
        raise DataError("No pictures.", hint="Add some.")
    with pytest.raises(KeyboardInterrupt), recording("tune"):
        raise KeyboardInterrupt
    assert [("tune", "stopped", "KeyboardInterrupt"), ("train", "failed", "DataError: No pictures.")] == [
        (row["kind"], row["status"], row["why"]) for row in store.every()
    ]


def test_a_run_inside_another_knows_its_parent_and_one_of_a_thread_is_told() -> None:
    with recording("tune") as outer:
        with recording("trial") as inner:
            assert inner is current()
        assert outer is current()

        def work(number: int) -> None:
            with recording("trial", parent=outer.id, params={"n": number}) as run:
                run.metric("loss", number, step=0)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(8)))
    rows = store.every()
    assert [outer.id] * 9 + [""] == [row["parent"] for row in rows if row["kind"] == "trial"] + [""]
    assert set(range(8)) == {row["params"]["n"] for row in rows if row["params"]}
    assert "" == current().id


def test_the_data_and_how_far_the_decisions_are(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_text('{"time": "2026-01-01"}\n{"time": "2026-01-02"}\n{"ti')
    images = SimpleNamespace(source=str(tmp_path), fingerprint="f" * 64, edits=(1, 2))
    with recording("train", images=images):
        pass
    data = store.every()[0]["data"]
    assert (str(tmp_path), "f" * 64, 2) == (data["source"], data["fingerprint"], data["decided"])
    assert {"path": str(tmp_path / "decisions.jsonl"), "lines": 3, "last": "2026-01-02"} == data["decisions"]


def test_the_commit_and_what_was_changed_since() -> None:
    def git(*words: str) -> None:
        about = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        subprocess.run(["git", *words], check=True, capture_output=True, env={**os.environ, **about})

    with recording("train"):
        pass
    git("init", "-b", "main")
    Path("a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "x")
    with recording("train"):
        pass
    Path("a.py").write_text("2")
    with recording("train"):
        pass
    dirty, clean, none = (row["git"] for row in store.every())
    assert {} == none
    assert (40, "main", []) == (len(clean["commit"]), clean["branch"], clean["dirty"])
    assert ["a.py"] == dirty["dirty"]


def test_off_records_nothing_and_neither_does_a_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    with unrecorded(), recording("deploy") as run:
        run.metric("x", 1)
    monkeypatch.setenv("NBDEPLOY_RUNS", "off")
    with recording("train") as run:
        run.metrics({"a": 1}, step=1)
        run.result(path="x")
    assert "" == run.id
    assert [] == store.every()


def some_work() -> list[int]:
    done = []
    with recording("train") as run:
        for step in range(3):
            run.metric("loss", 1.0, step=step)
            done.append(step)
    return done


def test_what_cannot_be_written_is_one_warning_and_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "file"))
    with pytest.warns(NbdeployWarning, match="not fully recorded") as said:
        done = some_work()
    assert ([0, 1, 2], 1) == (done, len(said))


def test_a_database_that_breaks_on_the_way_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = store.measure

    def torn(*values: Any) -> None:
        for leftover in store.file().parent.glob("runs.sqlite-*"):
            leftover.unlink()
        store.file().write_bytes(b"torn" * 4096)
        measure(*values)

    monkeypatch.setattr(store, "measure", torn)
    with pytest.warns(NbdeployWarning, match="not fully recorded") as said:
        done = some_work()
    assert ([0, 1, 2], 1) == (done, len(said))


def test_a_database_that_another_process_holds_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    connect = sqlite3.connect

    def noted(*values: Any, timeout: float) -> sqlite3.Connection:
        waited.append(timeout)
        return connect(*values, timeout=timeout)

    with recording("train") as run, connect(store.file(), isolation_level=None) as holder:
        holder.execute("begin immediate")
        monkeypatch.setattr(store, "_WAIT_S", 0.1)
        monkeypatch.setattr(sqlite3, "connect", noted)
        with pytest.warns(NbdeployWarning, match="database is locked"):
            run.metric("a", 1, step=1)
        run.metric("a", 2, step=2)
        holder.execute("rollback")
        run.metric("a", 3, step=3)
    assert [0.1] == [seconds for seconds in waited if seconds]
    assert {"a": 3} == store.one(run.id)["metrics"]


MANY = """
from nbdeploy.tracking.recording import recording
for n in range(5):
    with recording("trial") as run:
        run.metric("x", n, step=n)
"""
HEAVY = """
import sys, nbdeploy.tracking.recording
print(*{"torch", "pandas", "fastai", "numpy", "matplotlib"} & set(sys.modules))
"""


def test_several_processes_write_at_once(root: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    processes = [subprocess.Popen([sys.executable, "-c", MANY], env=environment) for _ in range(3)]
    assert [0, 0, 0] == [process.wait() for process in processes]
    rows = store.every()
    assert 15 == len(rows) == len({row["id"] for row in rows})
    assert {"done"} == {row["status"] for row in rows}


def test_it_is_cheap_to_import(root: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", HEAVY], env=environment, capture_output=True, text=True, check=True)
    assert "" == done.stdout.strip()
