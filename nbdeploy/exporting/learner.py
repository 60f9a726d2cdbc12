"""export(): a fastai Learner to a Program, with its Signature read off `learn.dls` and its answers kept as truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from nbdeploy.core import working
from nbdeploy.core.progress import step
from nbdeploy.core.reference import DataFile, Reference
from nbdeploy.core.signature import Signature
from nbdeploy.data.decided import decided
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import ExportError, UsageError
from nbdeploy.exporting import pipeline
from nbdeploy.exporting.answers import Files, answers, held_out_and_calibration, plain_precision, sizes
from nbdeploy.exporting.graph import Deployable
from nbdeploy.exporting.opening import opening_of
from nbdeploy.exporting.parts import (
    MAX_EXPORT_DRIFT,
    PROBED,
    act_of,
    activation_for,
    copied,
    name_for,
    parts_of,
    trace,
)
from nbdeploy.exporting.program import Program
from nbdeploy.exporting.rows import exporter
from nbdeploy.templates.python.predict import preprocess
from nbdeploy.tracking import lineage

if TYPE_CHECKING:
    from nbdeploy.data.labelled import Labelled

_SAME_PIXELS = 1e-3  # of normalised values; one level of 255 is about 4e-3


def export(
    learn: Any,
    *,
    images: ImageSet | Labelled | str | Path | None = None,
    replace: pipeline.Replacements | None = None,
    activation: nn.Module | None = None,
    name: str | None = None,
    verify_files: int = 500,
    calibration_files: int = 100,
    seed: int = 42,
) -> Program:
    """Make a Program of a classifier's Learner: of pictures, of rows of a table, or of texts.

    `images` (an ImageSet, or a folder of pictures, taken with its decisions) gives held-out and training files where
    the Learner has none (after `load_learner`); for rows and texts it is an nd.Table, nd.Texts or a file of them, and
    what follows is for pictures. `replace` maps the name of a transform that cannot be repeated to a
    torch module that does the same on float NCHW, or to None to leave it out. `activation` turns outputs into
    probabilities where the loss does not say. At most `verify_files` held-out files are answered by the Learner, and
    `calibration_files` training files noted for static quantization. Which ones is decided by `seed`. The Learner is
    left as it was.

    Raises ExportError, or UnsupportedTransform naming the transform.
    """
    dls, model = parts_of(learn)
    pipeline.finite_parameters(model)
    if (made := exporter(dls)) is not None:
        if replace:
            raise UsageError("replace is for the transforms of pictures.", hint="Leave it out.")
        readied = made(learn, images, activation=activation, most=verify_files, seed=seed)
        program = readied.program(learn, name_for(name, learn, readied.signature.kind))
        lineage.exported(learn, program)
        return program
    if isinstance(images, str | Path):
        images = decided(ImageSet.from_folder(images, seed=seed))
    elif images is not None and not isinstance(images, ImageSet):
        raise UsageError("This Learner takes pictures.", hint="Type: images=nd.ImageSet.from_folder('...')")
    labels = pipeline.labels_of(dls)
    activation = activation or activation_for(learn)
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
        exported = trace(Deployable(layers, copied(model), activation), signature)
    with step("asking the original model") as note:
        with plain_precision(learn):
            expected = answers(learn, [file.path for file in files.held_out], act=act_of(activation))
        note(f"{len(expected)} held-out files")
    reference = Reference(files.held_out, expected, files.calibration)
    program = Program(exported, signature, reference, name_for(name, learn))
    _compare(program, learn, files, replace)
    lineage.exported(learn, program)
    return program


def _compare(program: Program, learn: Any, files: Files, replace: pipeline.Replacements) -> None:
    """Hold the Program to the Learner on some held-out files; name the step to blame when they differ."""
    run = program.runner()
    host = program.signature.to_dict()["host"]
    some = np.linspace(0, len(files.held_out) - 1, min(PROBED, len(files.held_out))).astype(int)
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
