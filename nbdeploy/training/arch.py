"""The names of architectures, and what must be known of one before a Learner is made."""

from __future__ import annotations

import difflib
import importlib
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from nbdeploy.core.hush import hushed
from nbdeploy.core.progress import step
from nbdeploy.errors import UnknownName

Library = Literal["torchvision", "timm"]
Stats = tuple[tuple[float, ...], tuple[float, ...]]
IMAGENET: Stats = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's pixels, RGB 0..1: what torchvision's weights were trained with."""


@dataclass(frozen=True, slots=True)
class Arch:
    """One architecture."""

    name: str
    """As its library knows it."""
    library: Library
    stats: Stats = IMAGENET
    """Mean and deviation, RGB 0..1, that its weights expect."""
    side: int | None = None
    """The side in pixels of the only square it takes as published; None for an architecture that takes any."""


def arch_names() -> list[str]:
    """Every name `train` takes, sorted: torchvision's classifiers and timm's. The first call imports both (seconds)."""
    return sorted({*_torchvision_names(), *_timm_names()})


def find_arch(name: str) -> Arch:
    """The architecture of that name. Raises UnknownName, with the nearest names.

    A name that both libraries know means torchvision's; ``timm:resnet18`` and ``torchvision:resnet18`` say which.
    timm's names may carry a tag that picks the weights: ``resnet18.a1_in1k``.
    """
    library, _, bare = name.rpartition(":")
    if library in {"", "torchvision"} and bare in _torchvision_names():
        return Arch(bare, "torchvision", side=getattr(skeleton(bare), "image_size", None))
    if library in {"", "timm"} and _known_to_timm(bare):
        config = timm_config(bare)
        stats = (tuple(config.mean), tuple(config.std)) if config else IMAGENET
        side = config.input_size[-1] if config and config.fixed_input_size else None
        return Arch(bare, "timm", stats, side)
    near = difflib.get_close_matches(bare, arch_names(), n=3, cutoff=0.6)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UnknownName("arch", name, near, note=f"{meant}torchvision and timm know {len(arch_names()):,} names.")


def skeleton(name: str) -> Any:
    """The model of that name in torchvision with no weights in memory, to look at its parts."""
    import torch  # noqa: PLC0415 - seconds

    build = _library("torchvision.models").get_model_builder(name)
    with hushed():
        try:
            with torch.device("meta"):
                return build(weights=None)
        except NotImplementedError:  # regnet reads the values of its own constants while it is built
            return build(weights=None)


def timm_config(name: str) -> Any:
    """The card of the weights in timm (``hf_hub_id``, ``mean``, ``fixed_input_size`` ...); None where it has none."""
    return _library("timm").get_pretrained_cfg(name)


def load_libraries() -> None:
    """Load what training needs, and say so: the first time takes seconds."""
    if "nbdeploy.training.build" not in sys.modules:
        with step("loading PyTorch and fastai"), hushed():
            importlib.import_module("nbdeploy.training.build")


def _library(name: str) -> Any:
    with hushed():
        return importlib.import_module(name)  # seconds


@cache
def _torchvision_names() -> tuple[str, ...]:
    models = _library("torchvision.models")
    # The package itself, not all below it: that leaves out detection, segmentation and video.
    return tuple(models.list_models(module=models))


@cache
def _timm_names() -> tuple[str, ...]:
    return tuple(_library("timm").list_models())


def _known_to_timm(name: str) -> bool:
    try:
        timm_config(name)
    except RuntimeError:  # the architecture exists and the tag does not
        return False
    return bool(_library("timm").is_model(name))
