"""`make` installs once, goes on after a kill, and leaves alone what a person made. pip itself is played by a script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")

PLAYED = """#!/bin/bash
# Answers as a Python would: runs -c code, makes a .venv that holds a copy of itself, and notes each install.
case "$*" in
    -c*) exec "{python}" "$@" ;;
    --version) echo Python 3.12.0 ;;
    *"-m venv"*) case "$*" in *--clear*) echo cleared >>log; rm -rf .venv ;; esac
        mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo made >>log ;;
    *" -e "*) echo installed >>log; [ ! -e refuse ] ;;
esac
"""


class Place:
    """A folder with the Makefile of the project and a played Python."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        shutil.copy(root / "Makefile", folder)
        for name in ("pyproject.toml", "constraints.txt"):
            (folder / name).touch()
        self.python = folder / "python"
        self.python.write_text(PLAYED.format(python=sys.executable), encoding="utf-8")
        self.python.chmod(0o755)

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
        line = ["make", f"PYTHON={self.python}", *(words or (".venv/.installed",))]
        return subprocess.run(line, cwd=self.folder, env=env, capture_output=True, text=True, check=False)

    def log(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text(encoding="utf-8").split() if log.exists() else []


@pytest.fixture
def place(tmp_path: Path, root: Path) -> Place:
    return Place(tmp_path, root)


def test_the_second_run_installs_nothing(place: Place) -> None:
    assert [0, 0] == [place.make().returncode, place.make().returncode]
    assert ["made", "installed"] == place.log()


def test_a_changed_pin_is_installed_into_the_same_environment(place: Place) -> None:
    place.make()
    stamp = (place.folder / ".venv" / ".installed").stat().st_mtime
    os.utime(place.folder / "constraints.txt", (stamp + 5, stamp + 5))
    assert 0 == place.make().returncode
    assert ["made", "installed", "installed"] == place.log()


def test_an_install_that_broke_off_does_not_count_and_is_begun_afresh(place: Place) -> None:
    (place.folder / "refuse").touch()
    assert 0 != place.make().returncode
    (place.folder / "refuse").unlink()
    assert 0 == place.make().returncode
    assert ["made", "installed", "cleared", "made", "installed"] == place.log()


def test_an_environment_that_a_person_made_is_added_to_and_not_emptied(place: Place) -> None:
    (place.folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(place.python, place.folder / ".venv" / "bin" / "python")
    assert 0 == place.make().returncode
    assert ["installed"] == place.log()


def test_a_python_out_of_range_is_refused_with_what_to_type(place: Place) -> None:
    done = place.make("PYTHON=false", "demo")
    assert 0 != done.returncode
    assert "nbdeploy needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert "make demo PYTHON=" in done.stderr
    assert [] == place.log()


def test_clean_leaves_bundles_where_they_are(place: Place) -> None:
    place.make()
    bundle = place.folder / "build" / "digits-tflite" / "manifest.json"
    bundle.parent.mkdir(parents=True)
    bundle.touch()
    assert 0 == place.make("clean").returncode
    assert bundle.exists()
    assert not (place.folder / ".venv").exists()
