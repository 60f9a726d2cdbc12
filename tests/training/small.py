"""A data set that a micro network learns in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nbdeploy.training.images import train

MICRO = {"arch": "test_resnet.r160_in1k", "pretrained": False, "batch_size": 8, "workers": 0}


def write_two(root: Path, dark: int = 12, light: int = 12) -> Path:
    """Two classes told apart by brightness, pictures of 32 x 24 pixels."""
    draw = np.random.default_rng(0)
    for label, level, count in (("dark", 60, dark), ("light", 190, light)):
        (root / label).mkdir(parents=True)
        for number in range(count):
            pixels = draw.normal(level, 20, (24, 32, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(root / label / f"{number:02d}.png")
    return root


def train_micro(images: Any, **options: Any) -> Any:
    """A Learner of the micro network."""
    return train(images, **{**MICRO, "epochs": 1, **options})
