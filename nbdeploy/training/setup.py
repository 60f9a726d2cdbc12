"""What a Learner for training is made of: pictures, network, size, loss. It is made from here as often as needed."""

from __future__ import annotations

import os
import statistics
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.hush import hushed
from nbdeploy.data.decided import decided, unapplied
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.labelled import Labelled
from nbdeploy.errors import DataError, NbdeployWarning, UsageError
from nbdeploy.training.arch import Arch, find_arch, load_libraries
from nbdeploy.training.classes import Weights
from nbdeploy.training.classes import class_weights as weights_of
from nbdeploy.training.counts import check_counts

if TYPE_CHECKING:
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

USUAL_SIDE = 224
_STEP = 32
"""The networks halve the picture five times, so sides are multiples of 32 pixels."""
_FINE_TUNE_RATE = 2e-3
"""fastai's own default for `fine_tune`."""
_SCRATCH_RATE = 5e-3
"""Measured on handwritten digits: resnet18, mobilenet_v3_small and mobilenetv4_conv_small all learn with it."""
_PIXELS_FOR_ONE_PROCESS = 250_000_000
"""5,000 pictures of 224 x 224. Below it starting worker processes costs more than they save."""


@dataclass(frozen=True)
class Setup:
    """All that decides what a Learner is before it is trained."""

    images: ImageSet
    arch: Arch
    size: int
    batch_size: int
    pretrained: bool
    frozen: int
    """Epochs for the head alone."""
    augment: bool
    flip: bool
    weights: list[float] | None
    """Of the classes in the loss, in the order of the labels."""
    seed: int
    workers: int | None

    @property
    def usual_rate(self) -> float:
        """The highest learning rate where nobody says which."""
        return _FINE_TUNE_RATE if self.pretrained else _SCRATCH_RATE

    def learner(self, metrics: Iterable[Any] = ()) -> Learner:
        """An untrained Learner. The random numbers that it takes are the caller's affair."""
        with hushed():
            from fastai.losses import CrossEntropyLossFlat  # noqa: PLC0415 - fastai takes seconds
            from torch import tensor  # noqa: PLC0415

            from nbdeploy.training.build import make_learner  # noqa: PLC0415

        dls = dataloaders(
            self.images,
            self.arch,
            size=self.size,
            batch_size=self.batch_size,
            augment=self.augment,
            flip=self.flip,
            workers=self.workers,
        )
        learn = make_learner(dls, self.arch, size=self.size, pretrained=self.pretrained)
        learn.metrics = [*learn.metrics, *metrics]
        if self.weights:
            learn.loss_func = CrossEntropyLossFlat(weight=tensor(self.weights, device=dls.device))
        return learn

    def to_dict(self) -> dict[str, Any]:
        """Plain data that is equal for two trainings that go the same way; the pictures by their content."""
        from nbdeploy.training.checkpoints import fingerprint  # noqa: PLC0415

        return {
            "data": fingerprint(self.images.files),
            "arch": f"{self.arch.library}:{self.arch.name}",
            "size": self.size,
            "batch_size": self.batch_size,
            "pretrained": self.pretrained,
            "frozen": self.frozen,
            "augment": self.augment,
            "flip": self.flip,
            "weights": self.weights,
            "seed": self.seed,
        }


