"""Stopping a training from outside: the interrupt of the kernel or Ctrl-C, and a button on the page."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nbdeploy.registry import widgets


@contextmanager
def heeding_interrupts(asked: Callable[[], bool]) -> Iterator[None]:
    """Call `asked` for an interrupt inside the block; where it gives False, KeyboardInterrupt is raised as ever.

    Only Python's own handling of the signal is replaced, for the time being: whoever has put another in its place, or
    runs this in a thread, which gets no signals, keeps what they have.
    """
    own = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or own is not signal.default_int_handler:
        yield
        return

    def heed(number: int, frame: Any) -> None:
        if not asked():
            signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, heed)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, own)


@contextmanager
def button(pressed: Callable[[], None]) -> Iterator[None]:
    """A button below what the cell shows, for the time of the block; `pressed` is called in another thread."""
    shown = widgets.load("stop")(pressed)
    shown.show()
    try:
        yield
    finally:
        shown.close()
