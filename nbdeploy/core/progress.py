"""Progress of long work: a bar in a notebook or a terminal, plain lines in a pipe, nothing when told to be quiet.

Who watches the work (`core.working`) is told all the same, and an order to stop is heeded here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from nbdeploy.core import working
from nbdeploy.core.live import Row, board, in_notebook
from nbdeploy.core.numbers import SPACE

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


def track(items: Iterable[T], what: str, *, total: int | None = None, unit: str = "file") -> Iterator[T]:
    """Yield `items`, showing how many are done, the rate, and the time left. `what` names the work ("reading")."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    items = working.counted(items, what, total=total, unit=unit)
    if is_quiet():
        yield from items
    elif in_notebook():
        yield from _on_board(items, what, total, unit)
    elif sys.stderr.isatty():
        from tqdm import tqdm  # noqa: PLC0415 - 50 ms that quiet work need not pay

        yield from tqdm(items, desc=what, total=total, unit=unit, leave=False, file=sys.stderr)
    else:
        yield from _plain(items, what, total, unit)


def _on_board(items: Iterable[T], what: str, total: int | None, unit: str) -> Iterator[T]:
    steps, state = board(), "stopped after"
    row = steps.add(Row(what, share=0.0))
    try:
        for done, item in enumerate(items, 1):
            yield item
            steps.count(row, done / total if total else 0.0, _how_far(done, total, unit, time.monotonic() - row.began))
        state = ""
    finally:
        steps.end(row, state)


def _plain(items: Iterable[T], what: str, total: int | None, unit: str) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= _PLAIN_EVERY_S:
            last = now
            sys.stderr.write(f"{what}: {_how_far(done, total, unit, now - start)}\n")


def _how_far(done: int, total: int | None, unit: str, seconds: float) -> str:
    rate = done / max(seconds, 1e-9)
    left = f", {(total - done) / rate:.0f} s left" if total else ""
    of = f" of {total:,}" if total else ""
    return f"{done:,}{of} {unit}s, {rate:.1f}/s{left}"


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Name a step of a long chain and say how long it took; the yielded function adds a note to the closing line."""
    with working.told(what) as tell, _shown(what) as note:

        def both(text: str) -> None:
            tell(text)
            note(text)

        yield both


@contextmanager
def _shown(what: str) -> Iterator[Callable[[str], None]]:
    notes: list[str] = []
    start = time.monotonic()
    show = not is_quiet()
    if show and in_notebook():
        with _row(what, notes):
            yield notes.append
        return
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
        tail = "".join(f", {note}" for note in notes).replace(SPACE, " ")
        clear = "\r\x1b[2K" if live else ""
        sys.stderr.write(f"{clear}  {what}: {time.monotonic() - start:.1f} s{tail}\n")
        sys.stderr.flush()


@contextmanager
def _row(what: str, notes: list[str]) -> Iterator[None]:
    steps = board()
    row = steps.add(Row(what))
    try:
        yield
    except BaseException:
        steps.end(row, "stopped after")
        raise
    steps.end(row, note=", ".join(notes))
