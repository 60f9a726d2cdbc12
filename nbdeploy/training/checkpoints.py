"""What a killed training leaves, so that the same call can go on: one file an epoch, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.optimizer import Optimizer
from fastcore.foundation import L
from filelock import FileLock, Timeout

from nbdeploy.core.files import cache_dir
from nbdeploy.errors import NbdeployWarning
from nbdeploy.training.callbacks import Follow, weights_of
from nbdeploy.training.course import Course

_FORMAT = 1
_STATE = "state.pt"
_KEEP_DAYS = 30
"""An unfinished training that nobody took up again is removed after that."""


class Checkpoints:
    """The place of one training, known by its settings and its data. Files are tensors and plain values: no pickle."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        text = json.dumps({**settings, "format": _FORMAT}, sort_keys=True, default=str)
        self.folder = cache_dir() / "training" / hashlib.sha256(text.encode()).hexdigest()[:32]
        self._lock = FileLock(self.folder.with_suffix(".lock"))
        self.usable = True

    def open(self) -> None:
        """Take the place for this process; where another one has it, or it cannot be written to, save nothing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _prune(self.folder.parent, but=self.folder)
            self._lock.acquire(blocking=False)
        except Timeout:
            self._give_up("The same training runs in another process")
        except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home
            self._give_up(f"{self.folder} cannot be written to ({error})")

    def close(self) -> None:
        """Let another process have it."""
        self._lock.release()

    def found(self) -> dict[str, Any] | None:
        """What an unfinished training saved last; None where there is none, or it cannot be read."""
        if not self.usable or not (self.folder / _STATE).is_file():
            return None
        try:
            state: dict[str, Any] = _read(self.folder / _STATE)
            state["best_weights"] = _read(self.folder / f"best-{state['best']}.pt")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the file, training begins anew
            warnings.warn(
                f"The unfinished training in {self.folder} cannot be read ({type(error).__name__}); it is left out.",
                NbdeployWarning,
                stacklevel=4,
            )
            return None
        return state

    def save(self, state: dict[str, Any], best: dict[str, torch.Tensor]) -> None:
        """Put the state of one more epoch in place of the last one's. What fails is said once, and training goes on."""
        if not self.usable:
            return
        weights = self.folder / f"best-{state['best']}.pt"
        try:
            if not weights.is_file():
                _write(weights, best)
            _write(self.folder / _STATE, state)  # names the weights, which are there by now
            for old in self.folder.glob("best-*.pt"):
                if old != weights:
                    old.unlink()
        except OSError as error:
            self._give_up(f"{self.folder} cannot be written to ({error.strerror})")

    def remove(self) -> None:
        """The training is finished: nothing of it stays."""
        if self.usable:
            shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """A new training begins in this place: what the last one left is removed when it has an epoch of its own."""
        for old in self.folder.glob("best-*.pt"):
            old.unlink(missing_ok=True)
        (self.folder / _STATE).unlink(missing_ok=True)

    def _give_up(self, why: str) -> None:
        self.usable = False
        warnings.warn(f"{why}, so this one cannot be resumed if it is killed.", NbdeployWarning, stacklevel=5)


_saving: ContextVar[bool] = ContextVar("nbdeploy_saving", default=True)


@contextmanager
def unsaved() -> Iterator[None]:
    """Trainings inside the block are short and many: their epochs are not saved."""
    token = _saving.set(False)
    try:
        yield
    finally:
        _saving.reset(token)


def saving() -> bool:
    """Whether a training is to save its epochs."""
    return _saving.get()


class SaveEpochs(Callback):  # type: ignore[misc]
    """Saves the state after each epoch but the last."""

    order = 62  # after Follow has the best weights

    def __init__(self, course: Course, follow: Follow, checkpoints: Checkpoints, *, anew: bool) -> None:
        super().__init__()
        self.course, self.follow, self.checkpoints, self.anew = course, follow, checkpoints, anew

    def after_epoch(self) -> None:
        course = self.course
        if course.replayed < course.done < course.planned:
            if self.anew and self.checkpoints.usable:
                self.checkpoints.clear()
            self.anew = False
            self.checkpoints.save(_state_of(self.learn, course), self.follow.best)


