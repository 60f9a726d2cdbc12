"""The journal among other processes, kills, full disks, other editors and later versions: nothing is lost or torn."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

import nbdeploy as nd
from nbdeploy.core.finding import Edit
from nbdeploy.data import journal as module
from nbdeploy.data.journal import Journal
from nbdeploy.errors import DataError, NbdeployWarning, OutputError

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals, limits and permissions of POSIX")
START = """
import os, random, sys
from pathlib import Path
from nbdeploy.core.finding import Edit
from nbdeploy.data.journal import Journal
journal = Journal(sys.argv[1])
def record(name, size=300):
    journal.record([Edit(Path("a.png"), "relabel", name, sha256="0" * 64, why="x" * size)])
"""
TOGETHER = "print('ready', flush=True); sys.stdin.readline()\n"
WRITER = "for number in range(int(sys.argv[2])): record(f'{sys.argv[3]}{number}'); print(number, flush=True)"
MEETING = """
import time
own, other = sys.argv[3], {"x": "y", "y": "x"}[sys.argv[3]]
for number in range(int(sys.argv[2])):
    record(f"{own}{number}")
    while number == 100 and f'"{other}0"' not in journal.path.read_text(encoding="utf-8"):
        time.sleep(0.001)  # else a busy machine may let one write all before the other begins
"""
TURNER = """
dice = random.Random(sys.argv[3])
for number in range(int(sys.argv[2])):
    {0: journal.undo, 1: journal.redo}.get(dice.randrange(4), lambda: record(f"{sys.argv[3]}{number}", 3))()
"""


def edit(label: str = "dog") -> Edit:
    return Edit(Path("a.png"), "relabel", label, sha256="0" * 64)


def start(code: str, *words: object) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.Popen(
        [sys.executable, "-c", START + code, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def run_together(code: str, *words: object) -> None:
    """Two processes, called x and y, that begin at the same time."""
    both = [start(TOGETHER + code, *words, name) for name in "xy"]
    for process in both:
        assert process.stdout is not None
        assert "ready" == process.stdout.readline().strip()
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        _, said = process.communicate()
        assert 0 == process.returncode, said


def labels(journal: Journal) -> list[str]:
    return [one.after for one in journal]


def test_two_processes_that_write_at_once_lose_nothing_and_tear_no_line(tmp_path):
    run_together(MEETING, tmp_path, 200)
    found = labels(Journal(tmp_path))
    assert 400 == len(found)
    assert found[:200] != [f"x{number}" for number in range(200)]  # they did take turns
    for name in "xy":
        assert [f"{name}{number}" for number in range(200)] == [one for one in found if one.startswith(name)]


def test_two_processes_that_undo_and_redo_agree_on_what_is_in_force(tmp_path):
    run_together(TURNER, tmp_path, 120)
    done: list[str] = []
    undone: list[str] = []
    for one in Journal(tmp_path).decisions():
        source, target = (undone, done) if one.operation == "redo" else (done, undone)
        if one.edit is None:
            assert one.of == source.pop()  # each took what was the newest when it was written
            target.append(one.of)
        else:
            done.append(one.batch)
            undone.clear()
    assert len(done) == len(labels(Journal(tmp_path)))


@POSIX
def test_writers_killed_again_and_again_lose_nothing_that_they_had_said(tmp_path):
    chance = random.Random(5)
    said: list[str] = []
    for turn in range(6):
        process = start(WRITER.replace("300", "4000"), tmp_path, 10_000, f"t{turn}-")
        assert process.stdout is not None
        said += [f"t{turn}-{int(process.stdout.readline())}" for _ in range(5)]
        time.sleep(chance.random() / 50)
        process.send_signal(signal.SIGKILL)
        said += [f"t{turn}-{int(line)}" for line in process.communicate()[0].splitlines() if line]
        (tmp_path / "decisions.jsonl").open("ab").write(
            b'{"v": 1, "op": "rel'
        )  # and once more, in the middle of a line
    journal = Journal(tmp_path)
    with pytest.warns(NbdeployWarning, match="6 lines .*torn"):
        found = labels(journal)
    assert [] == [one for one in said if one not in set(found)]
    journal.record([edit("after")])
    with pytest.warns(NbdeployWarning, match="torn"):  # the last of them is a line of its own now
        assert "after" == labels(journal)[-1]
    assert "after" == labels(journal)[-1]  # and is said once


def test_a_journal_sees_what_another_writes_and_reads_only_that(tmp_path):
    mine, other = Journal(tmp_path), Journal(tmp_path)
    mine.record(edit(f"{number} {'x' * 200}") for number in range(5000))
    assert 5000 == len(labels(mine))
    size = mine.path.stat().st_size
    began = _read_so_far()
    other.record([edit("other")])
    assert "other" == labels(mine)[-1]
    assert mine.undo()
    assert 5000 == len(labels(mine))
    if began is not None:
        assert _read_so_far() - began < size / 20


def _read_so_far() -> int | None:
    """Bytes that this process has read, where the system counts them."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return None
    return int(lines[0].split()[1])


def test_a_file_that_was_replaced_or_cut_is_read_anew(tmp_path):
    journal, other = Journal(tmp_path), Journal(tmp_path / "other.jsonl")
    journal.record([edit("one"), edit("two")])
    other.record([edit("new"), edit("two"), edit("three")])
    assert ["one", "two"] == labels(journal)
    other.path.replace(journal.path)
    assert ["new", "two", "three"] == labels(journal)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(lines[1])
    assert ["two"] == labels(journal)
    journal.path.write_bytes(lines[2] + lines[0])
    assert ["three", "new"] == labels(journal)
    journal.path.unlink()
    assert [] == labels(journal)


