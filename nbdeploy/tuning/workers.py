"""Trials on this machine: one after another in this process, or several at once, each in a process of its own.

A process is started anew with ``python -m``, not forked and not by multiprocessing, which would run the person's script
again. It is told parameters and tells news as lines of JSON; one that dies is one failed trial.
"""

from __future__ import annotations

import json
import os
import pickle  # what is pickled is read by a process of our own only
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from nbdeploy.core.files import log_file
from nbdeploy.training.epoch import Epoch
from nbdeploy.tuning.desk import Desk
from nbdeploy.tuning.objective import Ended, Job, run
from nbdeploy.tuning.trial import Outcome, Trial

_POLL_S = 0.25
_SAY_EVERY_S = 0.3
STOPPED = "it was stopped"


def engine(job: Job, desk: Desk, workers: int | None) -> None:
    """Run trials until the desk has no more. Ctrl-C ends those that run and keeps what was done."""
    try:
        if (workers or 1) == 1:
            _one_by_one(job, desk)
        else:
            _at_once(job, desk, workers or 1)
    except KeyboardInterrupt:
        desk.close(STOPPED)
    finally:
        desk.close()


def _one_by_one(job: Job, desk: Desk) -> None:
    while (trial := desk.next()) is not None:
        desk.done(trial.number, run(job, trial.params, _Here(desk, trial.number)))


class _Here:
    """Takes the news of a trial in this process to the desk."""

    def __init__(self, desk: Desk, number: int) -> None:
        self.desk, self.number = desk, number

    def step(self, share: float) -> None:
        self.desk.step(self.number, share)
        self._heed()

    def epoch(self, epoch: Any) -> None:
        if why := self.desk.epoch(self.number, epoch):
            raise Ended("pruned", why)
        self._heed()

    def stage(self, what: str) -> None:
        self.desk.stage(self.number, what)
        self._heed()

    def _heed(self) -> None:
        if self.desk.over():
            raise Ended("stopped", self.desk.stopped)


def _at_once(job: Job, desk: Desk, workers: int) -> None:
    with tempfile.TemporaryDirectory(prefix="nbdeploy-tune-") as place:
        told = Path(place) / "job.pickle"
        told.write_bytes(pickle.dumps(job))
        news: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
        staff = [_Worker(told, news) for _ in range(workers)]
        try:
            _keep_busy(staff, news, desk)
        finally:
            for worker in staff:
                worker.end()


def _keep_busy(staff: list[_Worker], news: queue.Queue[tuple[_Worker, Any]], desk: Desk) -> None:
    while not desk.over():
        for worker in (one for one in staff if one.trial is None):
            trial = desk.next()
            if trial is None:
                break
            worker.begin(trial)
        if all(worker.trial is None for worker in staff):
            return
        try:
            worker, said = news.get(timeout=_POLL_S)
        except queue.Empty:
            continue
        _hear(worker, said, desk)


def _hear(worker: _Worker, said: Any, desk: Desk) -> None:
    if worker.trial is None:
        return
    number = worker.trial.number
    if said is None:
        why = worker.bury()
        desk.done(number, Outcome("failed", why=why))
    elif "step" in said:
        desk.step(number, said["step"])
    elif "stage" in said:
        desk.stage(number, said["stage"])
    elif "epoch" in said:
        worker.answer(desk.epoch(number, Epoch(**said["epoch"])))
    else:
        worker.trial = None
        desk.done(number, Outcome(**said["outcome"]))


class _Worker:
    """A process that runs one trial after another, and the thread that reads what it says."""

    def __init__(self, told: Path, news: queue.Queue[tuple[_Worker, Any]]) -> None:
        self.told, self.news = told, news
        self.trial: Trial | None = None
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._log: Path | None = None

    def begin(self, trial: Trial) -> None:
        """Give it a trial; its process is started where there is none."""
        self.trial = trial
        if self._process is None:
            self._start()
        self.answer(dict(trial.params))

    def answer(self, what: Any) -> None:
        """Say something to the process. One that has died is noticed by its silence."""
        sink = self._process.stdin if self._process else None
        if sink is not None:
            try:
                sink.write(json.dumps(what) + "\n")
                sink.flush()
            except OSError:
                return

    def bury(self) -> str:
        """Why it died, in words; the next trial gets a new process."""
        self.trial = None
        status = self.end()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"its process ended ({how}); what it said is in {self._log}"

    def end(self) -> int:
        """End the process at once; gives the status that it had, or has by that."""
        process, self._process = self._process, None
        if process is None or self._reader is None:
            return 0
        process.kill()
        status = process.wait()
        self._reader.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not read by it
                    pipe.close()
        return status

    def _start(self) -> None:
        self._log = log_file("tune")
        home = str(Path(__file__).parents[2])
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "nbdeploy.tuning.workers", str(self.told)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # One core each, or they are in one another's way; Ctrl-C is for the process that a person sees.
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=os.name != "nt",
            )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            with suppress(ValueError):  # what this Python prints when it starts (sitecustomize) is no news
                self.news.put((self, json.loads(line)))
        if process is self._process:
            self.news.put((self, None))


class _There:
    """Takes the news of a trial to the process that asked for it."""

    def __init__(self, out: IO[str], lines: IO[str]) -> None:
        self.out, self.lines = out, lines
        self._said = 0.0

    def say(self, **news: Any) -> None:
        try:
            self.out.write(json.dumps(news) + "\n")
            self.out.flush()
        except OSError:  # whoever asked is gone
            os._exit(1)

    def step(self, share: float) -> None:
        if time.monotonic() - self._said >= _SAY_EVERY_S:
            self._said = time.monotonic()
            self.say(step=share)

    def stage(self, what: str) -> None:
        self.say(stage=what)

    def epoch(self, epoch: Any) -> None:
        self.say(epoch=asdict(epoch))
        answer = self.lines.readline()
        if not answer:
            os._exit(1)
        if why := json.loads(answer):
            raise Ended("pruned", why)


def main(told: str) -> None:
    """What a worker's process does."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not come between
    job = pickle.loads(Path(told).read_bytes())  # noqa: S301 - written by the process that started this one
    listener = _There(out, sys.stdin)
    for line in iter(sys.stdin.readline, ""):
        listener.say(outcome=asdict(run(job, json.loads(line), listener)))


if __name__ == "__main__":
    main(sys.argv[1])
