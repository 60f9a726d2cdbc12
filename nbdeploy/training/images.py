"""ImageSet -> trained fastai Learner, in one call."""

from __future__ import annotations

import os
import random
import statistics
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from nbdeploy.core.hush import hushed
from nbdeploy.core.live import in_notebook
from nbdeploy.core.progress import is_quiet, track
from nbdeploy.core.signature import Step
from nbdeploy.data.decided import decided, unapplied
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.labelled import Labelled
from nbdeploy.data.reading import is_labelled
from nbdeploy.data.records import clean_hint, shown
from nbdeploy.errors import DataError, NbdeployWarning, TrainError, UsageError
from nbdeploy.templates.python.predict import preprocess
from nbdeploy.training.arch import Arch, arch_names, find_arch, load_libraries
from nbdeploy.training.labelled import train_labelled

if TYPE_CHECKING:
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

__all__ = ["arch_names", "train"]

USUAL_SIDE = 224
_STEP = 32
"""The networks halve the picture five times, so sides are multiples of 32 pixels."""
_FINE_TUNE_RATE = 2e-3
"""fastai's own default for `fine_tune`."""
_SCRATCH_RATE = 5e-3
"""Measured on handwritten digits: resnet18, mobilenet_v3_small and mobilenetv4_conv_small all learn with it."""
_PIXELS_FOR_ONE_PROCESS = 250_000_000
"""5,000 pictures of 224 x 224. Below it starting worker processes costs more than they save."""
_LOADING = (OSError, SyntaxError, ValueError, EOFError)
"""What Pillow raises for pictures that it cannot read."""


def train(
    images: ImageSet | Labelled | str | Path,
    *,
    label: str | None = None,
    text: str | None = None,
    arch: str = "resnet18",
    epochs: int | None = None,
    size: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    pretrained: bool = True,
    freeze_epochs: int = 1,
    augment: bool = True,
    flip: bool = True,
    seed: int = 42,
    workers: int | None = None,
    cbs: Iterable[Any] = (),
) -> Learner:
    """Train a classifier; gives a plain fastai Learner whose `dls.vocab` is ``images.labels``.

    Rows of a table are learned from where `label` names its column of classes (``nd.train("penguins.csv",
    label="species")``), texts where `text` names theirs too; or give an nd.Table, nd.Texts, or a folder of .txt files.
    Of what follows only `epochs`, `lr`, `batch_size`, `seed` and `cbs` hold for them, with defaults of their own.

    `images` is an ImageSet, or a folder of pictures, one sub-folder a class, which is taken with what was decided about
    it (``decisions.jsonl``). Pictures are turned as decided and as their EXIF says, and more than 8 bits are scaled to
    0..255: 16 bits from the smallest of 255, 1023, 4095, 16383 and 65535 that no picture exceeds, floats from 1, 255 or
    65535. What is deployed does the same.

    `arch` is any name of torchvision or timm (``timm:NAME`` where both know it). The model sees squares of `size`
    pixels, cut from the middle of the resized picture: 224 by default; where every picture is smaller, the median of
    their longer sides, rounded up to a multiple of 32; for a network that takes one size only, that size.

    `pretrained` starts from published weights: `freeze_epochs` for the head, then `epochs` (5) for all (`fine_tune`).
    Otherwise `epochs` of `fit_one_cycle`, with BatchNorm momentum raised to at least 0.1. `lr` is the highest learning
    rate: 2e-3 fine-tuning, 5e-3 from scratch. `augment` turns, zooms, warps and lights training pictures a little
    (fastai's `aug_transforms`), and mirrors them too unless `flip` is False: not for digits, text or signs.

    The same `seed` gives the same weights, order and augmentation on the same machine; the random state of the caller
    is left as it was. `workers` are processes that load pictures: 0 for small sets. `cbs` are fastai callbacks for
    this training; they do not stay on the Learner.

    Shows a table that grows in a notebook, fastai's bar in a terminal, a line an epoch in a pipe. Ctrl-C stops it.
    Raises UnknownName for `arch`, WeightsUnavailable, UsageError, DataError, and TrainError for a picture that cannot
    be read, a loss that is no number, or a network that does not take the size.
    """
    if is_labelled(images, label, text):
        of_pictures = {
            "arch": arch != "resnet18",
            "size": size is not None,
            "pretrained": not pretrained,
            "freeze_epochs": freeze_epochs != 1,
            "augment": not augment,
            "flip": not flip,
            "workers": workers is not None,
        }
        own: dict[str, Any] = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "cbs": cbs}
        return train_labelled(images, label=label, text=text, seed=seed, of_pictures=of_pictures, **own)
    assert not isinstance(images, Labelled)
    epochs = 5 if epochs is None else epochs
    batch_size = 64 if batch_size is None else batch_size
    _check(epochs=epochs, size=size, lr=lr, batch_size=batch_size, freeze_epochs=freeze_epochs, workers=workers)
    load_libraries()
    found = find_arch(arch)
    if not isinstance(images, ImageSet):
        images = decided(ImageSet.from_folder(images, seed=seed))
    elif remark := unapplied(images):
        warnings.warn(remark, NbdeployWarning, stacklevel=2)
    _check_split(images)
    size = size or found.side or default_side(images)
    rate = lr or (_FINE_TUNE_RATE if pretrained else _SCRATCH_RATE)

    with hushed():
        from nbdeploy.training.build import make_learner  # noqa: PLC0415
        from nbdeploy.training.callbacks import EpochLines, EpochTable, StopAtNaN  # noqa: PLC0415 - fastai takes seconds
        from nbdeploy.training.opening import bad_picture  # noqa: PLC0415

    frozen = freeze_epochs if pretrained else 0
    with ExitStack() as stack:
        stack.enter_context(_seeded(seed))
        dls = dataloaders(images, found, size=size, batch_size=batch_size, augment=augment, flip=flip, workers=workers)
        learn = make_learner(dls, found, size=size, pretrained=pretrained)
        stop = StopAtNaN()
        watching = [stop, *cbs]
        if is_quiet() or in_notebook() or not _bar_fits():
            stack.enter_context(learn.no_bar())
            stack.enter_context(learn.no_logging())
            if not is_quiet() and in_notebook():
                watching.append(table := EpochTable(epochs, frozen))
                stack.callback(table.close)
            elif not is_quiet():
                watching.append(EpochLines(frozen + epochs))
        try:
            _fit(learn, epochs, frozen, rate, watching, pretrained=pretrained)
        except _LOADING as error:
            if bad := bad_picture(error) or (_while_loading(error) and _looked_for(images, size)):
                raise _unreadable(images, *bad, learn if stop.epochs else None) from error
            raise
    if stop.where:
        raise TrainError(
            f"The loss was no longer a number in {stop.where}: training has diverged.",
            hint=f"Type a lower learning rate, lr={rate / 10:g} instead of {rate:g}.",
        )
    return learn


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


