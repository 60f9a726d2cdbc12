"""recording(): what is done inside the block is a run that is remembered, whatever becomes of it.

    with recording("train", params={"arch": "resnet18"}, images=images) as run:
        run.metric("valid_loss", 0.31, step=2)
        run.metrics({"accuracy": 0.98})
        run.result(path="build/x", sha256="...")

Nothing here stops the work: what cannot be written is one NbdeployWarning. ``NBDEPLOY_RUNS=off`` records nothing.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nbdeploy.errors import NbdeployError, NbdeployWarning, UsageError
from nbdeploy.tracking import store
from nbdeploy.tracking.processes import host, started
from nbdeploy.tracking.surroundings import data_of, environment, git

KINDS = ("train", "tune", "trial", "compress", "deploy", "pipeline")
_OFF = {"off", "0", "no", "false"}
_LONGEST = 2000
"""Letters of a value or of a reason that are kept."""


class Recorded:
    """A run while it is done. `id` is "" where nothing is recorded."""

    def __init__(self, row: Mapping[str, Any] | None) -> None:
        self.id = ""
        self.kind = str(row["kind"]) if row else ""
        self._row = row
        self._began = time.monotonic()
        self._warned = False
        self._end: tuple[str, str, float | None] | None = None
        self._closing: list[Callable[[str], None]] = []
        self._token: Token[Recorded | None] | None = None

    def metric(self, name: str, value: Any, *, step: float | None = None) -> None:
        """Note a figure; with a `step` (an epoch, a trial) it is also a point of that metric's series."""
        self.metrics({name: value}, step=step)

    def metrics(self, values: Mapping[str, Any], *, step: float | None = None) -> None:
        """Note figures; the last one of a name is the run's own."""
        figures = {name: plain(value) for name, value in values.items()}
        self._try(lambda: store.merge(self.id, "metrics", figures))
        if step is not None:
            points = {name: value if _is_number(value) else None for name, value in figures.items()}
            at = time.monotonic() - self._began
            self._try(lambda: store.measure(self.id, points, float(step), at))

    def params(self, values: Mapping[str, Any]) -> None:
        """Note parameters, also such as were found out on the way."""
        self._try(lambda: store.merge(self.id, "params", {name: plain(value) for name, value in values.items()}))

    def result(self, **values: Any) -> None:
        """Note what came of it: ``path``, ``sha256``, and whatever else."""
        kept = {name: plain(value) for name, value in values.items()}
        if "path" in kept:
            kept["path"] = os.path.abspath(str(kept["path"]))
        self._try(lambda: store.merge(self.id, "result", kept))

    def data(self, images: Any) -> None:
        """Note the data, where it is known only now."""
        self._try(lambda: store.change(self.id, data=data_of(images)))

    def named(self, name: str) -> None:
        """Give it a name that is known only now."""
        self._try(lambda: store.change(self.id, name=name))

    def made_from(self, origin: str) -> None:
        """Note the run that made the model which this one takes; the data is that run's, too."""
        self._try(lambda: store.descend(self.id, origin))

    def ended(self, status: str, why: str = "", took_s: float | None = None) -> None:
        """Say how it ended ("done", "failed", "stopped"), and how long it took, where the block cannot tell."""
        self._end = (status, why, took_s)

    def about(self) -> dict[str, Any]:
        """What is noted by now, as `store.one` gives it; {} where nothing is recorded."""
        found: dict[str, Any] = {}
        self._try(lambda: found.update(store.one(self.id)))
        return found

    def at_end(self, close: Callable[[str], None]) -> None:
        """Call `close` with the status when the block ends."""
        self._closing.append(close)

    def __enter__(self) -> Self:
        if self._row is not None:
            row = self._row
            try:
                self.id = store.add({**row, "environment": environment(), "git": git(row["project"])})
            except Exception as error:  # noqa: BLE001 - the work matters more than the record of it
                self._warn(error)
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        status, why, took_s = self._end or ("done", "", None)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            status, why = "stopped", type(error).__name__
        elif error is not None:
            text = error.message if isinstance(error, NbdeployError) else str(error)
            status, why = "failed", f"{type(error).__name__}: {text}"[:_LONGEST]
        took = round(time.monotonic() - self._began if took_s is None else took_s, 3)
        if isinstance(error, UsageError):  # refused before anything was done
            self._try(lambda: store.forget(self.id))
        else:
            self._try(lambda: store.change(self.id, status=status, why=why, took_s=took))
        for close in self._closing:
            try:
                close(status)
            except Exception as failure:  # noqa: BLE001 - a place elsewhere that is gone by now
                self._warn(failure)

    def _try(self, write: Callable[[], None]) -> None:
        if self.id:
            try:
                with store.hurried(self._warned):  # ten seconds were waited once: not again each epoch
                    write()
            except Exception as error:  # noqa: BLE001 - the same
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            text = f"{error.message} {error.hint}" if isinstance(error, NbdeployError) else f"{error}"
            warnings.warn(f"This run is not fully recorded: {text}", NbdeployWarning, stacklevel=4)


_current: ContextVar[Recorded | None] = ContextVar("nbdeploy_run", default=None)
_silent: ContextVar[bool] = ContextVar("nbdeploy_unrecorded", default=False)


def recording(
    kind: str,
    *,
    params: Mapping[str, Any] | None = None,
    images: Any = None,
    name: str = "",
    call: str = "",
    parent: str | None = None,
    tags: Iterable[str] = (),
) -> Recorded:
    """A run of that `kind` for the block of a ``with``; an exception ends it as failed, Ctrl-C as stopped.
    A UsageError leaves no run.

    `images` is any set of data, or a path. `call` is the line of Python that does it again. A run inside another has
    it as its parent; give `parent`, an id, where the block runs in another thread or process.
    """
    if os.environ.get("NBDEPLOY_RUNS", "").lower() in _OFF or _silent.get():
        return Recorded(None)
    above = _current.get()
    row: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "project": project(),
        "status": "running",
        "why": "",
        "began": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "took_s": None,
        "parent": parent if parent is not None else above.id if above else "",
        "origin": "",
        "host": host(),
        "pid": os.getpid(),
        "started": started(os.getpid()),
        "call": call,
        "note": "",
        "tags": list(tags),
        "removed": "",
        "params": {key: plain(value) for key, value in (params or {}).items()},
        "metrics": {},
        "result": {},
        "data": {} if images is None else _described(images),
        "models": {},
    }
    return Recorded(row)


def current() -> Recorded:
    """The innermost run that is being recorded here; one that notes nothing where there is none."""
    return _current.get() or Recorded(None)


@contextmanager
def unrecorded() -> Iterator[None]:
    """What is done inside is no run: a rehearsal."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: numbers of numpy and torch as Python's, the rest as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        return plain(item())
    named = value if isinstance(value, str | os.PathLike) else getattr(value, "name", type(value).__name__)
    return str(named)[:_LONGEST]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _described(images: Any) -> dict[str, Any]:
    try:
        return data_of(images)
    except Exception:  # noqa: BLE001 - data of a kind that is not known
        return {}


def project() -> str:
    """The folder that runs made here belong to: that of the git repository, else the working folder itself."""
    try:
        here = Path.cwd()
    except OSError:  # removed
        return ""
    return str(next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here))
