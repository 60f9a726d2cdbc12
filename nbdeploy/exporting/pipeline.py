"""Read what a Learner does to a picture before its model sees it, off `learn.dls`.

fastai has three places: the type transforms that open the file (see `opening`), `after_item` on one picture, and
`after_batch` on the GPU. The first two become steps of the host, the last goes inside the graph. A transform that is
only for training (`split_idx` 0) is passed over, as fastai does at validation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nbdeploy.core.signature import MAX_LABEL_CHARACTERS, Step
from nbdeploy.errors import ExportError, UnsupportedTransform
from nbdeploy.exporting.graph import Divide, Normalize, resample

Replacements = Mapping[str, nn.Module | None]
_RESAMPLES = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # Pillow's own numbering


def labels_of(dls: Any) -> tuple[str, ...]:
    """The classes in output order. Raises ExportError where there is not one label a picture."""
    categories = getattr(dls, "vocab", None)
    named = type(categories).__name__
    kinds = {type(tfm).__name__ for tl in getattr(dls.valid_ds, "tls", ())[1:] for tfm in tl.tfms.fs}
    if categories is None or "RegressionSetup" in kinds or "MultiCategorize" in kinds or named == "L":
        what = "several labels a picture" if "MultiCategorize" in kinds else "no single list of classes"
        raise ExportError(
            f"This Learner has {what}; nbdeploy exports classifiers that give one label a picture.",
            hint="Train with CategoryBlock (or ImageDataLoaders.from_folder) to deploy a classifier.",
        )
    labels = tuple(str(category) for category in categories)
    if len(labels) < 2:  # noqa: PLR2004 - a choice needs two
        raise ExportError(
            f"This Learner knows only the class {', '.join(labels) or '(none)'}.",
            hint="A classifier needs at least two classes; add pictures of another one and train again.",
        )
    for label in labels:
        if "\n" in label or "\r" in label or len(label) > MAX_LABEL_CHARACTERS:
            raise ExportError(
                f"The label {label[:40]!r} has a line break or more than {MAX_LABEL_CHARACTERS} characters.",
                hint="labels.txt holds one label a line; rename the class and train again.",
            )
    if len(set(labels)) != len(labels):
        raise ExportError("Two classes have the same name as text.", hint="Rename one and train again.")
    return labels


def host_steps(dls: Any, replace: Replacements, sizes: Callable[[], set[tuple[int, int]]]) -> tuple[Step, ...]:
    """What happens to one opened picture, as steps of the host. `sizes` gives the held-out files' own sizes."""
    from fastai.data.transforms import ToTensor  # noqa: PLC0415
    from fastai.vision.augment import CropPad, RandomCrop, RandomResizedCrop, Resize  # noqa: PLC0415

    read: dict[type, Callable[[Any], Sequence[Step]]] = {
        Resize: _resize,
        RandomResizedCrop: _random_resized_crop,
        RandomCrop: lambda tfm: [Step(op="center_crop", width=tfm.size[0], height=tfm.size[1])],
        CropPad: lambda tfm: [Step(op="center_crop", width=tfm.size[0], height=tfm.size[1], pad=tfm.pad_mode)],
        ToTensor: lambda _: [],
    }
    steps: list[Step] = []
    for tfm in _at_validation(dls.valid.after_item, replace):
        if type(tfm) not in read:
            raise _unsupported(tfm, "item_tfms", in_graph=False)
        steps += read[type(tfm)](tfm)
    for tfm in _at_validation(dls.valid.before_batch, replace):
        raise _unsupported(tfm, "before_batch", in_graph=False)
    return tuple(steps) or (_exact_size(sizes()),)


def _resize(tfm: Any) -> list[Step]:
    op = {"crop": "crop_resize", "squish": "squish_resize", "pad": "pad_resize"}[tfm.method]
    width, height = tfm.size
    return [Step(op=op, width=width, height=height, resample=_RESAMPLES[tfm.mode], pad=tfm.pad_mode)]


def _random_resized_crop(tfm: Any) -> list[Step]:
    # At validation fastai squishes to a size larger by val_xtra, in steps of 8, and cuts the centre.
    width, height = tfm.size
    extra = math.ceil(max(width, height) * tfm.val_xtra / 8) * 8
    squish = Step(op="squish_resize", width=width + extra, height=height + extra, resample=_RESAMPLES[tfm.mode])
    return [squish, Step(op="center_crop", width=width, height=height)] if extra else [squish]


def _exact_size(sizes: set[tuple[int, int]]) -> Step:
    if len(sizes) != 1:
        shown = ", ".join(f"{w}x{h}" for w, h in sorted(sizes)[:3]) or "none known"
        raise ExportError(
            f"The data has no resize and the pictures differ in size ({shown}); a deployed model takes one size.",
            hint="Train with item_tfms=Resize(224).",
        )
    width, height = sizes.pop()
    return Step(op="exact_size", width=width, height=height)


