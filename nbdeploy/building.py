"""How a bundle is built: converted, laid out, held to the original on raw files, measured, reported."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core import numbers
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.progress import step, track
from nbdeploy.core.recipe import Recipe
from nbdeploy.core.reference import present
from nbdeploy.core.report import Report
from nbdeploy.core.summary import check_row
from nbdeploy.core.working import phase
from nbdeploy.data.records import clean_hint
from nbdeploy.errors import DataError, ExportError, NbdeployWarning, VerificationFailed

if TYPE_CHECKING:
    import numpy as np

    from nbdeploy.exporting.program import Program
    from nbdeploy.targets.base import Target

_SHOWN = 60
"""Files that changed their answer and are shown in the report."""


def build(
    work: Path,
    job: Path,
    program: Program,
    target: Target,
    recipe: Recipe,
    *,
    name: str,
    version: str,
    samples: int,
    latency_runs: int,
    accept_failed: str | None,
) -> Report:
    """Fill `work` with the whole bundle and give its report. `job` holds what is needed only on the way."""
    from nbdeploy.targets import package  # noqa: PLC0415 - numpy and Pillow
    from nbdeploy.targets.convert import convert  # noqa: PLC0415
    from nbdeploy.verification.html import render_report  # noqa: PLC0415
    from nbdeploy.verification.parity import NO_LATENCY, blame, parity  # noqa: PLC0415
    from nbdeploy.verification.standing import standing_checks  # noqa: PLC0415

    available = available_files(program)
    calibration = None
    if recipe.calibrated:
        with phase("calibrate"), step("reading training files to calibrate on") as note:
            calibration = _calibration(program)
            note(f"{0 if calibration is None else len(calibration)} files")
    with phase("convert"):
        with step(f"converting to {target.name}, {recipe.name}") as note:
            artifact = convert(
                program, target, recipe, job, calibration=calibration, about={"name": name, "version": version}
            )
            note(numbers.size(artifact.size_bytes))
        manifest = package.lay_out(work, program, target, artifact, name=name, version=version)
    bundle = Bundle.open(work)
    with phase("verify"), step("verifying on raw files") as note:
        found = parity(bundle, program, available)
        taken = package.add_samples(work, program, most=samples, available=available)
        answers = None if found.unable else _answers(bundle, taken, found.answers, available)
        package.write_expected(work, program, taken, answers, recipe.same)
        checks = (*found.comparison.checks, *standing_checks(bundle))
        if found.unable:
            note(f"not run: {found.unable}")
        else:
            agreement = numbers.percent(found.comparison.metrics["top1_agreement"])
            note(f"{len(available)} held-out files, {agreement} the same answer")
    if target.reference_only:
        checks, latency_runs = (*checks, NO_LATENCY), 0
    report = Report(
        checks=checks,
        metrics={
            **found.comparison.metrics,
            "size_bytes": artifact.size_bytes,
            "size_bytes_original": (job / "program.pt2").stat().st_size,
            "conversion_s": artifact.conversion_s,
            **_measured(bundle, job, program, available, 0 if found.unable else latency_runs),
        },
        changed=found.comparison.changed,
        confusion=found.comparison.confusion,
    )
    if report.failed:
        base = artifact.base or artifact.path
        with phase("verify"), step("looking for the step to blame"):
            diagnosis = blame(bundle, program, target, found=found, available=available, base=base)
        report = dataclasses.replace(report, diagnosis=diagnosis)
    accepted = (
        {"why": accept_failed, "checks": [check.name for check in report.failed]}
        if report.failed and accept_failed
        else None
    )
    with phase("package"), step("writing report and manifest"):
        page = render_report(
            report,
            title=f"{name} for {target.name}",
            facts={
                **manifest,
                "dataset": manifest["dataset"]["fingerprint"],
                "accepted_failure": accepted,
                "files": {},
                "machine": report.metrics.get("measured_on"),
            },
            labels=program.signature.labels,
            pictures=_previews(program, [row.file for row in report.changed[:_SHOWN]]),
            drifts=found.comparison.drifts,
        )
        package.finish(work, manifest, report, page, target, accepted_failure=accepted)
    return report


def available_files(program: Program) -> list[int]:
    """Indices of the held-out files that are on disk, unchanged. Raises ExportError when none is."""
    held_out = program.reference.held_out
    here, gone = present(held_out)
    if not here:
        raise ExportError(
            f"The {len(held_out)} held-out files of this model are gone (the first: {held_out[0].path})."
            if held_out
            else "This model has no held-out files.",
            hint=f"Pass where the {program.signature.noun}s are now: images=... (--data FOLDER or FILE).",
        )
    if gone:
        warnings.warn(
            f"{len(gone)} of {len(held_out)} held-out files are gone or changed (the first: {held_out[gone[0]].path}); "
            f"verifying on the other {len(here)}.",
            NbdeployWarning,
            stacklevel=3,
        )
    return here


def _calibration(program: Program) -> np.ndarray | None:
    """uint8 ``[n, H, W, C]`` of the training files, prepared as the host does; None where none is on disk."""
    import numpy as np  # noqa: PLC0415

    from nbdeploy.templates.python.predict import reader  # noqa: PLC0415

    files = [program.reference.calibration[i] for i in present(program.reference.calibration)[0]]
    read, pictures = reader(program.signature.to_dict()), []
    for file in track(files, "reading training files"):
        try:
            pictures.append(read(file.path))
        except (OSError, ValueError, SyntaxError) as error:  # what it raises for a file that is no picture
            raise DataError(
                f"{file.path} cannot be read as a picture ({error}).", hint=clean_hint(Path(file.path).parent)
            ) from error
    return np.concatenate(pictures) if pictures else None


def _previews(program: Program, files: list[str]) -> dict[str, bytes]:
    """What the report shows of files: a picture made small, or the row or the text itself."""
    from nbdeploy.verification.html import thumbnail  # noqa: PLC0415 - Pillow

    if program.signature.kind == "image":
        return {file: thumbnail(file, exif=program.signature.exif) for file in files}
    return {file: Path(file).read_bytes() for file in files}


def _answers(bundle: Bundle, taken: list[Any], answers: np.ndarray, available: list[int]) -> np.ndarray:
    """What the bundle answers on its samples: from the comparison's own process where they were in it."""
    import numpy as np  # noqa: PLC0415

    at = {index: row for row, index in enumerate(available)}
    classifier = bundle.classifier
    return np.stack(
        [
            answers[at[sample.index]]
            if sample.index is not None
            else classifier.probabilities(classifier.prepare(bundle.path / "samples" / sample.file))
            for sample in taken
        ]
    )


