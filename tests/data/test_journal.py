"""Decisions: appended only, folded, undone and redone, through kills and with two writers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbdeploy as nd
from nbdeploy.core.finding import Edit
from nbdeploy.data.journal import Decision, Journal, batches, in_force
from nbdeploy.errors import DataError, NbdeployWarning, OutputError, UnknownName

WRITER = """
import sys
from pathlib import Path
from nbdeploy.core.finding import Edit
from nbdeploy.data.journal import Journal
journal = Journal(sys.argv[1])
for number in range(int(sys.argv[2])):
    journal.record([Edit(Path("a.png"), "relabel", f"{sys.argv[3]}{number}", sha256="0" * 64, why="x" * 500)])
    print(number, flush=True)
"""


def edit(label: str = "dog", sha256: str = "0" * 64) -> Edit:
    return Edit(Path("a.png"), "relabel", label, sha256=sha256)


def writer(place: Path, number: int, name: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", WRITER, str(place), str(number), name]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True)


def test_a_line_says_what_was_decided_about_which_bytes_by_whom_and_why(make_folder):
    root = make_folder({"cat": 3, "dog": 3})
    picture = root / "cat" / "000.png"
    scores = (("label_error", 0.97),)
    batch = Journal(root).record([Edit(picture, "relabel", "dog", before="cat", why="a dog", who="ann", scores=scores)])
    (line,) = (root / "decisions.jsonl").read_text().splitlines()
    raw = json.loads(line)
    assert nd.ImageSet.from_folder(root).files[0].sha256 == raw["sha256"]
    assert ("relabel", "cat/000.png", "cat", "dog", "ann", "a dog") == tuple(
        raw[key] for key in ("op", "path", "from", "to", "who", "why")
    )
    assert ({"label_error": 0.97}, batch) == (raw["scores"], raw["batch"])
    assert raw["time"].endswith("+00:00")


def test_undo_and_redo_append_and_take_whole_batches(tmp_path):
    journal = Journal(tmp_path)
    first = journal.record([edit("one"), edit("two")])
    second = journal.record([edit("three")])
    assert second == journal.undo()
    assert ["one", "two"] == [one.after for one in journal]
    assert first == journal.undo()
    assert () == journal.edits()
    assert "" == journal.undo()
    assert first == journal.redo()
    assert second == journal.redo()
    assert "" == journal.redo()
    assert ["one", "two", "three"] == [one.after for one in journal]
    assert 7 == len(journal.path.read_text().splitlines())


def test_a_new_decision_ends_what_can_be_redone(tmp_path):
    journal = Journal(tmp_path)
    journal.record([edit("one")])
    journal.undo()
    journal.record([edit("two")])
    assert "" == journal.redo()
    assert ["two"] == [one.after for one in journal]


def test_a_journal_cut_at_any_byte_keeps_every_whole_line_and_takes_more(tmp_path):
    whole = Journal(tmp_path / "whole.jsonl")
    for label in ("one", "dré"):
        whole.record([edit(label, sha256="0")])
    whole.undo()
    data = whole.path.read_bytes()
    ends = [place for place, byte in enumerate(data) if byte == ord("\n")]
    for cut in range(len(data) + 1):
        torn = Journal(tmp_path / "torn.jsonl")
        torn.path.write_bytes(data[:cut])
        kept = sum(end <= cut for end in ends)  # a line whose last byte is missing only is whole too
        if cut == 0 or cut - 1 in ends or cut in ends:
            assert kept == len(torn.decisions())
            continue
        with pytest.warns(NbdeployWarning, match=r"1 line .*torn"):
            assert kept == len(torn.decisions())
        torn.record([edit("after")])
        with pytest.warns(NbdeployWarning, match="torn"):
            assert ["after"] == [one.edit.after for one in torn.decisions()[kept:]]
        assert data[:cut] == torn.path.read_bytes()[:cut]


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
def test_a_killed_writer_loses_at_most_what_it_had_not_said(tmp_path):
    process = writer(tmp_path, 10_000, "x")
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(20)]
    time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.communicate()[0].split()]
    journal = Journal(tmp_path)
    found = [one.after for one in journal]
    assert [f"x{number}" for number in said] == found[: len(said)]
    journal.record([edit("after")])  # the dead one's lock holds nobody up
    assert "after" == journal.edits()[-1].after


def test_lines_of_others_and_of_later_versions_do_no_harm(tmp_path):
    journal = Journal(tmp_path)
    journal.record([edit("one")])
    with journal.path.open("a") as file:
        file.write('[1, 2]\n{"op": "paint", "batch": "b", "time": "t"}\n\n')
    with pytest.warns(NbdeployWarning, match="2 lines"):
        assert ["one"] == [one.after for one in journal]


def test_a_decision_needs_an_operation_and_bytes(tmp_path):
    with pytest.raises(UnknownName, match="exclud"):
        Edit(Path("a.png"), "exclud")
    with pytest.raises(DataError, match="cannot be read"):
        Journal(tmp_path).record([Edit(tmp_path / "gone.png", "exclude")])
    with pytest.raises(OutputError, match="no folder"):
        Journal(tmp_path / "no-folder" / "decisions.jsonl").record([edit()])


STEPS = st.lists(st.one_of(st.just("undo"), st.just("redo"), st.integers(0, 5)), max_size=30)


@given(STEPS)
def test_the_fold_is_the_stack_that_a_person_expects(steps):
    decisions: list[Decision] = []
    done: list[str] = []
    undone: list[str] = []
    for number, step in enumerate(steps):
        if isinstance(step, int):
            decisions.append(Decision("relabel", f"b{number}", "", edit(str(number))))
            done.append(f"b{number}")
            undone.clear()
            continue
        source, target = (done, undone) if step == "undo" else (undone, done)
        if source:
            decisions.append(Decision(step, f"u{number}", "", of=source[-1]))
            target.append(source.pop())
    assert (done, undone) == batches(decisions)
    assert [name[1:] for name in done] == [one.after for one in in_force(decisions)]


@given(STEPS, st.integers(0, 30))
def test_every_beginning_of_a_journal_is_a_journal(steps, cut):
    made = [
        Decision("relabel", f"b{n}", "", edit(str(n)))
        if isinstance(s, int)
        else Decision(s, f"u{n}", "", of=f"b{n - 1}")
        for n, s in enumerate(steps)
    ]
    done, undone = batches(made[:cut])
    assert set() == set(done) & set(undone)
    assert len(in_force(made[:cut])) == len(done)