def _fit(learn: Learner, epochs: int, frozen: int, rate: float, cbs: list[Any], *, pretrained: bool) -> None:
    if frozen:
        learn.fine_tune(epochs, rate, freeze_epochs=frozen, cbs=cbs)
    elif pretrained:
        learn.unfreeze()
        learn.fit_one_cycle(epochs, slice(rate / 100, rate), cbs=cbs)  # fine_tune's spread: early layers change least
    else:
        learn.fit_one_cycle(epochs, rate, cbs=cbs)


def _usual_workers(images: ImageSet) -> int:
    pixels = sum(file.size[0] * file.size[1] for file in images.files)
    return 0 if pixels <= _PIXELS_FOR_ONE_PROCESS else min(8, os.cpu_count() or 1)


def _bar_fits() -> bool:
    # fastai's bar is drawn on standard output, so that must be a person's too.
    return sys.stdout.isatty() and sys.stderr.isatty()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random numbers from `seed` inside the block; the caller's own go on afterwards as if nothing had been drawn."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from fastai.torch_core import set_seed  # noqa: PLC0415

    plain, numeric = random.getstate(), np.random.get_state()  # noqa: NPY002 - fastai draws from the global one
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            set_seed(seed)
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(numeric)  # noqa: NPY002


def _check(*, size: int | None, lr: float | None, workers: int | None, **counts: int) -> None:
    least = {"epochs": 1, "batch_size": 2, "freeze_epochs": 0}  # BatchNorm needs two pictures
    for name, value in {**counts, "size": size, "workers": workers}.items():
        floor = {**least, "size": 1, "workers": 0}[name]
        if value is not None and value < floor:
            raise UsageError(f"{name} is {value}.", hint=f"It must be at least {floor}.")
    if lr is not None and not 0 < lr < float("inf"):
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


def _unreadable(images: ImageSet, path: str, why: str, learn: Learner | None) -> TrainError:
    source = Path(images.source)
    hint = clean_hint(source if source.is_dir() else Path(path).parent)
    if learn is not None:
        hint += " What was learned until then is kept in this error's `learn` (sys.last_value.learn)."
    return TrainError(f"{shown(path)} cannot be read as a picture ({why}).", hint=hint, learn=learn)


def _while_loading(error: Exception) -> bool:
    """Whether it comes from where fastai makes an item, also in a worker process, whose traceback is in the text."""
    item = "do_item"
    return item in str(error) or any(frame.f_code.co_name == item for frame, _ in walk_tb(error.__traceback__))


def _looked_for(images: ImageSet, size: int) -> tuple[str, str] | None:
    """The first picture that cannot be opened and cut to `size`, and why: some errors do not say which it was."""
    host = {"exif": True, "steps": [asdict(Step(op="crop_resize", width=size, height=size))]}
    for file in track(images.files, "looking for the picture that failed"):
        try:
            preprocess(file.path, host, channels=3)
        except _LOADING as error:
            return str(file.path), f"{type(error).__name__}: {error}"
    return None
