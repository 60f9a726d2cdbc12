"""Measure many files in processes of our own, of which one that dies takes nothing with it but the file that killed it.

A pool of the standard library would run the person's own script again in each process, or fork one that has threads,
and would give up as a whole when a decoder crashes.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from nbdeploy.data.facts import Facts, Measure, facts_of

FEW = 200
"""Up to so many files are measured in this process: the others take a moment to start."""
_BATCH = 16
_MOST = 8  # processes; each may hold one huge picture
_LENGTH = struct.Struct("<Q")
_START = "import sys; sys.path[:] = sys.argv[1:]; from nbdeploy.data.pool import serve; serve()"


@contextmanager
def engine() -> Iterator[Measure]:
    """What measures files inside the block."""
    yield measure


def measure(paths: Sequence[Path]) -> Iterator[Facts]:
    """The Facts of every path, in order. Closing the iterator, as Ctrl-C does, ends the processes at once."""
    if len(paths) <= FEW:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow murmurs about odd files is said by the findings
            yield from map(facts_of, paths)
        return
    yield from _by_processes(paths)


def _by_processes(paths: Sequence[Path]) -> Iterator[Facts]:
    number = min(_MOST, _cores())
    workers = [_Worker() for _ in range(number)]
    free: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)
    waiting: deque[Future[list[Facts]]] = deque()
    with ThreadPoolExecutor(number, thread_name_prefix="nbdeploy-measure") as threads:
        try:
            for start in range(0, len(paths), _BATCH):
                waiting.append(threads.submit(_ask, free, paths[start : start + _BATCH]))
                if len(waiting) >= number * 4:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            for worker in workers:
                worker.close()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ask(free: SimpleQueue[_Worker], paths: Sequence[Path]) -> list[Facts]:
    worker = free.get()
    try:
        return worker.measure(paths)
    finally:
        free.put(worker)


class _Worker:
    """One process, started when it is first asked and again after it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def measure(self, paths: Sequence[Path]) -> list[Facts]:
        """The Facts of `paths`; where the process dies they are asked for one by one, which finds the culprit."""
        try:
            return self._exchange(paths)
        except (OSError, EOFError) as error:
            self._end()
            if self._closed:
                raise
            if len(paths) == 1:
                return [
                    Facts("", ("unreadable", f"reading it ended the process that read it ({type(error).__name__})"))
                ]
        return [facts for path in paths for facts in self.measure([path])]

    def close(self) -> None:
        self._closed = True
        self._end()

    def _exchange(self, paths: Sequence[Path]) -> list[Facts]:
        if self._closed:
            raise EOFError
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        _send(process.stdin, list(map(os.fsencode, paths)))
        return [Facts(**values) for values in _receive(process.stdout)]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _start() -> subprocess.Popen[bytes]:
    places = [os.path.abspath(place) for place in sys.path]
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-c", _START, *places],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # each core has a process already
        start_new_session=True,  # Ctrl-C is for the parent, which ends its processes
    )


def serve() -> None:
    """What such a process does: answer lists of paths with lists of facts until its input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # native code that prints must not end up among the answers
    warnings.simplefilter("ignore")
    while True:
        try:
            paths = _receive(requests)
        except EOFError:
            return
        found = [facts_of(Path(os.fsdecode(path))) for path in paths]
        _send(answers, [{name: getattr(facts, name) for name in Facts.__slots__} for facts in found])


def _send(to: IO[bytes], value: object) -> None:
    data = pickle.dumps(value)
    to.write(_LENGTH.pack(len(data)) + data)
    to.flush()


def _receive(source: IO[bytes]) -> Any:
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = source.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 - a pipe between two processes of ours