def _measured(bundle: Bundle, job: Path, program: Program, available: list[int], runs: int) -> dict[str, Any]:
    if runs == 0:
        return {}
    import numpy as np  # noqa: PLC0415

    from nbdeploy.verification.measure import measure  # noqa: PLC0415

    pixels = job / "pixels.npy"
    np.save(pixels, bundle.classifier.prepare(program.reference.held_out[available[0]].path), allow_pickle=False)
    with phase("measure"), step("measuring beside PyTorch") as note:
        metrics = measure(bundle.path, job / "program.pt2", pixels, runs=runs)
        ours, original = (numbers.milliseconds(metrics[f"latency_ms_p50{of}"]) for of in ("", "_original"))
        note(f"{ours} against {original}, 1 thread")
    return metrics


def failure(report: Report, kept: Path) -> VerificationFailed:
    """What to raise for a bundle that did not pass and lies at `kept`."""
    title, value, limit, _ = (text.replace(numbers.SPACE, " ") for text in check_row(report.failed[0]))
    others = f" (and {len(report.failed) - 1} more)" if len(report.failed) > 1 else ""
    diagnosis = f" {report.diagnosis}" if report.diagnosis else ""
    return VerificationFailed(
        f"Not deployed: {title} is {value}, the limit is {limit}{others}.{diagnosis}",
        hint=f"It is kept for study in {kept} (report.html). To put it in place all the same: "
        '--accept-failed "why" (accept_failed="why").',
        report=report,
        kept=kept,
    )
