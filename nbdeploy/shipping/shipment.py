"""One model being shipped: the work in a thread of its own, what became of it, and taking it back.

A `Shipment` belongs to its model, not to what shows it: whoever asks again for the same model finds the same work.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nbdeploy.core.bundle import Bundle
from nbdeploy.core.progress import quiet
from nbdeploy.core.working import Work, working
from nbdeploy.errors import Cancelled, NbdeployError, NbdeployWarning, UsageError
from nbdeploy.registry import providers, targets
from nbdeploy.shipping import remembered
from nbdeploy.shipping.estimate import Estimate, estimate
from nbdeploy.shipping.faults import step_of
from nbdeploy.shipping.kept import Kept
from nbdeploy.shipping.model import About, about
from nbdeploy.shipping.stages import BUNDLE, DONE, ENDPOINT, Stages
from nbdeploy.shipping.wanted import Wanted

CHOOSING, WORKING, SHIPPED, FAILED, CANCELLED, UNDONE = "choosing", "working", "done", "failed", "cancelled", "undone"
_PLACES = frozenset({"plan", "start", "probe"})


class Shipment:
    """``state`` is one of choosing, working, done, failed, cancelled, undone.

    `start` begins the work beside and returns; `wait` gives what it made. `result` is the Bundle or the Endpoint, None
    before. Whoever is in `watchers` is called when something has changed.
    """

    def __init__(self, model: Any) -> None:
        self.about: About = about(model)
        self._model: Callable[[], Any] = _reference(model)
        self.watchers: list[Callable[[], None]] = []
        self.wanted = Wanted()
        self.state = CHOOSING
        self.stages = Stages(BUNDLE, self._changed)
        self.result: Any = None
        self.error: BaseException | None = None
        self.said = ""
        """One sentence on what was done last."""
        self.took = 0.0
        self._kept: Kept | None = None
        self._created = False
        self._ahead: Estimate | None = None
        self._work: Work | None = None
        self._thread: threading.Thread | None = None
        self._began = 0.0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """How long the work has gone on, or went on."""
        return time.monotonic() - self._began if self.state == WORKING else self.took

    @property
    def bundle(self) -> Bundle | None:
        """The bundle of what was shipped, where it lies now."""
        if self.state != SHIPPED:
            return None
        if isinstance(self.result, Bundle):
            return self.result
        place = str(self.result.record.get("bundle", ""))
        return Bundle.open(place) if place and Path(place).is_dir() else None

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return self.state == SHIPPED

    @property
    def can_redo(self) -> bool:
        """Whether what was taken back can come again: a bundle can; an endpoint is made anew."""
        return self.state == UNDONE and isinstance(self.result, Bundle)

    def estimate(self, wanted: Wanted) -> Estimate:
        """What `wanted` would come to; of what is at work, what was foretold."""
        if self.state == WORKING and self._ahead is not None and wanted == self.wanted:
            return self._ahead
        return estimate(self.about, wanted)

    def start(self, wanted: Wanted) -> None:
        """Begin. Raises UsageError where it is at work already, or the choice cannot be; MissingExtra."""
        with self._lock:
            if self.state == WORKING:
                raise UsageError("It is at work already.", hint="Wait for it (.wait()), or cancel it (.cancel()).")
            providers.load(wanted.provider) if wanted.provider else targets.load(wanted.target)
            ahead = self.estimate(wanted)
            if ahead.problem:
                raise UsageError(ahead.problem, hint=ahead.hint)
            model = self._model()
            if model is None:
                raise UsageError("The model is gone.", hint="Make the panel again: nd.Ship(learn)")
            self.wanted, self.state, self.error, self.result, self.said = wanted, WORKING, None, None, ""
            self.stages = Stages(ENDPOINT if wanted.provider else BUNDLE, self._changed)
            self.stages.skip({name: why for name, why in self._not_needed().items() if name not in ahead.steps})
            self._work, self._began = Work(self.stages), time.monotonic()
            self._kept = Kept(ahead.place)
            self._ahead, self._created = ahead, not ahead.updates
            context = contextvars.Context()
            run = (self._run, model, self._work, self._kept, wanted.keywords(overwrite=ahead.overwrite))
            self._thread = threading.Thread(target=context.run, args=run, name="nbdeploy-ship", daemon=True)
            self._thread.start()
        self._changed()

    def cancel(self) -> None:
        """Stop the work. What was half made goes away; what was there before stands. `wait` waits for that."""
        if self._work is not None and self.state == WORKING:
            self.said = "Cancelling: the running part ends first."
            self._work.cancel()
            self._changed()

    def wait(self, timeout: float | None = None) -> Any:
        """The Bundle or the Endpoint, when it is there; None where it was cancelled. Raises what the work raised, and
        TimeoutError after `timeout` seconds.
        """
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError("It is still at work.")
        if self.state == FAILED and self.error is not None:
            raise self.error
        return self.result if self.state == SHIPPED else None

    def undo(self) -> None:
        """Take back what was shipped: what was at the place before is there again. Raises OutputError, ProviderError,
        UsageError where there is nothing to take back.
        """
        if not self.can_undo or self._kept is None:
            raise UsageError("There is nothing to take back.", hint="Deploy first.")
        self._kept.insist("taken back")  # before anything is
        said = "" if isinstance(self.result, Bundle) else self._undo_endpoint()
        self._kept.undo()
        back = self._kept.place.exists()
        self.said = (
            f"{said} {'The bundle that was there before is back.' if back else 'Its bundle was removed.'}".strip()
        )
        if said:
            self._kept.clear()  # an endpoint is made anew, so its bundle is not put there again
        self.state = UNDONE
        self._changed()

    def _undo_endpoint(self) -> str:
        """Take it back as far as it was changed; gives what was done, in words."""
        if self._created:
            self.result.remove()
            return f"The endpoint {self.result.name} was taken away."
        self.result.rollback()
        return f"The endpoint {self.result.name} answers as before."

    def redo(self) -> None:
        """Put the bundle that was taken back there again. Raises OutputError, UsageError."""
        if not self.can_redo or self._kept is None:
            raise UsageError("There is nothing to put back.", hint="Deploy again.")
        self._kept.redo()
        self.result, self.state = Bundle.open(self._kept.place), SHIPPED
        self.said = "The new bundle is in place again."
        self._changed()

    def again(self) -> None:
        """Back to choosing; what was shipped stays. Raises UsageError while it is at work."""
        if self.state == WORKING:
            raise UsageError("It is at work.", hint="Cancel it first.")
        self.state, self.said = CHOOSING, ""
        self._changed()

    def _run(self, model: Any, work: Work, kept: Kept, keywords: dict[str, Any]) -> None:
        from nbdeploy.flow import deploy  # noqa: PLC0415 - imports what targets need

        stages = self.stages
        try:
            with quiet(), working(work), _remarks(stages.remark):
                kept.begin()
                result = deploy(model, **keywords)
        except Cancelled:
            self._over(kept, CANCELLED)
        except BaseException as error:  # noqa: BLE001 - it is shown on its step, and raised by `wait`
            if stages.failed is None or step_of(error) == "verify":
                stages.blame(step_of(error) or stages.first_open())
            self.error = error
            self._over(kept, FAILED)
        else:
            self.result = result
            kept.done()
            stages.skip(dict.fromkeys((one.name for one in stages.every), "not needed here") | self._not_needed())
            self._remember(stages)
            late = " It was done before it could be cancelled; Undo takes it back." if work.cancelled else ""
            self._over(None, SHIPPED, late.strip())

    def _over(self, kept: Kept | None, state: str, said: str = "") -> None:
        if kept is not None:
            kept.failed(placed=bool(self.wanted.provider) and self.stages["package"].state == DONE)
        if state == CANCELLED:
            if self.stages.failed is None:
                self.stages.blame(self.stages.first_open(), cancelled=True)
            there = "; what was there before stands" if kept is not None and kept.place.exists() else ""
            said = f"Cancelled. Nothing was put in place{there}."
        self.took = time.monotonic() - self._began
        self.said, self.state, self._work = said, state, None
        self._changed()

    def _not_needed(self) -> dict[str, str]:
        return {
            "calibrate": f"{self.wanted.recipe} needs none",
            "measure": "not asked for",
            "probe": "the place is asked once you have typed its commands",
        }

    def _remember(self, stages: Stages) -> None:
        wanted = self.wanted
        for name in stages.every:
            if name.state == DONE and not (name.name == "export" and self.about.exported):
                place = wanted.provider if name.name in _PLACES else wanted.lowered_to
                remembered.keep({name.name: name.took}, place, wanted.recipe, self.about.parameters)

    def _changed(self) -> None:
        for watcher in list(self.watchers):
            with contextlib.suppress(Exception):  # one view that is gone must not stop the work
                watcher()


@contextlib.contextmanager
def _remarks(said: Callable[[str], None]) -> Iterator[None]:
    """The warnings of nbdeploy itself in this thread are told; those of libraries are not the reader's to mend."""
    before, mine = warnings.showwarning, threading.get_ident()

    def show(message: Warning | str, category: type[Warning], *args: Any, **keywords: Any) -> None:
        if threading.get_ident() != mine:
            before(message, category, *args, **keywords)
        elif issubclass(category, NbdeployWarning):
            said(str(message))

    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = before


_known: dict[str | int, Shipment] = {}


def shipment(model: Any) -> Shipment:
    """The Shipment of this model: the one that there is, or a new one. Raises UsageError for what is no model."""
    key: str | int = os.path.abspath(Path(model).expanduser()) if isinstance(model, str | Path) else id(model)
    if key not in _known:
        made = Shipment(model)
        _known[key] = made
        if isinstance(key, int):
            weakref.finalize(model, _known.pop, key, None)
    return _known[key]


def _reference(model: Any) -> Callable[[], Any]:
    """Gives the model; a Learner or Program is not kept alive by it."""
    if isinstance(model, str | Path):
        return lambda: model
    return weakref.ref(model)


def explain(error: BaseException) -> str:
    """Message and hint in one line."""
    return f"{error.message} {error.hint}".strip() if isinstance(error, NbdeployError) else f"{error}"
