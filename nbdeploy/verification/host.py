"""Run a bundle's own host code in a fresh process, as a user of the bundle would."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nbdeploy.core import working
from nbdeploy.core.bundle import Bundle
from nbdeploy.errors import BundleError
from nbdeploy.verification.emulator import Arm, environment


def ask(bundle: Bundle, files: Sequence[str | Path], *, threads: int = 0, on: Arm | None = None) -> np.ndarray:
    """float32 ``[files, classes]`` from ``app/python/predict.py``; a row of NaN where it had no answer.

    `on` runs it on another processor than this machine's.
    Raises BundleError when the host code does not run or its labels are not the manifest's.
    """
    rows = _rows(bundle, [str(Path(file).absolute()) for file in files], threads, on)
    answers = np.full((len(files), len(bundle.labels)), np.nan, dtype=np.float32)
    for index, row in enumerate(rows):
        if "error" not in row:
            if tuple(row["probabilities"]) != bundle.labels:
                raise BundleError(
                    f"The host code of {bundle.path} gives other labels than its manifest.", hint="Make it again."
                )
            answers[index] = list(row["probabilities"].values())
    return answers


def inference_times(bundle: Bundle, files: Sequence[str | Path], *, on: Arm) -> list[float]:
    """Milliseconds of the model alone for each of `files`, one thread, on that processor. Raises BundleError."""
    rows = _rows(bundle, [str(Path(file).absolute()) for file in files], 1, on)
    return [float(row["inference_ms"]) for row in rows if "error" not in row]


def _rows(bundle: Bundle, files: list[str], threads: int, on: Arm | None) -> list[dict[str, Any]]:
    if any("\n" in file or "\r" in file for file in files):
        raise BundleError("A held-out file has a line break in its name.", hint="Rename the file.")
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "files.txt"
        listing.write_bytes("\n".join(files).encode("utf-8", "surrogateescape"))
        command = [
            # -s: no packages from the user's home, and (by the environment) nothing from PYTHONPATH
            *(on.python if on else (sys.executable, "-s")),
            str(bundle.path / "app" / "python" / "predict.py"),
            "--json",
            f"--files-from={listing}",
            f"--threads={threads}",
        ]
        done = working.run(command, env=environment(on.path if on else ""), cwd=folder)  # host code of our own
    try:
        rows: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise BundleError(
            f"The bundle's own host code failed: {last[0][:300]}",
            hint=f"Try it: python {bundle.path}/app/python/predict.py FILE",
        ) from error
    return rows
