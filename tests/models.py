"""Tiny pictures and tiny Learners, so that real converters run in seconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLOURS = {"red apple": (200, 40, 40), "grün 🍏": (40, 190, 60), "blue": (40, 60, 200)}


def write_pictures(folder: Path, *, each: int = 14, seed: int = 0) -> Path:
    """Noisy pictures of three colours in three class folders, of many sizes, JPEG and PNG, some turned by EXIF."""
    numbers = np.random.default_rng(seed)
    turns = random.Random(seed)
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for index in range(each):
            width, height = (int(n) for n in numbers.integers(40, 90, 2))
            noise = numbers.normal(0, 60, (height // 6 + 1, width // 6 + 1, 3))
            small = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            picture = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
            if index % 3:
                exif = picture.getexif()
                exif[0x0112] = turns.choice([1, 3, 6])
                picture.save(folder / label / f"{index}.jpg", quality=92, exif=exif)
            else:
                picture.save(folder / label / f"{index}.png")
    return folder


def loaders(folder: Path, **settings: Any) -> Any:
    """fastai DataLoaders as a user makes them."""
    from fastai.vision.all import ImageDataLoaders, Resize

    settings = {"item_tfms": Resize(32), "valid_pct": 0.4, "seed": 3, "bs": 8, "num_workers": 0, **settings}
    return ImageDataLoaders.from_folder(folder, **settings)


def conv_model(classes: int, channels: int = 3) -> Any:
    """A small convolutional net with fastai's own concatenating pool, which converters lack."""
    from fastai.layers import AdaptiveConcatPool2d, Flatten
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        AdaptiveConcatPool2d(),
        Flatten(),
        nn.Linear(32, classes),
    )


def patch_model(classes: int) -> Any:
    """The mean of sixteen patches and one linear layer: what the third-party target of the tests can lower."""
    from torch import nn

    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, classes))


def learner(dls: Any, model: Any = None, *, epochs: int = 0, lr: float = 0.02) -> Any:
    """A plain Learner, trained a little where `epochs` says so."""
    from fastai.vision.all import CrossEntropyLossFlat, Learner, accuracy, set_seed

    set_seed(0)
    model = model or conv_model(dls.c)
    learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(), metrics=accuracy)
    if epochs:
        with learn.no_bar(), learn.no_logging():
            learn.fit(epochs, lr)
    return learn
