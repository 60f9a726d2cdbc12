"""ImageSet -> trained fastai Learner, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Literal

from nbdeploy.core.hush import hushed
from nbdeploy.core.progress import track
from nbdeploy.core.signature import Step
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.labelled import Labelled
from nbdeploy.data.reading import is_labelled
from nbdeploy.data.records import clean_hint, shown
from nbdeploy.errors import TrainError
from nbdeploy.templates.python.predict import preprocess
from nbdeploy.tracking.recording import current
from nbdeploy.training.arch import arch_names
from nbdeploy.training.classes import Weights
from nbdeploy.training.course import check_keep, phases_of
from nbdeploy.training.labelled import train_labelled
from nbdeploy.training.rates import RateCurve, find_rate, show_rate
from nbdeploy.training.recorded import outcome, recorded, series
from nbdeploy.training.seeds import seeded
from nbdeploy.training.setup import default_side, prepared

if TYPE_CHECKING:
    from fastai.learner import Learner

__all__ = ["arch_names", "default_side", "find_lr", "train"]

_LOADING = (OSError, SyntaxError, ValueError, EOFError)
"""What Pillow raises for pictures that it cannot read."""


@recorded
def train(
    images: ImageSet | Labelled | str | Path,
    *,
    label: str | None = None,
    text: str | None = None,
    arch: str = "resnet18",
    epochs: int | None = None,
    size: int | None = None,
    lr: float | Literal["find"] | None = None,
    batch_size: int | None = None,
    pretrained: bool = True,
    freeze_epochs: int = 1,
    augment: bool = True,
    flip: bool = True,
    class_weights: Weights = False,
    metrics: Iterable[Any] = (),
    keep: str = "last",
    resume: bool = False,
    precision: str = "auto",
    seed: int = 42,
    workers: int | None = None,
    cbs: Iterable[Any] = (),
    log: Any = None,
) -> Learner:
    """Train a classifier; gives a plain fastai Learner whose `dls.vocab` is ``images.labels``.

    Rows of a table are learned from where `label` names its column of classes (``nd.train("penguins.csv",
    label="species")``), texts where `text` names theirs too; or give an nd.Table, nd.Texts, or a folder of .txt files.
    Of what follows only `epochs`, `lr`, `batch_size`, `keep`, `seed`, `cbs` and `log` hold for them, with defaults of
    their own.

    `images` is an ImageSet, or a folder of pictures, one sub-folder a class, which is taken with what was decided about
    it (``decisions.jsonl``). Pictures are turned as decided and as their EXIF says, and more than 8 bits are scaled to
    0..255: 16 bits from the smallest of 255, 1023, 4095, 16383 and 65535 that no picture exceeds, floats from 1, 255 or
    65535. What is deployed does the same.

    `arch` is any name of torchvision or timm (``timm:NAME`` where both know it). The model sees squares of `size`
    pixels, cut from the middle of the resized picture: 224 by default; where every picture is smaller, the median of
    their longer sides, rounded up to a multiple of 32; for a network that takes one size only, that size.

    `pretrained` starts from published weights: `freeze_epochs` for the head, then `epochs` (5) for all (`fine_tune`).
    Otherwise `epochs` of `fit_one_cycle`, with BatchNorm momentum raised to at least 0.1. `lr` is the highest learning
    rate: 2e-3 fine-tuning, 5e-3 from scratch; "find" looks for one first (see `find_lr`). `augment` turns, zooms, warps
    and lights training pictures a little (fastai's `aug_transforms`), and mirrors them too unless `flip` is False: not
    for digits, text or signs. `class_weights` True weighs each class in the loss, training and held out, by n / (k n_c)
    (n training files, k classes, n_c of the class); a mapping of label to weight is taken as it is. `metrics` are
    fastai's, beside accuracy.

    `keep` "last" gives the weights of the last epoch, "best" those of the lowest held-out loss, "accuracy" those of the
    highest held-out accuracy. The last is the default since a choice by the held-out files flatters what is measured
    on them. Stopped by the button in the notebook, the kernel's interrupt or Ctrl-C, training ends at the next batch
    and gives the best epoch's weights; before the first epoch is complete there is nothing to give, and it raises. A
    second interrupt ends it at once.

    Each epoch is saved in the cache, with the state of optimizer and random numbers, until training is finished. After
    a kill, the same call on the same data with `resume` goes on after the last whole epoch, as if it had not been
    interrupted (callbacks of your own begin anew). `precision` "fp16" or "bf16" is mixed precision, "auto" takes it
    where an NVIDIA GPU has it; weights stay float32. Started by ``accelerate launch``, all GPUs train together (extra
    `accelerate`), without saving epochs.

    The same `seed` gives the same weights, order and augmentation on the same machine; the random state of the caller
    is left as it was. `workers` are processes that load pictures: 0 for small sets. `cbs` are fastai callbacks for
    this training; they do not stay on the Learner. `log` sends figures to "mlflow" or "tensorboard", which are extras;
    a logger of ``nbdeploy.training.loggers`` says where to.

    Shows curves and a table that grow in a notebook, fastai's bar in a terminal, a line an epoch in a pipe.
    ``learn.history`` holds ``epochs`` (figures of each), ``kept`` and ``stopped`` (epochs, from 1), ``resumed`` and
    ``lr``. Raises UnknownName for `arch`, WeightsUnavailable, UsageError, DataError, and TrainError for a picture that
    cannot be read, a loss that is no number (its `learn` holds what was learned until then), or a network that does
    not take the size.
    """
    check_keep(keep)
    if is_labelled(images, label, text):
        of_pictures = {
            "arch": arch != "resnet18",
            "size": size is not None,
            "lr": lr == "find",
            "pretrained": not pretrained,
            "freeze_epochs": freeze_epochs != 1,
            "augment": not augment,
            "flip": not flip,
            "class_weights": bool(class_weights),
            "metrics": bool(list(metrics)),
            "resume": resume,
            "precision": precision != "auto",
            "workers": workers is not None,
        }
        own: dict[str, Any] = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "keep": keep}
        own["cbs"] = [*series(log), *cbs]
        return train_labelled(images, label=label, text=text, seed=seed, of_pictures=of_pictures, **own)
    assert not isinstance(images, Labelled)
    epochs = 5 if epochs is None else epochs
    setup = prepared(
        images,
        arch=arch,
        epochs=epochs,
        size=size,
        lr=lr,
        batch_size=64 if batch_size is None else batch_size,
        pretrained=pretrained,
        freeze_epochs=freeze_epochs,
        augment=augment,
        flip=flip,
        class_weights=class_weights,
        seed=seed,
        workers=workers,
    )
    with hushed():
        from nbdeploy.training.checkpoints import Checkpoints, saving  # noqa: PLC0415 - fastai takes seconds
        from nbdeploy.training.course import Course  # noqa: PLC0415
        from nbdeploy.training.opening import bad_picture  # noqa: PLC0415
        from nbdeploy.training.precision import chosen  # noqa: PLC0415
        from nbdeploy.training.running import Run, processes  # noqa: PLC0415

    precision = chosen(precision)
    rate = show_rate(find_rate(setup)).suggestion if lr == "find" else lr or setup.usual_rate
    if not isinstance(images, ImageSet):
        current().data(setup.images)
    current().params({"size": setup.size, "lr": rate})
    with seeded(seed):
        learn = setup.learner(metrics)
        names = tuple(metric.name for metric in learn.metrics)
        course = Course(phases_of(epochs, setup.frozen, rate, pretrained=pretrained), keep, names)
        place = None
        if processes() == 1 and saving():
            place = Checkpoints({**setup.to_dict(), "epochs": epochs, "lr": lr, "keep": keep, "precision": precision})
        try:
            Run(learn, course, rate=rate, precision=precision, checkpoints=place).go(
                [*series(log), *cbs], resume=resume
            )
        except _LOADING as error:
            if bad := bad_picture(error) or (_while_loading(error) and _looked_for(setup.images, setup.size)):
                raise _unreadable(setup.images, *bad, learn if course.done else None) from error
            raise
    outcome(learn)
    return learn


def find_lr(
    images: ImageSet | str | Path,
    *,
    arch: str = "resnet18",
    size: int | None = None,
    batch_size: int = 64,
    pretrained: bool = True,
    freeze_epochs: int = 1,
    augment: bool = True,
    flip: bool = True,
    class_weights: Weights = False,
    seed: int = 42,
    workers: int | None = None,
) -> RateCurve:
    """Look for a learning rate for `train` with the same arguments; it is in ``.suggestion``. Nothing is trained.

    A hundred batches with a rate that grows from 1e-7 to 10, on a network that is thrown away (fastai's `lr_find`); the
    suggestion is a point about halfway down the longest fall of the loss (`valley`). Shown in a notebook it is a curve.
    The same `seed` gives the same curve. Raises what `train` does.
    """
    return find_rate(
        prepared(
            images,
            arch=arch,
            epochs=1,
            size=size,
            lr=None,
            batch_size=batch_size,
            pretrained=pretrained,
            freeze_epochs=freeze_epochs,
            augment=augment,
            flip=flip,
            class_weights=class_weights,
            seed=seed,
            workers=workers,
        )
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
