"""Held-out pictures as the network saw them, and where in them an answer came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fastai.torch_core import to_device
from PIL import Image
from torch import Tensor, nn

from nbdeploy.core.look import Html, picture_of, tag
from nbdeploy.errors import DataError, UsageError
from nbdeploy.training.explaining import Explanation
from nbdeploy.training.explaining.gradcam import NO_MAP, grad_cam
from nbdeploy.training.kinds import reads_with_spacy
from nbdeploy.training.opening import NoLabel
from nbdeploy.training.seeds import seeded

if TYPE_CHECKING:
    from fastai.data.core import TfmdDL

_BATCH = 8
_STRENGTH = 0.75
"""Of the heat over the picture, at its hottest."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A held-out picture, in the page itself."""

    name: str
    picture: str = field(repr=False)
    """HTML."""
    heat: str = field(repr=False)
    """HTML of the same picture with the places that the answer came from; empty where there is no Grad-CAM."""

    def to_dict(self) -> dict[str, Any]:
        """Nothing beside its name."""
        return {}

    def html(self) -> Html:
        """Both beside one another."""
        return tag("div", "nbd-pair", Html(self.picture), Html(self.heat))

    def told(self) -> str:
        """Nothing: it is seen."""
        return ""


class PictureExplainer:
    """By Grad-CAM, where the network has a map of features."""

    noun = "picture"

    def __init__(self, learn: Any) -> None:
        self.learn = learn

    def labels(self) -> Sequence[str] | None:
        """See `Explainer`."""
        dls = self.learn.dls
        lists: list[Any] = list(getattr(getattr(dls, "valid_ds", None), "tls", None) or ())
        if len(lists) != 2 or reads_with_spacy(dls):  # noqa: PLR2004 - picture, label
            return None
        if any(isinstance(tfm, NoLabel) for tfm in lists[1].tfms.fs):
            raise DataError(
                "The pictures of this Learner have no labels that it knows, so what it gets right is not known.",
                hint="Give pictures in folders named as its labels: nd.pretrained(..., images=FOLDER).",
            )
        return getattr(dls, "vocab", None)

    def explain(self, which: Sequence[int], classes: Sequence[int]) -> Explanation:
        """See `Explainer`."""
        dl, found = self.learn.dls.valid, []
        fields: tuple[int, int] | None = None
        for start in range(0, len(which), _BATCH):
            part = list(which[start : start + _BATCH])
            with seeded(0):  # transforms that held-out pictures are spared draw all the same
                items = [dl.do_item(n) for n in part]
                batch = _batch(dl, items)
            heat = grad_cam(_plain(self.learn.model), batch, classes[start : start + _BATCH])
            fields = heat.fields if heat else None
            for place, (n, item) in enumerate(zip(part, items, strict=True)):
                seen = _opened(item[0])
                hot = picture_of(_over(seen, heat.maps[place]), "where the answer came from") if heat else ""
                name = _name(self.learn.dls.valid_ds, n)
                found.append(Picture(name, picture_of(seen, Path(name).name), hot))
        return Explanation(tuple(found), _note(fields) if found else "")


def _note(fields: tuple[int, int] | None) -> str:
    if fields is None:
        return NO_MAP
    size = f"{fields[0]} x {fields[1]}"
    return f"Left as the network saw it, right where its answer came from (Grad-CAM, a map of {size} fields)."


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
