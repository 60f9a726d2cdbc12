"""A bundle on an ARM64 processor, as phones have: its own host code there, held to the original."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nbdeploy import registry
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.progress import track
from nbdeploy.core.recipe import recipe_named
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import BundleError
from nbdeploy.targets.package import load_expected, load_original
from nbdeploy.verification.compare import compare
from nbdeploy.verification.emulator import ARCH, PROCESSOR, Arm, arm
from nbdeploy.verification.host import ask
from nbdeploy.verification.standing import foreign_code

_FIRST = 4
_A_BATCH_S = 30.0  # of work for one process; starting one takes seconds, and a person wants to see how far it is


@dataclass(frozen=True, slots=True)
class Asked:
    """Files, the original model's answers to them and this machine's, both float32 ``[files, classes]``."""

    files: Sequence[str | Path]
    truth: Sequence[str | None]
    original: np.ndarray
    here: np.ndarray


def arm_check(bundle: Bundle, asked: Asked | None = None) -> tuple[Check, dict[str, Any]]:
    """The check ``aarch64`` and its metrics: the largest change of a probability against the original, and against
    this machine's own answers (``aarch64_max_abs_diff``, ``aarch64_max_abs_diff_here``).

    Without `asked` the bundle's samples are asked about. On an ARM64 machine the code runs as it is, elsewhere on an
    emulated processor, some hundred times slower. Where that cannot be, the check is not run and says what to install.
    """
    there = arm()
    if why := _why_not(bundle, there):
        return Check(ARCH, Status.not_run, why=why), {}
    try:
        asked = asked or _samples(bundle)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Check(ARCH, Status.failed, why=f"samples/expected.json cannot be read ({error})"), {}
    noun = bundle.signature.noun
    where = "this ARM64 processor" if there.how == "native" else f"an emulated ARM64 processor ({PROCESSOR})"
    try:
        rows = track(_answers(bundle, asked.files, there), f"on {where}", total=len(asked.files), unit=noun)
        got = np.stack(list(rows))
    except BundleError as error:
        return Check(ARCH, Status.failed, why=f"on {where}: {error.message}"), {}
    recipe = recipe_named(bundle.recipe)
    found = compare(
        asked.original,
        got,
        files=[str(file) for file in asked.files],
        truth=asked.truth,
        labels=bundle.labels,
        recipe=recipe,
    )
    worst = found.metrics["max_abs_diff"]
    moved = float(np.abs(got - asked.here).max())
    wrong = [check for check in found.checks if check.status is Status.failed]
    why = (
        f"the bundle's own code on {where}, {len(got)} {noun}s; largest change against this machine's answers "
        f"{moved:.2g}" + "".join(f"; {check.title} {check.value:.4g}, limit {check.limit:.4g}" for check in wrong)
    )
    status = Status.failed if wrong else Status.passed
    metrics = {f"{ARCH}_max_abs_diff": worst, f"{ARCH}_max_abs_diff_here": moved, f"{ARCH}_files": len(got)}
    return Check(ARCH, status, worst, recipe.max_drift, why), metrics


def _samples(bundle: Bundle) -> Asked:
    files, here, _ = load_expected(bundle.path)
    return Asked(files, [None] * len(files), load_original(bundle.path), here)


def _why_not(bundle: Bundle, there: Arm) -> str:
    if not there.ready:
        how = f". Type: {there.install}" if there.install else ""
        return f"needs {', '.join(there.missing)}{how}"
    if there.how == "emulated" and not registry.targets.load(bundle.target).on_arm:
        return f"the runtime of {bundle.target} is not on the emulated processor; run this on an ARM64 machine"
    return foreign_code(bundle)


def _answers(bundle: Bundle, files: Sequence[str | Path], there: Arm) -> Iterator[np.ndarray]:
    """The answers one by one, from processes that take as many files as fit in a while."""
    done, size = 0, _FIRST
    while done < len(files):
        batch = files[done : done + size]
        start = time.monotonic()
        yield from ask(bundle, batch, threads=1, on=there)
        done += len(batch)
        size = max(_FIRST, int(_A_BATCH_S * len(batch) / (time.monotonic() - start)))
