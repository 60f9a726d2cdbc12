"""Work that is watched and stopped from beside."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from nbdeploy.core import working
from nbdeploy.core.progress import quiet, step, track
from nbdeploy.errors import Cancelled


class Notes:
    """What a watcher was told, in lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def began(self, phase: str) -> None:
        self.lines.append(f"> {phase}")

    def ended(self, phase: str, error: BaseException | None) -> None:
        self.lines.append(f"< {phase} {type(error).__name__ if error else ''}".strip())

    def said(self, text: str) -> None:
        self.lines.append(text)

    def counted(self, what: str, done: int, total: int | None, unit: str) -> None:
        self.lines.append(f"{what} {done}/{total} {unit}")


@pytest.fixture
def work() -> Iterator[working.Work]:
    made = working.Work(Notes())
    with working.working(made), quiet():
        yield made


def told(work: working.Work) -> list[str]:
    assert isinstance(work.watcher, Notes)
    return work.watcher.lines


def test_phases_steps_notes_and_counts_are_told(work: working.Work) -> None:
    with working.phase("convert"), step("converting") as note:
        assert ["a", "b"] == list(track(["a", "b"], "reading"))
        note("2 MB")
    assert [
        "> convert",
        "converting",
        "reading 0/2 file",
        "reading 1/2 file",
        "reading 2/2 file",
        "2 MB",
        "< convert",
    ] == told(work)


def test_where_nobody_watches_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    with working.phase("convert"), step("converting") as note:
        note("2 MB")
    working.check()
    assert "converting: 0.0 s, 2 MB" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["phase", "step", "item"])
def test_an_order_to_stop_arrives_at_the_next_part(work: working.Work, where: str) -> None:
    reached = []

    def long() -> None:
        if where == "item":
            for item in track(range(9), "reading"):
                reached.append(item)
                work.cancel()
        else:
            with working.phase("one") if where == "phase" else step("one"):
                work.cancel()
            reached.append("the next")

    with pytest.raises(Cancelled):
        long()
    assert [0] * (where == "item") == reached


def test_it_arrives_once_so_that_what_is_taken_away_is_not_disturbed(work: working.Work) -> None:
    cleared = []

    def long() -> None:
        try:
            work.cancel()
            with step("starting it"):
                pass
        finally:
            with step("taking it away"):
                cleared.append(True)

    with pytest.raises(Cancelled):
        long()
    assert [True] == cleared


def test_no_handler_of_faults_takes_it_for_one() -> None:
    assert not issubclass(Cancelled, Exception)


def test_a_child_that_is_waited_for_ends_with_what_it_started(work: working.Work) -> None:
    code = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "time.sleep(60)\n"
    )
    seen: list[psutil.Process] = []

    def stop() -> None:
        me = psutil.Process()
        while len(seen) < 2:
            seen[:] = [one for one in me.children(recursive=True) if "time.sleep(60)" in " ".join(one.cmdline())]
            time.sleep(0.02)
        work.cancel()

    beside = threading.Thread(target=stop)
    beside.start()
    with pytest.raises(Cancelled):
        working.run([sys.executable, "-c", code])
    beside.join()
    psutil.wait_procs(seen, timeout=10)
    assert [] == [one for one in seen if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_child_that_ends_by_itself_gives_what_it_printed(work: working.Work) -> None:
    done = working.run([sys.executable, "-c", "print('yes')"])
    assert (0, b"yes") == (done.returncode, done.stdout.strip())
    with pytest.raises(subprocess.TimeoutExpired):
        working.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.1)
    assert not work.cancelled


def test_a_fault_that_an_order_to_stop_caused_is_no_fault(work: working.Work) -> None:
    ended = threading.Event()

    def long() -> None:
        with work.ending(ended.set):
            work.cancel()
            assert ended.is_set()
            raise RuntimeError("its process ended")

    with pytest.raises(Cancelled):
        long()