def test_a_line_that_another_is_just_writing_is_waited_for(tmp_path):
    journal = Journal(tmp_path)
    journal.record([edit("one")])
    data = journal.path.read_bytes()
    journal.path.write_bytes(data + data[:40])
    lock = filelock.FileLock(tmp_path / ".decisions.jsonl.lock")
    code = "import time; print('go', flush=True); print(*[edit.after for edit in journal])"
    with lock:
        process = start(code, tmp_path)
        assert process.stdout is not None
        assert "go" == process.stdout.readline().strip()
        time.sleep(0.3)
        with journal.path.open("ab") as file:
            file.write(data[40:])
    out, said = process.communicate()
    assert "one one" == out.strip()
    assert "torn" not in said


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path, mark):
    journal = Journal(tmp_path)
    journal.record([edit("one"), edit("two")])
    journal.path.write_bytes(mark + journal.path.read_bytes().replace(b"\n", b"\r\n"))
    again = Journal(tmp_path)
    assert ["one", "two"] == labels(again)
    again.record([edit("three")])
    assert ["one", "two", "three"] == labels(again) == labels(Journal(tmp_path))


def test_what_a_newer_nbdeploy_wrote_is_passed_over_and_kept(tmp_path):
    journal = Journal(tmp_path)
    journal.record([edit("one")])
    line = json.loads(journal.path.read_text())
    later = [{**line, "v": 2}, {**line, "op": "crop"}, {"v": 2, "op": "undo", "of": line["batch"]}]
    foreign = "".join(json.dumps(one) + "\n" for one in later)
    with journal.path.open("a") as file:
        file.write(foreign)
    with pytest.warns(NbdeployWarning, match="3 lines of .* does not know, perhaps a newer one's"):
        assert ["one"] == labels(journal)
    journal.record([edit("two")])
    assert ["one", "two"] == labels(journal)
    assert foreign in journal.path.read_text()


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"


@POSIX
def test_a_full_disk_is_said_and_leaves_the_file_as_it_was(tmp_path):
    journal = Journal(tmp_path)
    journal.record([edit("one")])
    before = journal.path.read_bytes()
    _, said = start(FULL + "record('two', 2000)", tmp_path, len(before) + 1000).communicate()
    assert "OutputError: Decisions cannot be kept" in said
    assert "Nothing was written. Free some space" in said
    assert before == journal.path.read_bytes()
    journal.record([edit("three")])
    assert ["one", "three"] == labels(journal)


LESS = "os.setgid(65534); os.setuid(65534)\n"


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_place_that_cannot_be_written_to_is_said_and_can_still_be_read(tmp_path, folder_mode):
    place = tmp_path / "data"
    place.mkdir()
    Journal(place).record([edit("one")])
    (place / "decisions.jsonl").chmod(0o444)
    for folder in (place, *place.parents):
        if folder.stat().st_mode & 0o777 == 0o700:  # pytest's own, however deep, which others may not enter
            folder.chmod(0o755)
    place.chmod(folder_mode)
    code = LESS + "print(*[edit.after for edit in journal], flush=True)\nrecord('two')"
    out, said = start(code, place).communicate()
    assert "one" == out.strip()
    assert "OutputError: Decisions cannot be kept" in said
    assert "Permission denied" in said
    assert "Journal('my.jsonl')" in said
    assert ["one"] == labels(Journal(place))


def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path):
    (tmp_path / "decisions.jsonl").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        labels(Journal(tmp_path))
    with pytest.raises(OutputError, match="cannot be kept"):
        Journal(tmp_path).record([edit()])


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_locked_by_a_file(tmp_path, monkeypatch, code):
    def no_locks(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    first, second = Journal(tmp_path), Journal(tmp_path)
    first.record([edit("one")])
    second.record([edit("two")])
    assert ["one", "two"] == labels(first)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.2)
    held = filelock.SoftFileLock(tmp_path / ".decisions.jsonl.held")
    with held, pytest.raises(OutputError, match="being written by another process"):
        first.record([edit("three")])
    first.record([edit("three")])
    assert ["one", "two", "three"] == labels(second)


def test_threads_that_share_a_journal_lose_nothing(tmp_path):
    journal = Journal(tmp_path)

    def write(name: str) -> None:
        for number in range(30):
            journal.record([edit(f"{name}{number}")])
            assert f"{name}{number}" in labels(journal)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert {f"{name}{number}" for name in "abcd" for number in range(30)} == set(labels(journal))
    assert 120 == len(journal.decisions())


def test_a_batch_that_is_taken_up_again_after_undo_holds_what_is_new_only(tmp_path):
    journal = Journal(tmp_path)
    journal.record([edit("one")], batch="b")
    journal.undo()
    journal.record([edit("two")], batch="b")
    assert ["two"] == labels(journal)


def test_a_hundred_thousand_decisions_fold_in_one_pass(tmp_path):
    journal = Journal(tmp_path)
    journal.record([edit("first")])
    line = json.loads(journal.path.read_text())
    with journal.path.open("w") as file:
        for number in range(100_000):
            file.write(json.dumps({**line, "to": str(number), "batch": f"b{number}"}) + "\n")
        for number in range(99_999, 49_999, -1):
            file.write(json.dumps({"v": 1, "op": "undo", "of": f"b{number}", "batch": "u", "time": "t"}) + "\n")
    found = nd.Journal(tmp_path).edits()
    assert 50_000 == len(found)
    assert "49999" == found[-1].after
