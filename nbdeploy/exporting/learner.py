"""export(): a fastai Learner to a Program, with its Signature read off `learn.dls` and its answers kept as truth."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from nbdeploy.core import working
from nbdeploy.core.files import file_name
from nbdeploy.core.hush import hushed
from nbdeploy.core.progress import step
from nbdeploy.core.reference import DataFile, Reference
from nbdeploy.core.signature import Signature
from nbdeploy.data.decided import decided
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import ExportError, NbdeployWarning
from nbdeploy.exporting import pipeline
from nbdeploy.exporting.answers import Files, answers, held_out_and_calibration, plain_precision, sizes
from nbdeploy.exporting.graph import Deployable, activation_of, rewrite
from nbdeploy.exporting.opening import opening_of
from nbdeploy.exporting.program import Program
from nbdeploy.templates.python.predict import preprocess
from nbdeploy.tracking import lineage

if TYPE_CHECKING:
    from collections.abc import Callable

# Exported and original run the same float32 arithmetic; beyond this their difference is a fault, not rounding.
MAX_EXPORT_DRIFT = 1e-3
_PROBED_FILES = 32
_SAME_PIXELS = 1e-3  # of normalised values; one level of 255 is about 4e-3


def export(
    learn: Any,
    *,
    images: ImageSet | str | Path | None = None,
    replace: pipeline.Replacements | None = None,
    activation: nn.Module | None = None,
    name: str | None = None,
    verify_files: int = 500,
    calibration_files: int = 100,
    seed: int = 42,
) -> Program:
    """Make a Program of an image classifier's Learner.

    `images` (an ImageSet, or a folder of pictures, taken with its decisions) gives held-out and training files where
    the Learner has none (after `load_learner`). `replace` maps the name of a transform that cannot be repeated to a
    torch module that does the same on float NCHW, or to None to leave it out. `activation` turns outputs into
    probabilities where the loss does not say. At most `verify_files` held-out files are answered by the Learner, and
    `calibration_files` training files noted for static quantization. Which ones is decided by `seed`. The Learner is
    left as it was.

    Raises ExportError, or UnsupportedTransform naming the transform.
    """
    if isinstance(images, str | Path):
        images = decided(ImageSet.from_folder(images, seed=seed))
    dls, model = _parts(learn)
    pipeline.finite_parameters(model)
    labels = pipeline.labels_of(dls)
    activation = activation or _activation(learn)
    replace = dict(replace or {})
    pipeline.check_replacements(dls, replace)
    opening = opening_of(dls)
    files = held_out_and_calibration(dls, labels, images, most=verify_files, calibration=calibration_files, seed=seed)
    steps = pipeline.host_steps(dls, replace, lambda: sizes(files.held_out, exif=opening.exif))
    width, height = steps[-1].width, steps[-1].height
    layers, words = pipeline.graph_layers(dls, replace, width=width, height=height)
    signature = Signature(
        width=width,
        height=height,
        channels=opening.channels,
        labels=labels,
        steps=steps,
        exif=opening.exif,
        ranges=opening.ranges,
        graph=("reorder NHWC to NCHW, to float", *words, "the network", type(activation).__name__.lower()),
    )
    with step("exporting the model"):
        exported = _trace(Deployable(layers, _copy(model), activation), signature)
    with step("asking the original model") as note:
        with plain_precision(learn):
            expected = answers(learn, [file.path for file in files.held_out], act=_act(activation))
        note(f"{len(expected)} held-out files")
    reference = Reference(files.held_out, expected, files.calibration)
    program = Program(exported, signature, reference, _name(name, learn))
    _compare(program, learn, files, replace)
    lineage.exported(learn, program)
    return program


def _parts(learn: Any) -> tuple[Any, nn.Module]:
    with hushed():
        from fastai.learner import Learner  # noqa: PLC0415 - fastai is slow to import

    if not isinstance(learn, Learner):
        raise ExportError(
            f"{type(learn).__name__} is not a fastai Learner.",
            hint="Pass the Learner itself, for example what vision_learner(...) or nd.train(...) gave you.",
        )
    dls = getattr(learn, "dls", None)
    if dls is None or not hasattr(dls, "valid"):
        raise ExportError(
            "This Learner has no data (learn.dls), so how it prepares a picture is not known.",
            hint="Set learn.dls to the DataLoaders it was trained with, then pass it again.",
        )
    if not isinstance(learn.model, nn.Module):
        raise ExportError("This Learner has no torch model.", hint="Pass a Learner with learn.model set.")
    return dls, learn.model


def _activation(learn: Any) -> nn.Module:
    activation = activation_of(learn.loss_func)
    if activation is None:
        raise ExportError(
            f"The loss {type(learn.loss_func).__name__} does not say how outputs become probabilities.",
            hint="Pass nd.export(learn, activation=torch.nn.Softmax(1)), or a module that fits your loss.",
        )
    return activation


def _act(activation: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda outputs: activation(outputs.float())


def _copy(model: nn.Module) -> nn.Module:
    half = {p.dtype for p in model.parameters() if p.is_floating_point()} - {torch.float32}
    if half:
        kinds = ", ".join(str(kind).removeprefix("torch.") for kind in half)
        warnings.warn(
            f"The model holds {kinds} weights; it is exported, and the original is asked, in float32.",
            NbdeployWarning,
            stacklevel=4,
        )
    return rewrite(copy.deepcopy(model).cpu().float()).eval()


def _trace(module: Deployable, signature: Signature) -> torch.export.ExportedProgram:
    module = module.eval()
    example = torch.zeros(signature.shape, dtype=torch.uint8)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside torch.export are not the user's
            outputs = module(example)
            exported = torch.export.export(module, (example,))
    except Exception as error:
        raise ExportError(
            f"The model cannot be exported: {str(error).strip().splitlines()[0][:300]}",
            hint="torch.export needs a forward() without data-dependent Python; the full reason: "
            "nd.errors.show_tracebacks(True).",
        ) from error
    if tuple(outputs.shape) != (1, len(signature.labels)):
        raise ExportError(
            f"The model gives {tuple(outputs.shape[1:])} outputs for {len(signature.labels)} labels.",
            hint="The last layer must give one output a class of learn.dls.vocab.",
        )
    return exported


def _compare(program: Program, learn: Any, files: Files, replace: pipeline.Replacements) -> None:
    """Hold the Program to the Learner on some held-out files; name the step to blame when they differ."""
    run = program.runner()
    host = program.signature.to_dict()["host"]
    some = np.linspace(0, len(files.held_out) - 1, min(_PROBED_FILES, len(files.held_out))).astype(int)
    drift = 0.0
    worst: tuple[DataFile, np.ndarray] | None = None
    probed = list(dict.fromkeys(some.tolist()))
    for index in working.counted(probed, "holding the export to the original", total=len(probed), unit="file"):
        pixels = preprocess(files.held_out[index].path, host, channels=program.signature.channels)
        now = float(np.abs(run(pixels) - program.reference.probabilities[index]).max())
        if not now <= drift:
            drift, worst = now, (files.held_out[index], pixels)
    if drift <= MAX_EXPORT_DRIFT or worst is None:
        return
    file, pixels = worst
    seen = learn.dls.test_dl([file.path], num_workers=0, bs=1).one_batch()[0].cpu().float()
    layers, _ = pipeline.graph_layers(learn.dls, replace, width=pixels.shape[2], height=pixels.shape[1])
    made = nn.Sequential(*layers)(torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).float())
    same = made.shape == seen.shape and bool((made - seen).abs().max() < _SAME_PIXELS)
    blame = (
        "the pixels agree, so the network itself behaves differently (a callback, or state kept between calls)"
        if same
        else "the pixels that reach the network differ (a transform that nbdeploy reads differently)"
    )
    raise ExportError(
        f"The exported model does not answer as the Learner does: {drift:.3g} apart on {file.path}; {blame}.",
        hint="Name the odd transform in replace=, or train with Resize, aug_transforms and Normalize only.",
    )


def _name(name: str | None, learn: Any) -> str:
    if name is None:
        arch = getattr(learn, "arch", None)
        name = arch if isinstance(arch, str) else getattr(arch, "__name__", "model")
    return file_name(str(name)) or "model"
