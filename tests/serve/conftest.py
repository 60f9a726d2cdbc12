"""One tiny cloud bundle, and one server of it a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.made import Served, served, write_bundle


@pytest.fixture(scope="session")
def cloud_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed by a test."""
    return write_bundle(tmp_path_factory.mktemp("cloud") / "bundle")


@pytest.fixture(scope="module")
def server(cloud_bundle: Path) -> Iterator[Served]:
    """On this machine only, so no token is asked."""
    with served(cloud_bundle) as running:
        yield running
