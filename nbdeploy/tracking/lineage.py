"""Which run made a model: told by the Learner itself while it lives, and by a Program's own answers ever after."""

from __future__ import annotations

import hashlib
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbdeploy.core.bundle import MANIFEST
from nbdeploy.core.files import sha256_of
from nbdeploy.tracking import store

_learners: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_ANSWERS = "reference.npy"


def remember(model: Any, run: str) -> None:
    """The run `run` made this Learner."""
    with suppress(TypeError):  # of a class that cannot be looked up
        if run:
            _learners[model] = run


def exported(learn: Any, program: Any) -> None:
    """`program` was made of `learn`: the run of one is that of the other, also once it was saved and loaded."""
    with suppress(Exception):  # a record never stops the work
        run, mark = _learner(learn), _mark(program)
        if run and mark:
            store.merge(run, "models", {mark: str(getattr(program, "name", ""))})


def run_of(model: Any) -> str:
    """The run that made a Learner, a Program, the folder of a saved one, or a bundle; "" where that is not known."""
    try:
        if run := _learner(model):
            return run
        place = getattr(model, "path", model)
        bundle = Path(place) / MANIFEST if isinstance(place, str | Path) else None
        if bundle is not None and bundle.is_file():
            seal = sha256_of(bundle)
            return next((row["id"] for row in store.every() if row["result"].get("sha256") == seal), "")
        mark = _mark(model)
        return next((row["id"] for row in store.every() if mark and mark in row["models"]), "")
    except Exception:  # noqa: BLE001 - the same
        return ""


def _learner(model: Any) -> str:
    with suppress(TypeError):
        return _learners.get(model, "")
    return ""


def _mark(model: Any) -> str:
    """What a Program is known by: the original's answers on the held-out files."""
    import numpy as np  # noqa: PLC0415 - only with a model

    if isinstance(model, str | Path):
        file = Path(model) / _ANSWERS
        answers = np.load(file, allow_pickle=False) if file.is_file() else None
    else:
        answers = getattr(getattr(model, "reference", None), "probabilities", None)
    return "" if answers is None or not len(answers) else hashlib.sha256(answers.tobytes()).hexdigest()
