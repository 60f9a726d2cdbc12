"""Tiny pictures, a tiny network, and a place of its own for studies."""

from __future__ import annotations

import pytest

TINY = {
    "arch": "test_resnet.r160_in1k",
    "size": 32,
    "pretrained": False,
    "batch_size": 8,
    "lr": (1e-3, 3e-2),
    "epochs": [1, 2],
    "augment": False,
}


@pytest.fixture
def tiny():
    """What to tune in tests: a fifth of a second a trial."""
    return dict(TINY)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Where studies are kept during the test."""
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    """An ImageSet of two classes told apart by brightness, 20 pictures of 32 x 24 pixels each."""
    import numpy as np
    from PIL import Image

    from nbdeploy.data.imageset import ImageSet

    root = tmp_path_factory.mktemp("tuned") / "pictures"
    draw = np.random.default_rng(0)
    for label, level in (("dark", 100), ("light", 150)):
        (root / label).mkdir(parents=True)
        for number in range(20):
            pixels = draw.normal(level, 40, (24, 32, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(root / label / f"{number:02d}.png")
    return ImageSet.from_folder(root, valid=0.25)
