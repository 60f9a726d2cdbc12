"""The fits of a training, with all that goes along: figures, the stop, checkpoints, and which weights are kept."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from nbdeploy.core.live import in_notebook
from nbdeploy.core.numbers import duration
from nbdeploy.core.progress import is_quiet
from nbdeploy.errors import MissingExtra, TrainError, say
from nbdeploy.training.callbacks import EpochLines, Follow, StopAtNaN, StopWhenAsked
from nbdeploy.training.checkpoints import Checkpoints, Resume, SaveEpochs
from nbdeploy.training.course import Course
from nbdeploy.training.live import LiveTraining
from nbdeploy.training.precision import mixed
from nbdeploy.training.stopping import button, heeding_interrupts

_WORKER = "DataLoader worker"
"""How torch's error begins when a process that loads pictures is gone: Ctrl-C in a terminal ends those too."""


class Run:
    """One training of `learn`. `rate` is what the caller was told or gave as the learning rate."""

    def __init__(
        self,
        learn: Any,
        course: Course,
        *,
        rate: float,
        precision: str,
        checkpoints: Checkpoints | None,
    ) -> None:
        self.learn, self.course, self.rate = learn, course, rate
        self.nan, self.follow = StopAtNaN(), Follow(course)
        self.callbacks: list[Any] = [self.nan, self.follow, StopWhenAsked(course), *mixed(precision)]
        self.checkpoints = checkpoints
        self.began = time.monotonic()
        self.view: LiveTraining | None = None

    def go(self, cbs: Iterable[Any], *, resume: bool) -> None:
        """Train. Raises TrainError for a loss that is no number, or a stop before there is anything to keep.

        Afterwards `learn` has the weights that are kept, and ``learn.history``.
        """
        with ExitStack() as stack:
            self._save(stack, resume=resume)
            self._show(stack)
            self.callbacks += cbs
            try:
                self._fit(stack)
                self._end()
            except BaseException:
                self._close(f"stopped in epoch {self.course.done + 1}, after {self._took()}")
                raise

    def _save(self, stack: ExitStack, *, resume: bool) -> None:
        if self.checkpoints is None:
            return
        self.checkpoints.open()
        stack.callback(self.checkpoints.close)
        saved = self.checkpoints.found()
        if saved and resume:
            self.callbacks.append(Resume(self.course, self.follow, saved))
        self._say_what_is_there(saved, resume=resume)
        anew = not (saved and resume)
        self.callbacks.append(SaveEpochs(self.course, self.follow, self.checkpoints, anew=anew))

    def _say_what_is_there(self, saved: dict[str, Any] | None, *, resume: bool) -> None:
        if is_quiet() or not (saved or resume):
            return
        if saved is None:
            say("There is no unfinished training of this call: it begins with epoch 1.")
            return
        done, at = len(saved["rows"]), time.strftime("%Y-%m-%d %H:%M", time.localtime(saved["at"]))
        left = f"{done} of {self.course.planned} epochs were done ({at})"
        if resume:
            say(f"Resuming with epoch {done + 1}: {left}.")
        else:
            say(
                f"This training was begun before and not finished: {left}. To go on with it, stop this one in its "
                "first epoch and type resume=True (--resume)."
            )

    def _show(self, stack: ExitStack) -> None:
        # fastai's bar is drawn on standard output, so that must be a person's too.
        plain = not (sys.stdout.isatty() and sys.stderr.isatty())
        if is_quiet() or in_notebook() or plain:
            stack.enter_context(self.learn.no_bar())
            stack.enter_context(self.learn.no_logging())
        if is_quiet() or process_rank():
            return
        if in_notebook():
            self.view = LiveTraining(self.course)
            self.callbacks.append(self.view)
        elif plain:
            self.callbacks.append(EpochLines(self.course))

    def _fit(self, stack: ExitStack) -> None:
        course = self.course
        if processes() > 1:
            stack.enter_context(_spread(self.learn))
        elif self.view:
            stack.enter_context(button(self._press))
        try:
            with heeding_interrupts(self._interrupt):
                self._phases()
        except KeyboardInterrupt:
            if course.stop or not course.done:
                raise
            course.stop = "interrupt"  # raised by a callback, or in a thread
            self.learn._end_cleanup()  # noqa: SLF001 - what fastai does at the end of a fit
        except RuntimeError as error:
            if not (course.stop and str(error).startswith(_WORKER)):
                raise

    def _phases(self) -> None:
        begun = 0
        for phase in self.course.phases:
            if phase.frozen:
                self.learn.freeze()
            elif phase.thaw:
                self.learn.unfreeze()
            skip = min(phase.epochs, max(0, self.course.replayed - begun))
            self.learn.fit_one_cycle(phase.epochs, phase.rate, cbs=self.callbacks, start_epoch=skip, **phase.how)
            begun += phase.epochs

    def _press(self) -> None:
        self.course.stop = self.course.stop or "button"

    def _interrupt(self) -> bool:
        """Take an interrupt as a wish to stop; not a second one, nor one before there is anything to keep."""
        if self.course.stop or not self.course.done or processes() > 1:
            return False
        self.course.stop = "interrupt"
        return True

    def _end(self) -> None:
        course = self.course
        if self.nan.where:
            if self.checkpoints:
                self.checkpoints.remove()
            raise self._diverged()
        if not course.done:
            raise TrainError(
                "Training was stopped before its first epoch was complete, so there is nothing to keep.",
                hint="Run it again, with fewer pictures or epochs if it takes too long.",
            )
        early = course.done < course.planned
        kept = course.best if early or course.keep != "last" else course.done - 1
        self._keep(kept)
        if self.checkpoints and not early:
            self.checkpoints.remove()
        self._say_the_end(kept, early=early)

    def _keep(self, epoch: int) -> None:
        self.follow.put_back(self.learn.model, epoch)
        self.learn.unfreeze()  # as at the end of a whole training
        self.learn.history = self.course.history(self.rate, epoch)

    def _diverged(self) -> TrainError:
        """The error for a loss that is no number, with the Learner as its best epoch left it, where there was one."""
        hint = f"Type a lower learning rate, lr={self.rate / 10:.2g} instead of {self.rate:.2g}."
        best = self.course.best
        if best >= 0:
            self._keep(best)
            hint += f" The weights of epoch {best + 1}, the best, are in this error's `learn` (sys.last_value.learn)."
        return TrainError(
            f"The loss was no longer a number in {self.nan.where}: training has diverged.",
            hint=hint,
            learn=self.learn if best >= 0 else None,
        )

    def _say_the_end(self, kept: int, *, early: bool) -> None:
        course = self.course
        by = "accuracy" if course.keep == "accuracy" else "held-out loss"
        which = f"the weights of epoch {kept + 1}, the best by {by}, are kept"
        if early:
            told = f"stopped in epoch {course.done + 1}; {which}"
            told += "; resume=True (--resume) goes on with it" if self.checkpoints else ""
        else:
            told = f"{course.planned} epoch{'s' * (course.planned > 1)} in {self._took()}"
            told += f"; {which}" if course.keep != "last" else ""
        self._close(f"{told}. nd.learn_report(learn) shows where it errs.")
        if not self.view and not is_quiet() and (early or course.keep != "last"):
            say(told)

    def _close(self, end: str) -> None:
        if self.view:
            self.view.close(end)

    def _took(self) -> str:
        return duration(time.monotonic() - self.began)


def processes() -> int:
    """How many processes train together: those that ``accelerate launch`` or torchrun started."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def process_rank() -> int:
    """Which of them this is; 0 is the one that shows and saves."""
    return int(os.environ.get("RANK") or 0)


def _spread(learn: Any) -> Any:
    """How fastai trains over several GPUs, for the time of a block."""
    try:
        import fastai.distributed  # noqa: F401, PLC0415 - adds distrib_ctx to Learner
    except ImportError as error:
        raise MissingExtra("Training over several GPUs", "accelerate", "accelerate") from error
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        raise TrainError(
            f"{processes()} processes were started to train together, which fastai does on NVIDIA GPUs only.",
            hint="Start it as one process: nbdeploy train ...",
        )
    return learn.distrib_ctx()