def prepared(
    images: ImageSet | str | Path,
    *,
    arch: str,
    epochs: int,
    size: int | None,
    lr: float | str | None,
    batch_size: int,
    pretrained: bool,
    freeze_epochs: int,
    augment: bool,
    flip: bool,
    class_weights: Weights,
    seed: int,
    workers: int | None,
) -> Setup:
    """Check what `train` was given and find out what was left open. Raises UsageError, DataError, UnknownName."""
    _check(epochs=epochs, size=size, lr=lr, batch_size=batch_size, freeze_epochs=freeze_epochs, workers=workers)
    load_libraries()
    found = find_arch(arch)
    if isinstance(images, Labelled):
        raise UsageError(
            f"This is for pictures, and what was given are {images.noun}s.", hint="Type: nd.train(data, lr=0.005)"
        )
    if not isinstance(images, ImageSet | str | os.PathLike):
        raise UsageError(
            f"What was given, of type {type(images).__name__}, is no set of pictures.",
            hint='Give an ImageSet, or the path of a folder with one sub-folder a class: "data/pets".',
        )
    if not isinstance(images, ImageSet):
        images = decided(ImageSet.from_folder(images, seed=seed))
    elif remark := unapplied(images):
        warnings.warn(remark, NbdeployWarning, stacklevel=4)  # beyond `recorded`
    _check_split(images)
    return Setup(
        images=images,
        arch=found,
        size=size or found.side or default_side(images),
        batch_size=batch_size,
        pretrained=pretrained,
        frozen=freeze_epochs if pretrained else 0,
        augment=augment,
        flip=flip,
        weights=weights_of(class_weights, images.labels, [file.label for file in images.train]),
        seed=seed,
        workers=workers,
    )


def default_side(images: ImageSet) -> int:
    """The side in pixels of the squares a model is trained on when nothing else is said; see `train`."""
    sides = [max(file.size) for file in images.files]
    if max(sides) >= USUAL_SIDE:
        return USUAL_SIDE
    return max(_STEP, -(-int(statistics.median_high(sides)) // _STEP) * _STEP)


def dataloaders(
    images: ImageSet, arch: Arch, *, size: int, batch_size: int, augment: bool, flip: bool, workers: int | None
) -> DataLoaders:
    """DataLoaders of fastai: pictures cropped to `size` x `size`, augmented in training, normalised for `arch`."""
    from fastai.data.block import CategoryBlock, DataBlock, TransformBlock  # noqa: PLC0415 - seconds
    from fastai.data.transforms import ColReader, ColSplitter, IntToFloatTensor, Normalize  # noqa: PLC0415
    from fastai.vision.augment import Resize, aug_transforms  # noqa: PLC0415

    from nbdeploy.training.opening import opener  # noqa: PLC0415

    block = DataBlock(
        blocks=(
            TransformBlock(opener(images), batch_tfms=IntToFloatTensor),
            CategoryBlock(vocab=list(images.labels), sort=False),
        ),
        get_x=ColReader("path"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        item_tfms=Resize(size),
        batch_tfms=[*(aug_transforms(do_flip=flip) if augment else ()), Normalize.from_stats(*arch.stats)],
    )
    return block.dataloaders(
        images.to_frame()[["path", "label", "is_valid"]],
        bs=min(batch_size, len(images.train)),  # the last, smaller batch is dropped in training
        num_workers=_usual_workers(images) if workers is None else workers,
    )


def _usual_workers(images: ImageSet) -> int:
    pixels = sum(file.size[0] * file.size[1] for file in images.files)
    return 0 if pixels <= _PIXELS_FOR_ONE_PROCESS else min(8, os.cpu_count() or 1)


def _check(*, size: int | None, lr: float | str | None, workers: int | None, **counts: int) -> None:
    least = {"epochs": 1, "batch_size": 2, "freeze_epochs": 0, "size": 1, "workers": 0}  # BatchNorm needs two pictures
    check_counts({**counts, "size": size, "workers": workers}, least)
    if isinstance(lr, str) and lr != "find":
        raise UsageError(f'lr is "{lr}".', hint='It is a number, or "find".')
    if isinstance(lr, int | float) and not 0 < lr < float("inf"):
        raise UsageError(f"lr is {lr}.", hint="It must be above 0; 0.002 is usual.")


def _check_split(images: ImageSet) -> None:
    if len(images.labels) < 2:  # noqa: PLR2004 - a choice needs two
        raise DataError("There is one class only.", hint="Training needs pictures of at least two classes.")
    if not images.valid:
        raise DataError("No picture is held out.", hint="Training needs some to measure itself on: valid=0.2.")
    unseen = sorted(set(images.labels) - {file.label for file in images.train})
    if unseen:
        raise DataError(
            f'No picture of "{unseen[0]}" is left to train on.', hint="Add pictures of it, or hold out fewer."
        )
