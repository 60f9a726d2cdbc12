"""Files that come from a page in parts, and the one thread that works on what came."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nbdeploy.data.collect.place import STAGING, staged
from nbdeploy.errors import DataError

LARGEST = 8 << 30
"""Bytes of one file."""
_MOST_OPEN = 64


@dataclass
class Arriving:
    """A file of which parts are there."""

    meta: dict[str, Any]
    path: Path
    size: int
    there: int = 0


@dataclass
class Inbox:
    """Parts become files in the hidden folder of what is still coming in."""

    folder: Path
    arriving: dict[str, Arriving] = field(default_factory=dict)
    drops: dict[str, Path] = field(default_factory=dict)
    """What was dropped together and is looked into as a whole -> its folder."""

    def part(self, meta: dict[str, Any], data: bytes | memoryview) -> Arriving:
        """Take one part in; parts of a file come in order. Raises DataError for what no page of ours sends."""
        name = str(meta["file"])
        one = self.arriving.get(name)
        if one is None:
            size = int(meta["size"])
            if not 0 <= size <= LARGEST or len(self.arriving) >= _MOST_OPEN:
                raise DataError("That file is too large.", hint=f"At most {LARGEST >> 30} GB; copy it to the folder.")
            one = self.arriving[name] = Arriving(meta, self._place(meta), size)
            one.path.parent.mkdir(parents=True, exist_ok=True)
            one.path.touch()
        if int(meta["at"]) != one.there or one.there + len(data) > one.size:
            self.cancel(name)
            raise DataError("A part of a file was lost on the way.", hint="Add that file again.")
        with one.path.open("ab") as file:
            file.write(data)
        one.there += len(data)
        if one.there == one.size:
            del self.arriving[name]
        return one

    def _place(self, meta: dict[str, Any]) -> Path:
        drop = str(meta.get("drop") or "")
        if not drop:
            return staged(self.folder)
        if drop not in self.drops:
            self.drops[drop] = staged(self.folder)
        path = PurePosixPath(str(meta["name"]).replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\0" in str(path) or not path.parts:
            raise DataError(f"{path} leads out of the folder.", hint="Nothing was added.")
        return self.drops[drop].joinpath(*path.parts)

    def take_drop(self, drop: str) -> Path:
        """The folder of what was dropped together; the caller removes it."""
        if drop not in self.drops:
            raise DataError("Nothing came of what was dropped.", hint="Drop it again.")
        return self.drops.pop(drop)

    def cancel(self, name: str) -> None:
        """Forget a file, or what was dropped together, that will not come whole."""
        for one in [key for key, file in self.arriving.items() if name in {key, str(file.meta.get("drop"))}]:
            self.arriving.pop(one).path.unlink(missing_ok=True)
        if name in self.drops:
            shutil.rmtree(self.drops.pop(name), ignore_errors=True)

    def clear(self) -> None:
        """Forget everything that did not come whole."""
        for name in [*self.arriving, *self.drops]:
            self.cancel(name)
        place = self.folder / STAGING
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


class Worker:
    """Does one thing after another, beside the kernel's own thread."""

    def __init__(self, failed: Callable[[Exception], None], idle: Callable[[], None]) -> None:
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._failed, self._idle = failed, idle
        self._thread: threading.Thread | None = None

    def do(self, job: Callable[[], None]) -> None:
        """Put a job at the end of the line."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="nbdeploy-collect", daemon=True)
            self._thread.start()
        self._todo.put(job)

    def end(self, timeout: float = 10.0) -> None:
        """Finish what is in the line, and stop."""
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join(timeout)
            self._thread = None

    def _work(self) -> None:
        while (job := self._todo.get()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - one bad job must not end the thread; the page is told
                self._failed(error)
            if self._todo.empty():
                self._idle()
