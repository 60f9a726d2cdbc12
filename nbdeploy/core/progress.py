"""Progress of long work: a bar in a notebook or a terminal, plain lines in a pipe, nothing when told to be quiet."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
_quiet: ContextVar[bool] = ContextVar("nbdeploy_quiet", default=False)
_PLAIN_EVERY_S = 5.0


@contextmanager
def quiet(on: bool = True) -> Iterator[None]:
    """Show no progress inside the block."""
    token = _quiet.set(on)
    try:
        yield
    finally:
        _quiet.reset(token)


def is_quiet() -> bool:
    """Whether progress is off."""
    return _quiet.get()


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code, for a page that can draw bars: not with ``NBDEPLOY_PROGRESS=plain``."""
    if os.environ.get("NBDEPLOY_PROGRESS") == "plain":
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def track(items: Iterable[T], what: str, *, total: int | None = None, unit: str = "file") -> Iterator[T]:
    """Yield `items`, showing how many are done, the rate, and the time left. `what` names the work ("reading")."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if is_quiet():
        yield from items
    elif in_notebook() or sys.stderr.isatty():
        from tqdm.auto import tqdm  # noqa: PLC0415 - 50 ms that quiet work need not pay

        yield from tqdm(items, desc=what, total=total, unit=unit, leave=False, file=sys.stderr)
    else:
        yield from _plain(items, what, total, unit)


def _plain(items: Iterable[T], what: str, total: int | None, unit: str) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= _PLAIN_EVERY_S:
            last = now
            rate = done / (now - start)
            left = f", {(total - done) / rate:.0f} s left" if total else ""
            of = f" of {total}" if total else ""
            sys.stderr.write(f"{what}: {done}{of} {unit}s, {rate:.1f}/s{left}\n")


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Name a step of a long chain and say how long it took; the yielded function adds a note to the closing line."""
    notes: list[str] = []
    start = time.monotonic()
    show = not is_quiet()
    live = show and sys.stderr.isatty()
    if live:
        sys.stderr.write(f"  {what} ...")
        sys.stderr.flush()
    try:
        yield notes.append
    except BaseException:
        if show:
            start_of_line = "\r" if live else ""
            sys.stderr.write(f"{start_of_line}  {what}: stopped after {time.monotonic() - start:.1f} s\n")
        raise
    if show:
        tail = "".join(f", {note}" for note in notes)
        clear = "\r\x1b[2K" if live else ""
        sys.stderr.write(f"{clear}  {what}: {time.monotonic() - start:.1f} s{tail}\n")
        sys.stderr.flush()