def graph_layers(dls: Any, replace: Replacements, *, width: int, height: int) -> tuple[list[nn.Module], list[str]]:
    """What happens to the float tensor NCHW, 0..255, before the model: modules, and a line of words for each."""
    from fastai.data.transforms import IntToFloatTensor  # noqa: PLC0415
    from fastai.data.transforms import Normalize as FastaiNormalize  # noqa: PLC0415
    from fastai.vision.augment import AffineCoordTfm, RandomResizedCropGPU  # noqa: PLC0415

    layers: list[nn.Module] = []
    words: list[str] = []
    size = (height, width)
    for tfm in _at_validation(dls.valid.after_batch, replace):
        if type(tfm) is IntToFloatTensor:
            layers.append(Divide(float(tfm.div)))
            words.append(f"divide by {tfm.div:g}")
        elif type(tfm) is FastaiNormalize:
            layers.append(Normalize(tfm.mean, tfm.std))
            mean, std = (", ".join(f"{v:.4g}" for v in part.flatten().tolist()) for part in (tfm.mean, tfm.std))
            words.append(f"subtract the mean ({mean}) and divide by the deviation ({std})")
        elif type(tfm) is RandomResizedCropGPU or (
            isinstance(tfm, AffineCoordTfm) and type(tfm).__module__ == AffineCoordTfm.__module__
        ):
            layer, size = _validation_resample(tfm, size, crop=type(tfm) is RandomResizedCropGPU)
            if layer is not None:
                layers.append(layer)
                words.append(f"resize to {size[1]} x {size[0]}, bilinear, no antialiasing")
        elif replace.get(name_of(tfm)) is not None:
            layers.append(_as_module(replace, tfm))
            words.append(f"{name_of(tfm)}, replaced by {type(replace[name_of(tfm)]).__name__}")
        else:
            raise _unsupported(tfm, "batch_tfms", in_graph=True)
    return layers, words


def _as_module(replace: Replacements, tfm: Any) -> nn.Module:
    module = replace[name_of(tfm)]
    if not isinstance(module, nn.Module):
        raise UnsupportedTransform(
            f"replace[{name_of(tfm)!r}] is {type(module).__name__}, not a torch module.",
            hint="Pass an nn.Module that takes and gives a float tensor NCHW, or None to leave the transform out.",
        )
    return module


def _validation_resample(tfm: Any, size: tuple[int, int], *, crop: bool) -> tuple[nn.Module | None, tuple[int, int]]:
    # At validation every random part is the identity; what is left is the resampling to `size` on an identity grid.
    wanted = size if tfm.size is None else (tfm.size, tfm.size) if isinstance(tfm.size, int) else tuple(tfm.size)
    corners = True if crop else bool(tfm.align_corners)
    box = (0, 0, *size)
    if crop:  # RandomResizedCropGPU.before_call: the centred part whose shape is within `ratio`, times valid_scale
        height, width = size
        low, high = tfm.ratio
        part = (
            (int(width / low), width)
            if width / height < low
            else (height, int(height * high))
            if width / height > high
            else (height, width)
        )
        part = (int(part[0] * tfm.valid_scale), int(part[1] * tfm.valid_scale))
        box = ((height - part[0]) // 2, (width - part[1]) // 2, *part)
    if box == (0, 0, *wanted):
        return None, wanted
    if tfm.mode != "bilinear" or (not corners and tfm.pad_mode == "zeros"):
        raise _unsupported(tfm, "batch_tfms", in_graph=True)
    return resample(box, wanted, align_corners=corners), wanted


def _at_validation(pipeline: Any, replace: Replacements) -> list[Any]:
    """The transforms of a pipeline that run at validation and are not left out by `replace`."""
    return [
        tfm
        for tfm in pipeline.fs
        if not _only_for_training(tfm) and name_of(tfm) != "noop" and replace.get(name_of(tfm), tfm) is not None
    ]


def _only_for_training(tfm: Any) -> bool:
    from fastai.vision.augment import AffineCoordTfm  # noqa: PLC0415

    # An AffineCoordTfm notes the split of the last batch in its own split_idx and runs in both.
    return not isinstance(tfm, AffineCoordTfm) and getattr(tfm, "split_idx", None) == 0


def name_of(tfm: Any) -> str:
    """What a person calls a transform."""
    own = type(tfm).__name__
    # A plain function is wrapped in fastai's Transform, whose `name` is the function's.
    return str(getattr(tfm, "name", own)).split(" -- ")[0] if own in {"Transform", "function", "type"} else own


def _unsupported(tfm: Any, place: str, *, in_graph: bool) -> UnsupportedTransform:
    name = name_of(tfm)
    ways = f'nd.export(learn, replace={{"{name}": None}}) if it does nothing at validation'
    if in_graph:
        ways += f', or replace={{"{name}": module}} with a torch module that does the same'
    return UnsupportedTransform(
        f"The transform {name} in {place} cannot be repeated by the deployed model.",
        hint=f"Pass {ways}. What nbdeploy repeats: Resize, RandomResizedCrop, RandomCrop, CropPad, aug_transforms, "
        "Normalize.",
    )


def check_replacements(dls: Any, replace: Replacements) -> None:
    """Raise UnsupportedTransform when `replace` names a transform that is not there."""
    pipelines = (dls.valid.after_item, dls.valid.before_batch, dls.valid.after_batch)
    there = sorted({name_of(tfm) for pipeline in pipelines for tfm in pipeline.fs})
    for name in replace:
        if name not in there:
            raise UnsupportedTransform(
                f'replace names "{name}", which is not among the transforms of this Learner.',
                hint=f"Its transforms: {', '.join(there)}.",
            )


def finite_parameters(model: nn.Module) -> None:
    """Raise ExportError when a weight is NaN or infinite."""
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ExportError(
                f"The weight {name} holds NaN or infinity, so the model answers nothing.",
                hint="Training diverged: train again with a lower learning rate (learn.lr_find()), then export.",
            )
