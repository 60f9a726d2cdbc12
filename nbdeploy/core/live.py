"""Outputs of a notebook's cell that are redrawn in place while the cell runs: the steps of long work."""

from __future__ import annotations

import os
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from nbdeploy.core.look import Html, bar, output, table

_REDRAW_S = 0.2
_SHOW_AFTER_S = 0.5
"""Counting that ends sooner is not shown at all, so that nothing flashes by."""


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code, for a page that can draw bars: not with ``NBDEPLOY_PROGRESS=plain``."""
    return os.environ.get("NBDEPLOY_PROGRESS") != "plain" and getattr(_shell(), "kernel", None) is not None


def _shell() -> Any:
    # Asked of IPython only where somebody else has loaded it: it is no business of plain Python.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


class Live:
    """One output of the running cell. `show` puts it there, and later redraws it where it stands."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._drawn = 0.0

    def show(self, html: str, text: str, *, urgent: bool = True) -> None:
        """Draw; an update that is not `urgent` is left out when the last one is only just drawn."""
        now = time.monotonic()
        if not urgent and now - self._drawn < _REDRAW_S:
            return
        data = {"text/html": html, "text/plain": text}
        update, self._drawn = self._drawn > 0, now
        _shell().display_pub.publish(data=data, metadata={}, transient={"display_id": self._id}, update=update)

    @property
    def drawn(self) -> bool:
        """Whether it is on the page."""
        return self._drawn > 0


@dataclass(eq=False)
class Row:
    """One step: `state` is "" once it is done. A counted step has a `share`, 0..1."""

    what: str
    state: str = "running"
    note: str = ""
    share: float | None = None
    began: float = field(default_factory=time.monotonic)
    took: float | None = None

    def cells(self) -> tuple[str, str, str]:
        """What, time, note."""
        time_ = self.state if self.took is None else " ".join(filter(None, (self.state, f"{self.took:.1f} s")))
        return self.what, time_, self.note if self.share is None else Html(f"{bar(self.share)}{self.note}")


class Board:
    """The steps of one cell, in one table."""

    def __init__(self) -> None:
        self._live = Live()
        self._rows: list[Row] = []

    def add(self, row: Row) -> Row:
        """Put a step below the others. A counted one is drawn only once it has gone on for a while."""
        self._rows.append(row)
        if row.share is None:
            self.draw()
        return row

    def count(self, row: Row, share: float, note: str) -> None:
        """Say how far a counted step is."""
        row.share, row.note = share, note
        if time.monotonic() - row.began >= _SHOW_AFTER_S:
            self.draw(urgent=False)

    def end(self, row: Row, state: str = "", note: str = "") -> None:
        """A step is over; a counted one leaves the table."""
        row.state, row.note, row.took = state, note, time.monotonic() - row.began
        if row.share is not None:
            self._rows.remove(row)
        if row.share is None or self._live.drawn:
            self.draw()

    def draw(self, *, urgent: bool = True) -> None:
        """Redraw the whole table; nothing where no row is left."""
        cells = [row.cells() for row in self._rows]
        text = "\n".join(f"  {row.what}: {row.cells()[1]} {row.note}".rstrip() for row in self._rows)
        page = output(table(cells, "lnt", css="nbd-bare nbd-quiet")) if cells else ""
        self._live.show(page, text, urgent=urgent)


_boards: dict[str, Board] = {}


def board() -> Board:
    """The board of the running cell."""
    shell = _shell()
    header = getattr(shell.display_pub, "parent_header", None) or {}
    cell = str(header.get("msg_id") or shell.execution_count)
    if cell not in _boards:
        _boards.clear()
        _boards[cell] = Board()
    return _boards[cell]
