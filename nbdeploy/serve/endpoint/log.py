"""The log: a line of JSON an event on standard error, and nothing that a user sent."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

_WAITING = 10_000  # lines; a reader of the log that is slower than the requests must not stop them
_GATHER_S = 0.05  # lines are written together: to wake the thread for each costs a part of a request's time


class Log:
    """Lines are written by a thread of their own. Those that find no place are counted and reported."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.lost = 0
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._over = threading.Event()
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()

    def event(self, event: str, **about: Any) -> None:
        """One line: the time, what happened, and more about it."""
        if self.lost and not self._lines.full():
            about["lost"], self.lost = self.lost, 0
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **about}
        try:
            self._lines.put_nowait(json.dumps(line, ensure_ascii=True, separators=(",", ":")))
        except queue.Full:
            self.lost += 1

    def fault(self, error: BaseException, **about: Any) -> None:
        """An error that was not foreseen: its type and where; never its words, which may hold what a user sent."""
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        self.event("fault", level="error", type=type(error).__name__, where=where, **about)

    def take_over(self) -> None:
        """What others have to say goes here too: libraries' loggers, and Python's warnings."""
        logging.captureWarnings(capture=True)
        root = logging.getLogger()
        root.handlers = [_Handler(self)]
        root.setLevel(logging.WARNING)

    def close(self) -> None:
        """Write what waits."""
        self._over.set()
        self._lines.put(None)
        self._writer.join(timeout=2)

    def _write(self) -> None:
        over = False
        while not over:
            lines = [self._lines.get()]
            self._over.wait(_GATHER_S)
            with contextlib.suppress(queue.Empty):
                while True:
                    lines.append(self._lines.get_nowait())
            over = None in lines
            try:
                self.stream.write("".join(f"{line}\n" for line in lines if line is not None))
                self.stream.flush()
            except (OSError, ValueError):  # nobody reads it any more
                continue


class _Handler(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        if record.exc_info and record.exc_info[1]:
            self.log.fault(record.exc_info[1], source=record.name)
        else:
            # Without what is filled in: a parser of forms says which bytes it met.
            self.log.event("server", level=level, source=record.name, message=str(record.msg))
