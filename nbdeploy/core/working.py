"""Long work that somebody watches and may stop from beside: from another thread, that of a notebook's widget say.

The thread that works holds its `Work` in a context variable. What it does is told to the watcher of it: phases (whose
names never change, so that a list of them can be shown from the start), steps in words, and counts. An order to stop
is heeded at every phase, step and counted item, and ends the child processes that are waited for. It arrives once, as
`Cancelled`, as Ctrl-C would; what is done on the way out, taking away what was half made, is not disturbed.

Where nobody watches, all of this does nothing.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol, TypeVar

from nbdeploy.errors import Cancelled

T = TypeVar("T")


class Watcher(Protocol):
    """Who is told. Called in the thread that works; nothing that it does may raise."""

    def began(self, phase: str) -> None:
        """A phase begins; it may be inside another, and may come again."""

    def ended(self, phase: str, error: BaseException | None) -> None:
        """The phase is over, by `error` where that is not None."""

    def said(self, text: str) -> None:
        """What is being done within the phase, or what came of it."""

    def counted(self, what: str, done: int, total: int | None, unit: str) -> None:
        """So many of `total` are done."""


class Work:
    """One piece of work, and whether it was told to stop."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self._lock = threading.Lock()
        self._cancelled = self._delivered = False
        self._ends: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether it was told to stop."""
        return self._cancelled

    def cancel(self) -> None:
        """Tell it to stop. Child processes that it waits for are ended now; all else at its next step."""
        with self._lock:
            ends = [] if self._cancelled else list(self._ends)
            self._cancelled = True
        for end in ends:
            end()

    def check(self) -> None:
        """Raise Cancelled where it was told to stop and has not heard of it yet."""
        with self._lock:
            if not self._cancelled or self._delivered:
                return
            self._delivered = True
        raise Cancelled

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """While the block runs, an order to stop calls `end`, from another thread; the block then ends by Cancelled."""
        with self._lock:
            if not self._cancelled:
                self._ends.append(end)
        try:
            self.check()
            yield
        except Exception:
            self.check()  # whatever went wrong because its process was ended
            raise
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._ends.remove(end)
        self.check()


_work: ContextVar[Work | None] = ContextVar("nbdeploy_work", default=None)


def current() -> Work | None:
    """The work of this thread that somebody watches."""
    return _work.get()


@contextmanager
def working(work: Work) -> Iterator[None]:
    """What is done in the block is `work`."""
    token = _work.set(work)
    try:
        yield
    finally:
        _work.reset(token)


def check() -> None:
    """Raise Cancelled where this thread's work was told to stop."""
    if (work := _work.get()) is not None:
        work.check()


@contextmanager
def phase(name: str) -> Iterator[None]:
    """A part of the work that has a name of its own: ``check plan export calibrate convert verify measure package``,
    and for providers ``start probe``. It is only told to the watcher; a terminal shows steps.
    """
    work = _work.get()
    if work is None:
        yield
        return
    work.check()
    work.watcher.began(name)
    try:
        work.check()
        yield
        work.check()
    except BaseException as error:
        work.watcher.ended(name, error)
        raise
    work.watcher.ended(name, None)


@contextmanager
def told(what: str) -> Iterator[Callable[[str], None]]:
    """A step in words; the function that is given tells what came of it."""
    work = _work.get()
    if work is None:
        yield lambda _: None
        return
    work.check()
    work.watcher.said(what)
    yield work.watcher.said
    work.check()


def counted(items: Iterable[T], what: str, *, total: int | None, unit: str) -> Iterable[T]:
    """The items, told one by one."""
    work = _work.get()
    return items if work is None else _counted(work, items, what, total, unit)


def _counted(work: Work, items: Iterable[T], what: str, total: int | None, unit: str) -> Iterator[T]:
    done = 0
    work.watcher.counted(what, done, total, unit)
    for item in items:
        work.check()
        yield item
        done += 1
        work.watcher.counted(what, done, total, unit)


@contextmanager
def child(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    """While the block waits for `process`, an order to stop ends it, with the processes that it started."""
    work = _work.get()
    if work is None:
        yield
        return
    try:
        with work.ending(lambda: end_family(process)):
            yield
    except BaseException:
        end_family(process)
        raise


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """``subprocess.run`` with what it prints kept, which an order to stop ends. Raises subprocess.TimeoutExpired."""
    with subprocess.Popen(  # noqa: S603 - the callers say which
        list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd
    ) as process:
        try:
            with child(process):
                out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)


def end_family(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Kill `process`, if it still runs, and all that it started."""
    if process.poll() is not None:
        return
    import psutil  # noqa: PLC0415 - only where something is stopped

    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.kill()