class Resume(Callback):  # type: ignore[misc]
    """Replays the figures of epochs that are done, then puts back all that the next one starts from."""

    order = 49  # before Recorder writes its row

    def __init__(self, course: Course, follow: Follow, saved: dict[str, Any]) -> None:
        super().__init__()
        self.course, self.saved = course, saved
        course.replayed, course.took = len(saved["rows"]), list(saved["took"])
        follow.best = saved["best_weights"]
        self.back = False

    def before_epoch(self) -> None:
        if not self.back and self.course.done == self.course.replayed:
            _put_back(self.learn, self.saved)
            self.back = True

    def after_epoch(self) -> None:
        if self.course.done < self.course.replayed:
            self.recorder.log = L(self.epoch, *self.saved["rows"][self.course.done])


def fingerprint(files: Any) -> str:
    """Hex SHA-256 over content, label, side of the split and turn of every picture, in order."""
    lines = (f"{file.sha256} {file.label} {file.split} {file.turn}\n" for file in files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _state_of(learn: Any, course: Course) -> dict[str, Any]:
    smooth = learn.recorder.smooth_loss
    numbers: Any = np.random.get_state()  # noqa: NPY002 - fastai draws from the global one
    state: dict[str, Any] = _plain(
        {
            "rows": course.rows,
            "took": course.took,
            "best": course.best,
            "at": time.time(),
            "model": weights_of(learn.model),
            "opt": learn.opt.state_dict(),
            "smooth": [smooth.count, smooth.val],
            "scaler": learn.scaler.state_dict() if getattr(learn, "scaler", None) else {},
            "plain": random.getstate(),
            "numeric": [numbers[0], numbers[1].tolist(), *numbers[2:]],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "loaders": [loader.rng.getstate() for loader in learn.dls.loaders],
        }
    )
    return state


def _put_back(learn: Any, saved: dict[str, Any]) -> None:
    learn.model.load_state_dict(saved["model"])
    _load_optimizer(learn.opt, saved["opt"])
    learn.recorder.smooth_loss.count, learn.recorder.smooth_loss.val = saved["smooth"]
    if saved["scaler"] and getattr(learn, "scaler", None):
        learn.scaler.load_state_dict(saved["scaler"])
    random.setstate(_random_state(saved["plain"]))
    kind, keys, *rest = saved["numeric"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(saved["torch"])
    if saved["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(saved["cuda"])
    for loader, state in zip(learn.dls.loaders, saved["loaders"], strict=True):
        loader.rng.setstate(_random_state(state))


def _load_optimizer(opt: Optimizer, saved: dict[str, Any]) -> None:
    # The state of a parameter belongs where the parameter is.
    places = [p.device for p, *_ in opt.all_params()]
    state = [
        {name: value.to(place) if isinstance(value, torch.Tensor) else value for name, value in one.items()}
        for one, place in zip(saved["state"], places, strict=True)
    ]
    opt.load_state_dict({"state": state, "hypers": L(saved["hypers"])})


def _random_state(saved: list[Any]) -> tuple[Any, ...]:
    version, keys, gauss = saved
    return version, tuple(keys), gauss


def _plain(value: Any) -> Any:
    """Only tensors, numbers, text, lists and dicts: what torch reads back without running code."""
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | L):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _write(path: Path, value: Any) -> None:
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with work.open("wb") as file:
            _save(value, file)
            file.flush()
            os.fsync(file.fileno())
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def _save(value: Any, file: IO[bytes]) -> None:
    try:
        torch.save(value, file)
    except RuntimeError as error:
        # On a full disk torch goes on to complain of its half-written archive, which hides what the system said.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _read(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _prune(root: Path, *, but: Path) -> None:
    oldest = time.time() - _KEEP_DAYS * 86_400
    for place in root.iterdir():
        with suppress(OSError):  # another process is done with it by now
            if place.with_suffix("") == but or place.stat().st_mtime >= oldest:
                continue
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
                place.with_suffix(".lock").unlink(missing_ok=True)
            elif not place.with_suffix("").exists():  # the lock of a training that is over
                place.unlink()
