"""Learners that come as fastai's export.pkl: a pickle, which can run code, so never without being told to."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from nbdeploy.core.hush import hushed
from nbdeploy.errors import ExportError, UsageError


def unpickled(path: Path, *, trust: bool) -> Any:
    """The Learner in a fastai ``export.pkl``. Raises UsageError unless `trust`, ExportError where it does not load."""
    if not trust:
        raise UsageError(
            f"{path} is a file, and a fastai export is a pickle: loading it can run any code that its maker put there.",
            hint="If you made it yourself: --trust-pickle (trust_pickle=True); else ask for a program.save() folder.",
        )
    with hushed():
        from fastai.learner import load_learner  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fastai warns of what --trust-pickle just decided
        try:
            return load_learner(path, cpu=True)
        except Exception as error:  # a pickle can fail in any way
            raise ExportError(
                f"{path} cannot be loaded ({type(error).__name__}: {error}).",
                hint="Functions that the Learner used (get_y and the like) must be importable or defined first.",
            ) from error
