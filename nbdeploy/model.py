"""The model that a person names: what it takes, and the Program of it."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.signature import Signature
from nbdeploy.errors import NbdeployError, NbdeployWarning

if TYPE_CHECKING:
    from nbdeploy.core.reference import Reference
    from nbdeploy.data.imageset import ImageSet
    from nbdeploy.data.labelled import Labelled
    from nbdeploy.exporting.program import Program


def kind_of(model: Any) -> str | None:
    """``image``, ``table`` or ``text``: what a model takes, without any work; None where that is not known yet."""
    if not isinstance(model, str | Path):
        from nbdeploy.exporting.rows import kind_of as of_learner  # noqa: PLC0415 - torch

        return of_learner(model)
    try:
        raw = json.loads((Path(model) / "signature.json").read_text(encoding="utf-8"))
        return Signature.from_dict(raw).kind
    except (OSError, ValueError, TypeError, NbdeployError):  # what is wrong with it is said where it is loaded
        return None


def as_program(
    model: Any,
    *,
    images: ImageSet | Labelled | str | Path | None = None,
    name: str | None = None,
    verify_files: int | None = None,
    calibration_files: int | None = None,
    seed: int = 42,
    trust_pickle: bool = False,
) -> Program:
    """The Program of whatever `deploy` takes as its model. A fastai pickle can run code: only with `trust_pickle`."""
    from nbdeploy.data.decided import decided  # noqa: PLC0415
    from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415 - Pillow
    from nbdeploy.exporting.pickled import unpickled  # noqa: PLC0415 - torch
    from nbdeploy.exporting.program import Program  # noqa: PLC0415

    if isinstance(model, str | Path):
        path = Path(model)
        model = unpickled(path, trust=trust_pickle) if path.is_file() else Program.load(path)
    if isinstance(images, str | Path) and kind_of(model) == "image":
        images = decided(ImageSet.from_folder(images, seed=seed))
    if not isinstance(model, Program):
        from nbdeploy.exporting.learner import export  # noqa: PLC0415 - fastai

        bounds = {"verify_files": verify_files, "calibration_files": calibration_files}
        given: dict[str, Any] = {key: most for key, most in bounds.items() if most is not None}
        return export(model, images=images, name=name, seed=seed, **given)
    reference = model.reference if images is None else _found_again(model, images, calibration_files, seed)
    if calibration_files is not None and len(reference.calibration) < calibration_files:
        warnings.warn(
            f"This model names {len(reference.calibration)} training files, not {calibration_files}; "
            "images=nd.ImageSet.from_folder('...') (--data FOLDER) gives more.",
            NbdeployWarning,
            stacklevel=4,
        )
    bounded = reference.bounded(held_out=verify_files, calibration=calibration_files, seed=seed)
    return dataclasses.replace(model, reference=bounded)


def _found_again(program: Program, data: Any, calibration_files: int | None, seed: int) -> Reference:
    """The program's Reference with the paths of files that are found again in `data` by their content."""
    from nbdeploy.data.refound import found_again, written_again  # noqa: PLC0415 - pandas

    if program.signature.given is None:
        return found_again(program.reference, data, calibration_files, seed)
    held_out = written_again(program.signature, program.reference.held_out, data)
    return dataclasses.replace(program.reference, held_out=held_out)
