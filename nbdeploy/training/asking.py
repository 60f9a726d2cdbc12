"""Ask a Learner about its own held-out pictures, and leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fastai.learner import Learner
from fastai.torch_core import to_device
from PIL import Image
from torch import Tensor, nn

from nbdeploy.core.look import picture_of
from nbdeploy.errors import DataError, UsageError
from nbdeploy.training.gradcam import grad_cam
from nbdeploy.training.opening import NoLabel
from nbdeploy.training.seeds import seeded

if TYPE_CHECKING:
    from fastai.data.core import TfmdDL

_ONE = 1e-3
"""Rows of probabilities add up to 1 within this; other rows are scores yet."""
_BATCH = 8
_STRENGTH = 0.75
"""Of the heat over the picture, at its hottest."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A held-out picture as the network saw it, in the page itself."""

    file: str
    picture: str
    heat: str


def labels_of(learn: Any) -> tuple[str, ...]:
    """The classes in output order. Raises UsageError, or DataError where the held-out pictures have no labels."""
    if not isinstance(learn, Learner):
        raise UsageError(
            f"{type(learn).__name__} is not a fastai Learner.",
            hint="Pass what nd.train(...) or vision_learner(...) gave.",
        )
    lists: list[Any] = list(getattr(getattr(learn.dls, "valid_ds", None), "tls", None) or ())
    if len(lists) != 2 or getattr(learn.dls, "vocab", None) is None:  # noqa: PLR2004 - picture, label
        raise UsageError(
            "This Learner is no classifier of pictures with one label each.",
            hint="learn_report takes what nd.train(...) or vision_learner(...) with one label a picture gave.",
        )
    if any(isinstance(tfm, NoLabel) for tfm in lists[1].tfms.fs):
        raise DataError(
            "The pictures of this Learner have no labels that it knows, so what it gets right is not known.",
            hint="Give pictures in folders named as its labels: nd.pretrained(..., images=FOLDER).",
        )
    return tuple(map(str, learn.dls.vocab))


def answers(learn: Learner, *, tta: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [pictures, classes] and the indices of the true labels, of all that is held out."""
    with seeded(0), _as_it_was(learn):
        outputs, truth = learn.tta(ds_idx=1, n=tta) if tta else learn.get_preds(ds_idx=1)
    rows = outputs.detach().as_subclass(Tensor).float().cpu()
    if len(rows) and (rows.min() < 0 or (rows.sum(1) - 1).abs().max() > _ONE):
        rows = rows.softmax(1)
    return rows.numpy(), np.asarray(truth.cpu(), dtype=int).reshape(-1)


def pictures(
    learn: Learner, which: Sequence[int], classes: Sequence[int]
) -> tuple[list[Shown], tuple[int, int] | None]:
    """The held-out pictures of these indices, with the heat of the class of each; and how fine its map is."""
    with seeded(0):  # transforms that held-out pictures are spared draw all the same
        return _pictures(learn, which, classes)


def _pictures(
    learn: Learner, which: Sequence[int], classes: Sequence[int]
) -> tuple[list[Shown], tuple[int, int] | None]:
    dl, found = learn.dls.valid, []
    fields: tuple[int, int] | None = None
    for start in range(0, len(which), _BATCH):
        part = list(which[start : start + _BATCH])
        items = [dl.do_item(n) for n in part]
        batch = _batch(dl, items)
        heat = grad_cam(_plain(learn.model), batch, classes[start : start + _BATCH])
        fields = heat.fields if heat else None
        for place, (n, item) in enumerate(zip(part, items, strict=True)):
            seen = _opened(item[0])
            hot = picture_of(_over(seen, heat.maps[place]), "where the answer came from") if heat else ""
            name = _name(learn.dls.valid_ds, n)
            found.append(Shown(name, picture_of(seen, Path(name).name), hot))
    return found, fields


def _batch(dl: TfmdDL, items: list[Any]) -> Tensor:
    dl.before_iter()
    batch = dl.create_batch(dl.before_batch(items))
    first: Tensor = dl.after_batch(to_device(batch, dl.device))[0]
    return first.as_subclass(Tensor)


def _opened(item: Tensor) -> Image.Image:
    """A picture after the item transforms: uint8 [channels, height, width]."""
    pixels = item.detach().cpu().numpy()
    if pixels.dtype != np.uint8:
        pixels = (255 * (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1e-9)).astype(np.uint8)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).convert("RGB")


def _over(picture: Image.Image, heat: np.ndarray) -> Image.Image:
    from matplotlib import colormaps  # noqa: PLC0415 - slow to import

    small = Image.fromarray((255 * heat).astype(np.uint8)).resize(picture.size, Image.Resampling.BILINEAR)
    hot = Image.fromarray((255 * colormaps["inferno"](np.asarray(small) / 255.0)[..., :3]).astype(np.uint8))
    mask = small.point(lambda value: round(_STRENGTH * value))
    return Image.composite(hot, picture.convert("L").convert("RGB"), mask)


def _name(dataset: Any, n: int) -> str:
    items = dataset.items
    item = items.iloc[n] if hasattr(items, "iloc") else items[n]
    if isinstance(item, str | Path):
        return str(item)
    return next(
        (str(value) for value in getattr(item, "array", ()) if isinstance(value, str | Path)), f"picture {n + 1}"
    )


def _plain(model: Any) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise UsageError("This Learner has no torch model.", hint="Pass a Learner with learn.model set.")
    return model


@contextmanager
def _as_it_was(learn: Learner) -> Iterator[None]:
    rows = list(getattr(learn.recorder, "values", ())) if hasattr(learn, "recorder") else None
    was_training = learn.model.training
    try:
        with learn.no_bar(), learn.no_logging():
            yield
    finally:
        learn.model.train(was_training)
        if rows is not None and hasattr(learn.recorder, "values"):
            learn.recorder.values[:] = rows  # asking counts as a validation in fastai's table
