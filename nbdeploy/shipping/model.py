"""What is known of a model before anything is done with it: its size, and how many files there are to check it on."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.core.files import file_name
from nbdeploy.errors import UsageError

_MOST_HELD_OUT, _MOST_CALIBRATION = 500, 100
"""What `nd.deploy` takes of a Learner's files where it is not told otherwise."""
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class About:
    """A model. Counts are 0 where they are not known."""

    name: str
    """What its bundle is called where nobody says otherwise."""
    kind: str
    """``Learner``, ``Program`` or ``saved model``."""
    parameters: int
    held_out: int
    calibration: int

    @property
    def exported(self) -> bool:
        """Whether it needs no export."""
        return self.kind != "Learner"


def about(model: Any) -> About:
    """Look at a Learner, a Program, or the folder of a saved one. Raises UsageError for what is none of them."""
    if isinstance(model, str | Path):
        return _folder(Path(model).expanduser())
    if _is(model, "nbdeploy.exporting.program", "Program"):
        counts = [tensor.numel() for tensor in model.exported.state_dict.values()]
        reference = model.reference
        return About(model.name, "Program", sum(counts), len(reference.held_out), len(reference.calibration))
    if _is(model, "fastai.learner", "Learner"):
        return _learner(model)
    raise UsageError(
        f"nd.Ship takes a Learner, a Program or a saved model's folder, not {type(model).__name__}.",
        hint="Type: nd.Ship(learn)",
    )


def _learner(learn: Any) -> About:
    arch = getattr(learn, "arch", None)
    name = arch if isinstance(arch, str) else getattr(arch, "__name__", "model")
    inner = learn.model
    parameters = sum(one.numel() for one in (*inner.parameters(), *inner.buffers()))
    dls = getattr(learn, "dls", None)
    held = _length(getattr(dls, "valid_ds", None))
    taught = _length(getattr(dls, "train_ds", None))
    return About(
        file_name(str(name)) or "model",
        "Learner",
        parameters,
        min(held, _MOST_HELD_OUT),
        min(taught, _MOST_CALIBRATION),
    )


def _folder(folder: Path) -> About:
    try:
        said = json.loads((folder / "program.json").read_text(encoding="utf-8"))
        reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        weights = (folder / "program.pt2").stat().st_size
        held_out, calibration = len(reference["held_out"]), len(reference["calibration"])
        return About(str(said["name"]), "saved model", weights // _FLOAT_BYTES, held_out, calibration)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} holds no saved model.", hint="Name a folder that `nbdeploy train` or program.save() wrote."
        ) from error


def _length(data: Any) -> int:
    try:
        return len(data)
    except TypeError:
        return 0


def _is(value: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
