"""Small folders of real, readable and broken pictures."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nbdeploy.core.progress import quiet

Make = Callable[..., Path]


def _write(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.frombytes("RGB", (12, 10), random.Random(seed).randbytes(360)).save(path)
    return path


@pytest.fixture(autouse=True)
def _no_progress():
    with quiet():
        yield


@pytest.fixture
def picture() -> Make:
    """picture(path, seed) writes a picture of noise, 12 x 10; every seed gives another content."""
    return _write


@pytest.fixture
def make_folder(tmp_path: Path) -> Make:
    """make_folder({"cat": 5, "dog": 5}) writes that many different PNG files a class."""

    def make(classes: dict[str, int], root: Path | None = None) -> Path:
        root = root or tmp_path / "pictures"
        for place, (label, files) in enumerate(classes.items()):
            (root / label).mkdir(parents=True, exist_ok=True)
            for number in range(files):
                _write(root / label / f"{number:03d}.png", seed=place * 1000 + number)
        return root

    return make
