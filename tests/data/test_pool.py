from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from nbdeploy.data import pool
from nbdeploy.data.facts import facts_of


@pytest.fixture(autouse=True)
def _always_by_processes(monkeypatch):
    monkeypatch.setattr(pool, "FEW", 0)


def test_processes_measure_in_order_what_this_process_does(make_folder):
    paths = sorted(make_folder({"a": 20, "b": 20}).rglob("*.png"))
    assert list(map(facts_of, paths)) == list(pool.measure(paths))


def test_a_file_that_ends_the_process_is_named_and_the_others_are_measured(make_folder, monkeypatch):
    paths = sorted(make_folder({"a": 3, "b": 3}).rglob("*.png"))
    dies = "import os; from nbdeploy.data import pool, facts; real = facts.facts_of; "
    dies += f"pool.facts_of = lambda path: os._exit(9) if path.name == {paths[4].name!r} else real(path); "
    head, serve = pool._START.split("from nbdeploy", 1)
    monkeypatch.setattr(pool, "_START", head + dies + "from nbdeploy" + serve)
    found = list(pool.measure(paths))
    assert [path.name == paths[4].name for path in paths] == [one.refused[0] == "unreadable" for one in found]


def test_stopping_halfway_leaves_no_process(make_folder):
    before = set(psutil.Process(os.getpid()).children())
    some = pool.measure(sorted(make_folder({"a": 60, "b": 60}).rglob("*.png")))
    next(some)
    some.close()
    assert set() == set(psutil.Process(os.getpid()).children()) - before


def test_a_missing_file_is_a_fact(tmp_path):
    assert "unreadable" == facts_of(Path(tmp_path / "gone.jpg")).refused[0]
