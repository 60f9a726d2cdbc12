"""The Learner around a ready model: DataLoaders that prepare a picture as its weights expect."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.transforms import Categorize, ColReader, ColSplitter, IntToFloatTensor, Normalize
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from fastai.vision.augment import CropPad, Resize
from pandas import DataFrame
from PIL import Image

from nbdeploy.core.files import cache_dir
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.listing import EXTENSIONS
from nbdeploy.errors import DataError
from nbdeploy.training.opening import NoLabel, opener

if TYPE_CHECKING:
    from nbdeploy.training.prebuilt import Card

_CALIBRATION = 0.2
"""Share of a folder's pictures that are only calibrated with."""
_MADE_UP = 32
_BATCH = 16
Row = tuple[str, str | None, bool]
"""Path, label, whether it is held out."""


def learner(
    model: Any, name: str, card: Card, labels: Sequence[str], images: ImageSet | str | Path | None, *, seed: int
) -> Learner:
    """A plain Learner of `model`; its pictures have labels only where all of them are among `labels`."""
    rows = _made_up(card.side) if images is None else _rows(images, set(labels), seed)
    known = all(label in set(labels) for _, label, _ in rows)
    opening = opener(images.files if isinstance(images, ImageSet) else ())
    truth = (
        CategoryBlock(vocab=list(labels), sort=False)
        if known
        else TransformBlock(type_tfms=[NoLabel(labels[0]), Categorize(vocab=list(labels), sort=False)])
    )
    block = DataBlock(
        blocks=(TransformBlock(type_tfms=opening, batch_tfms=IntToFloatTensor), truth),
        get_x=ColReader("path"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        item_tfms=_item_transforms(card),
        batch_tfms=[Normalize.from_stats(*card.stats)],
    )
    table = DataFrame(rows, columns=["path", "label", "is_valid"])
    table["label"] = table["label"].fillna("")
    dls = block.dataloaders(table, bs=min(_BATCH, len(rows)), num_workers=0)
    learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(), metrics=[accuracy] if known else [])
    learn.arch = name
    learn.model.eval()
    return learn


def _item_transforms(card: Card) -> list[Any]:
    # Cutting the middle square out and resizing it, then cutting its middle, is resizing the shorter side and cutting.
    how = Image.Resampling.BICUBIC if card.bicubic else Image.Resampling.BILINEAR
    resize = Resize(card.resize, method=card.method, pad_mode="zeros", resamples=(how, Image.Resampling.NEAREST))
    if card.resize == card.side:
        return [resize]
    middle = CropPad(card.side, pad_mode="zeros")
    middle.order = resize.order + 1  # by itself it comes before the resize
    return [resize, middle]


def _rows(images: ImageSet | str | Path, labels: set[str], seed: int) -> list[Row]:
    if isinstance(images, ImageSet):
        rows: list[Row] = [(str(file.path), file.label, file.split == "valid") for file in images.files]
    else:
        rows = _of_folder(Path(images), labels, seed)
    if len(rows) < 2 or len({held for *_, held in rows}) < 2:  # noqa: PLR2004 - one to hold out, one to calibrate with
        raise DataError(
            f"{images if not isinstance(images, ImageSet) else 'The ImageSet'} holds fewer than two pictures.",
            hint="Some are compared on and others calibrated with: give two at least, better fifty.",
        )
    return rows


def _of_folder(folder: Path, labels: set[str], seed: int) -> list[Row]:
    """Every picture below a folder. It has a label where the first folder on the way to it is named as one."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", hint="images is an ImageSet, or a folder of pictures.")
    files = sorted(file for file in folder.rglob("*") if _is_picture(file, folder))
    first = [file.relative_to(folder).parts[0] for file in files]
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    chosen = set(draw.sample(range(len(files)), max(1, round(_CALIBRATION * len(files)))) if files else ())
    return [
        (str(file.absolute()), name if name in labels else None, n not in chosen)
        for n, (file, name) in enumerate(zip(files, first, strict=True))
    ]


def _is_picture(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.suffix.lower() in EXTENSIONS and file.is_file()


def _made_up(side: int) -> list[Row]:
    """Pictures that show nothing: blots of colour, fine and coarse, the same on every machine."""
    folder = cache_dir() / "made-up" / str(side)
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    rows: list[Row] = []
    for number in range(_MADE_UP):
        coarse = draw.integers(0, 256, (int(draw.integers(3, 24)), int(draw.integers(3, 24)), 3), dtype=np.uint8)
        size = (int(side * draw.uniform(1.0, 1.6)), int(side * draw.uniform(1.0, 1.6)))
        path = folder / f"made-up-{number:02d}.png"
        if not path.is_file():
            work = path.with_suffix(".part")
            Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(work, "PNG")
            work.replace(path)
        rows.append((str(path.absolute()), None, number % 4 > 0))
    return rows
