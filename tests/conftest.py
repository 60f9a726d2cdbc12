"""What every test has: the root of the repository, and the same random numbers each time."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _fresh_seeds() -> None:
    # Only what is loaded already: a quick test does not pay for torch.
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
