"""Environments of their own for what stands beside nbdeploy in a benchmark, kept in nbdeploy's cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from nbdeploy.core.files import cache_dir

_TOOLS = ("pip", "pip-", "setuptools", "_distutils_hack", "distutils-precedence", "__pycache__")


def place(name: str) -> Path:
    """Where the environment `name` lies or will lie."""
    return cache_dir() / "bench" / name


def there(name: str) -> bool:
    """Whether it is whole."""
    return (place(name) / ".installed").is_file()


def python(name: str, *requirements: str) -> Path:
    """The interpreter of the environment `name`, which is made when it is first needed. Raises RuntimeError."""
    found = place(name) / "bin" / "python"
    if not there(name):
        print(f"installing {' '.join(requirements)} into {place(name)}", file=sys.stderr)
        try:
            for command in (
                [sys.executable, "-m", "venv", "--clear", place(name)],
                [found, "-m", "pip", "install", "--quiet", *requirements],
            ):
                subprocess.run(command, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(place(name), ignore_errors=True)
            raise RuntimeError((error.stderr.strip().splitlines() or [str(error)])[-1]) from error
        (place(name) / ".installed").touch()
    return found


def weight(name: str) -> tuple[float, int]:
    """MB of what was installed, bytecode left out, and how many packages; pip itself is not counted."""
    (packages,) = (place(name) / "lib").glob("python*/site-packages")
    ours = [entry for entry in packages.iterdir() if not entry.name.startswith(_TOOLS)]
    files = {
        file
        for entry in ours
        for file in ([entry] if entry.is_file() else entry.rglob("*"))
        if file.is_file() and file.suffix != ".pyc"
    }
    return sum(file.stat().st_size for file in files) / 1e6, sum(entry.name.endswith(".dist-info") for entry in ours)
