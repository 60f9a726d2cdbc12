"""The steps of one deployment: the whole list from the start, with the state, time, note and count of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PENDING, RUNNING, DONE, FAILED, CANCELLED, SKIPPED = "pending", "running", "done", "failed", "cancelled", "skipped"

WORDS = {
    "plan": ("Plan", "Is the place ready, and is the name free?"),
    "check": ("Check", "Is everything here that the target needs?"),
    "export": ("Export", "Model and preparing of pictures become one program, held to the Learner, which is in use."),
    "calibrate": ("Calibrate", "Training files show which values occur."),
    "convert": ("Convert", "The program becomes the target's file, shrunk by the recipe."),
    "verify": ("Verify", "The bundle's own code answers the raw held-out files; answers are held to the original's."),
    "measure": ("Measure", "Time and memory, beside PyTorch."),
    "package": ("Package", "Report and manifest are written; then the bundle takes its place, whole."),
    "start": ("Start", "The bundle is put at the place and started."),
    "probe": ("Probe", "It is asked about the bundle's samples over HTTP."),
}
"""Phase (`core.working.phase`) -> its title, and what is done in it."""
BUNDLE = ("check", "export", "calibrate", "convert", "verify", "measure", "package")
ENDPOINT = ("plan", *BUNDLE, "start", "probe")


@dataclass(slots=True)
class Stage:
    """One step. `took` counts seconds that are over; while it runs, `began` is when it last began."""

    name: str
    state: str = PENDING
    note: str = ""
    counting: str = ""
    """What is counted; "" where nothing is."""
    took: float = 0.0
    began: float | None = None
    done: int = 0
    total: int | None = None
    unit: str = ""
    depth: int = 0

    @property
    def title(self) -> str:
        """As people read it."""
        return WORDS[self.name][0]

    @property
    def seconds(self) -> float:
        """So far."""
        return self.took + (time.monotonic() - self.began if self.began is not None else 0.0)


class Stages:
    """Hears the work (`core.working.Watcher`) and calls `changed` each time."""

    def __init__(self, names: Sequence[str], changed: Callable[[], None]) -> None:
        self.every = [Stage(name) for name in names]
        self.remarks: list[str] = []
        self._by_name = {stage.name: stage for stage in self.every}
        self._open: list[Stage] = []
        self._changed = changed
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Stage:
        return self._by_name[name]

    @property
    def failed(self) -> Stage | None:
        """The innermost step that failed, or was stopped."""
        return next((stage for stage in reversed(self.every) if stage.state in {FAILED, CANCELLED}), None)

    def began(self, phase: str) -> None:
        """A phase begins."""
        stage = self._by_name.get(phase)
        if stage is None:
            return
        with self._lock:
            self._open.append(stage)
            stage.depth += 1
            if stage.began is None:
                stage.state, stage.began, stage.counting = RUNNING, time.monotonic(), ""
        self._changed()

    def ended(self, phase: str, error: BaseException | None) -> None:
        """A phase is over."""
        stage = self._by_name.get(phase)
        if stage is None:
            return
        with self._lock:
            self._open.remove(stage)
            stage.depth -= 1
            if stage.depth == 0:
                stage.took, stage.began, stage.counting = stage.seconds, None, ""
                stage.state = DONE if error is None else FAILED if isinstance(error, Exception) else CANCELLED
        self._changed()

    def said(self, text: str) -> None:
        """What the innermost phase is at, or what came of it."""
        if self._open:
            self._open[-1].note, self._open[-1].counting = text, ""
            self._changed()

    def counted(self, what: str, done: int, total: int | None, unit: str) -> None:
        """How far it is."""
        if self._open:
            stage = self._open[-1]
            stage.counting, stage.done, stage.total, stage.unit = what, done, total, unit
            self._changed()

    def remark(self, text: str) -> None:
        """Something odd that was handled."""
        if text not in self.remarks:
            self.remarks.append(text)
            self._changed()

    def skip(self, why: Mapping[str, str]) -> None:
        """These steps are not needed; `why` says so of each."""
        for stage in self.every:
            if stage.state == PENDING and stage.name in why:
                stage.state, stage.note = SKIPPED, why[stage.name]
        self._changed()

    def blame(self, name: str, *, cancelled: bool = False) -> None:
        """The work ended with an error that no phase had: it is put to this one."""
        stage = self._by_name.get(name) or self.every[0]
        stage.state = CANCELLED if cancelled else FAILED
        self._changed()

    def first_open(self) -> str:
        """The name of the step that would have come next."""
        return next((stage.name for stage in self.every if stage.state in {RUNNING, PENDING}), self.every[-1].name)
