"""After a cell that a bad picture stopped, say which it was and what to type: fastai's own message does not.

Nothing of fastai is changed for it: the error's traceback is looked at from outside.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from nbdeploy.errors import NbdeployError, NbdeployWarning
from nbdeploy.jupyter.learners import is_learner

_LOADING = (OSError, SyntaxError, ValueError, EOFError)
"""What Pillow raises for pictures that it cannot read."""
_OPENS = ("load_image", "fastai/vision/core.py")
"""The function of fastai that opens a picture `fn`, and where it stands."""
_SECONDS = 5.0
"""So long a file is looked for that a worker process did not name."""


def name_bad_picture(error: BaseException | None) -> None:
    """Warn with the name of the picture that `error` comes from, where it does come from one that fastai opened."""
    if not isinstance(error, _LOADING) or isinstance(error, NbdeployError):
        return
    frames = list(_frames(error.__traceback__))
    opened = [frame.f_locals.get("fn") for frame in frames if _opens(frame)]
    learn = next((one for frame in frames if is_learner(one := frame.f_locals.get("self"))), None)
    if opened and isinstance(opened[-1], str | Path):
        _say(Path(opened[-1]), learn, error)
    elif learn is not None and all(part in str(error).replace("\\", "/") for part in _OPENS):  # out of a worker process
        found = _looked_for(learn)
        if found is not None:
            _say(found, learn, error)
        elif folder := getattr(learn.dls, "path", None):
            _warn(f"A picture could not be read, and the worker process did not say which. {_hint(Path(folder))}")


def _opens(frame: FrameType) -> bool:
    name, file = _OPENS
    return frame.f_code.co_name == name and Path(frame.f_code.co_filename).as_posix().endswith(file)


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _looked_for(learn: Any) -> Path | None:
    """The first picture of the Learner's data that cannot be read, where that is found in a few seconds."""
    from nbdeploy.data.scan import read_all  # noqa: PLC0415 - only after a failure

    sides = [getattr(learn.dls, name, None) for name in ("train_ds", "valid_ds")]
    items = [item for side in sides for item in getattr(side, "items", ()) if isinstance(item, str | Path)]
    until = time.monotonic() + _SECONDS
    for item, found in zip(items, read_all(map(Path, items)), strict=True):
        if isinstance(found, str):
            return Path(item)
        if time.monotonic() > until:
            return None
    return None


def _say(path: Path, learn: Any, error: BaseException) -> None:
    from nbdeploy.data.records import shown  # noqa: PLC0415 - only after a failure
    from nbdeploy.data.scan import read_picture  # noqa: PLC0415

    found = read_picture(path)
    why = found if isinstance(found, str) else f"{type(error).__name__}: {error}".splitlines()[0]
    folder = getattr(getattr(learn, "dls", None), "path", None)
    folder = Path(folder) if folder and path.is_relative_to(folder) else path.parent
    _warn(f"{shown(path)} cannot be read as a picture ({why}). {_hint(folder)}")


def _hint(folder: Path) -> str:
    from nbdeploy.data.records import clean_hint  # noqa: PLC0415 - only after a failure

    return clean_hint(folder)


def _warn(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always", NbdeployWarning)  # also when the same cell is run again
        warnings.warn(text, NbdeployWarning, stacklevel=2)
