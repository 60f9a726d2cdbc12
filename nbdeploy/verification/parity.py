"""A bundle against the original on raw held-out files: the bundle's own host code reads the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbdeploy import registry
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.recipe import recipe_named
from nbdeploy.core.report import Check, Status
from nbdeploy.verification.compare import Comparison, compare
from nbdeploy.verification.diagnose import diagnose, loader
from nbdeploy.verification.host import ask

if TYPE_CHECKING:
    from nbdeploy.exporting.program import Program
    from nbdeploy.targets.base import Target

_STUDIED = 16
"""Files with the largest drift that a diagnosis looks at."""
NOT_COMPARED = Check(
    "top1_agreement",
    Status.not_run,
    why="needs the original model: nbdeploy verify BUNDLE --model MODEL",
)
NO_LATENCY = Check(
    "latency",
    Status.not_run,
    why="a reference interpreter runs it here, and its speed says nothing of a device: measure on one",
)


@dataclass(frozen=True, slots=True)
class Parity:
    """What the comparison gave, and the bundle's own answers, float32 ``[files, classes]``.

    `unable` says why nothing was compared, where the runtime here cannot run the model; then there are no answers.
    """

    comparison: Comparison
    answers: np.ndarray
    unable: str = ""


def parity(bundle: Bundle, program: Program, available: Sequence[int]) -> Parity:
    """Ask the bundle about the held-out files at the indices `available` and compare with the original's answers."""
    if why := registry.targets.load(bundle.target)().unable(bundle.model):
        nothing = Comparison((Check("top1_agreement", Status.not_run, why=why),), {}, (), (), ())
        return Parity(nothing, np.empty((0, len(bundle.labels)), np.float32), why)
    held_out = [program.reference.held_out[index] for index in available]
    answers = ask(bundle, [file.path for file in held_out])
    comparison = compare(
        program.reference.probabilities[list(available)],
        answers,
        files=[file.path for file in held_out],
        truth=[file.label for file in held_out],
        labels=bundle.labels,
        recipe=recipe_named(bundle.recipe),
    )
    return Parity(comparison, answers)


def blame(
    bundle: Bundle, program: Program, target: Target, *, found: Parity, available: Sequence[int], base: Path | None
) -> str:
    """The diagnosis of a failed comparison, from the files that drifted most. `base` is the unshrunk converted file."""
    drifts = np.nan_to_num(np.array(found.comparison.drifts), nan=np.inf)
    worst = np.argsort(-drifts, kind="stable")[:_STUDIED]
    picked = [available[i] for i in worst]
    return diagnose(
        prepared=[bundle.classifier.prepare(program.reference.held_out[index].path) for index in picked],
        expected=program.reference.probabilities[picked],
        got=found.answers[worst],
        program=program.runner(),
        base=loader(target.load, base),
        deployed=bundle.classifier.probabilities,
        pictures=program.signature.kind == "image",
        recipe=recipe_named(bundle.recipe),
    )
