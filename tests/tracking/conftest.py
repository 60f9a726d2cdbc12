"""What the tests of runs share: runs of their own, and a folder of their own to work in."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the test works in; no run is known yet."""
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("NBDEPLOY_RUNS", raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
