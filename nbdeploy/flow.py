"""deploy() and verify(): the whole chain, from a Learner to a bundle that was seen to answer as it does."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy import registry
from nbdeploy.core import numbers
from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.core.files import check_place, file_name, new_folder, put_in_place
from nbdeploy.core.progress import step, track
from nbdeploy.core.recipe import Recipe, recipe_named
from nbdeploy.core.reference import DataFile, present, spread
from nbdeploy.core.report import Report
from nbdeploy.core.summary import check_row
from nbdeploy.data.records import clean_hint
from nbdeploy.errors import DataError, ExportError, NbdeployWarning, UsageError, VerificationFailed

if TYPE_CHECKING:
    import numpy as np

    from nbdeploy.data.imageset import ImageSet
    from nbdeploy.exporting.program import Program
    from nbdeploy.targets.base import Target

_THUMBNAILS = 60


def deploy(
    model: Any,
    *,
    target: str,
    recipe: str | Recipe = "fp32",
    out: str | Path | None = None,
    name: str | None = None,
    version: str = "1.0.0",
    images: ImageSet | str | Path | None = None,
    samples: int = 16,
    overwrite: bool = False,
    accept_failed: str | None = None,
    seed: int = 42,
    verify_files: int | None = None,
    calibration_files: int | None = None,
    latency_runs: int = 200,
    trust_pickle: bool = False,
) -> Bundle:
    """Export, convert, shrink, package and verify `model`, and put the bundle at `out` when it passed.

    `model` is a fastai Learner, a Program, the folder of a saved one, or with `trust_pickle` a fastai ``export.pkl``.
    `target` and `recipe` are names (see ``nbdeploy doctor``). `out` defaults to ``build/NAME-TARGET``. `images` (an
    ImageSet, or a folder of pictures) gives held-out and training files where the model has none, or finds moved ones
    again by content. `samples` pictures are copied into the bundle; 0 puts made-up ones there. At most `verify_files`
    held-out files are compared and `calibration_files` training files calibrate static recipes: by default all that a
    Program holds, 500 and 100 of a Learner's. `latency_runs` 0 measures nothing.

    The bundle appears whole or not at all. One that fails is kept as ``NAME.failed`` and VerificationFailed says which
    check and by how much; `accept_failed` (a reason) puts it in place all the same, with failure and reason written in
    it. Raises also UsageError, OutputError, ExportError, ConversionError, DataError.
    """
    wanted = recipe_named(recipe)
    lowering: Target = registry.targets.load(target)()
    lowering.check(wanted)
    counts = (1 if count is None else count for count in (verify_files, calibration_files))
    if samples < 0 or min(counts) < 1 or latency_runs < 0:
        raise UsageError(
            "samples and latency_runs cannot be negative; verify_files and calibration_files must be at least 1.",
            hint="Leave them out to use the defaults.",
        )
    if accept_failed is not None and not accept_failed.strip():
        raise UsageError("accept_failed needs a reason.", hint='Type: --accept-failed "why it is good enough"')
    if out is not None:
        check_place(Path(out).absolute(), overwrite=overwrite, mark=MANIFEST)
    program = as_program(
        model,
        images=images,
        name=name,
        verify_files=verify_files,
        calibration_files=calibration_files,
        seed=seed,
        trust_pickle=trust_pickle,
    )
    name = name or program.name
    place = Path(out) if out is not None else Path("build") / f"{file_name(name) or 'model'}-{lowering.name}"
    with (
        new_folder(place, overwrite=overwrite, mark=MANIFEST) as work,
        tempfile.TemporaryDirectory(prefix="nbdeploy-") as job,
    ):
        report = _build(
            work,
            Path(job),
            program,
            lowering,
            wanted,
            name=name,
            version=version,
            samples=samples,
            latency_runs=latency_runs,
            accept_failed=accept_failed,
        )
        if report.failed and accept_failed is None:
            kept = place.absolute().with_name(f"{place.name}.failed")
            check_place(kept, overwrite=True, mark=MANIFEST)
            put_in_place(work, kept, overwrite=True)
            raise _failure(report, kept)
    return Bundle.load(place)


def verify(
    bundle: Bundle | str | Path,
    model: Any = None,
    *,
    images: ImageSet | str | Path | None = None,
    verify_files: int | None = None,
    arch: str | None = None,
) -> Report:
    """Check a bundle where it stands and, where `model` (Learner, Program or folder) is given, hold it to the original.

    At most `verify_files` held-out files of the model are compared. `arch` "aarch64" runs the bundle's own code on an
    ARM64 processor too, emulated where this machine has none (``nbdeploy doctor --setup-arm`` gets what that takes), on
    the same files or, without a model, on the bundle's samples.

    Gives a Report; does not raise for a failed check. Raises BundleError when there is no bundle, UnknownName for an
    `arch` that there is not.
    """
    from nbdeploy.verification.arm import Asked, arm_check  # noqa: PLC0415 - numpy
    from nbdeploy.verification.emulator import arch_named  # noqa: PLC0415
    from nbdeploy.verification.parity import NOT_COMPARED, parity  # noqa: PLC0415 - numpy
    from nbdeploy.verification.standing import standing_checks  # noqa: PLC0415

    arch = None if arch is None else arch_named(arch)
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    checks = standing_checks(opened)
    metrics: dict[str, Any] = {"size_bytes": opened.size_bytes} if opened.model.exists() else {}
    if model is None:
        if arch:
            there, more = arm_check(opened)
            checks, metrics = [*checks, there], {**metrics, **more}
        return Report(checks=(*checks, NOT_COMPARED), metrics=metrics)
    program = as_program(model, images=images, verify_files=verify_files)
    if program.signature.labels != opened.labels:
        raise UsageError(
            "The bundle and the model have different labels.", hint="Name the model that this bundle was made from."
        )
    available = _available(program)
    answered = parity(opened, program, available)
    found = answered.comparison
    if arch:
        files = [program.reference.held_out[index] for index in available]
        asked = Asked(
            [file.path for file in files],
            [file.label for file in files],
            program.reference.probabilities[available],
            answered.answers,
        )
        there, more = arm_check(opened, asked)
        checks, metrics = [*checks, there], {**metrics, **more}
    return Report(
        checks=(*found.checks, *checks),
        metrics={**found.metrics, **metrics},
        changed=found.changed,
        confusion=found.confusion,
    )


def as_program(
    model: Any,
    *,
    images: ImageSet | str | Path | None = None,
    name: str | None = None,
    verify_files: int | None = None,
    calibration_files: int | None = None,
    seed: int = 42,
    trust_pickle: bool = False,
) -> Program:
    """The Program of whatever `deploy` takes as its model. A fastai pickle can run code: only with `trust_pickle`."""
    from nbdeploy.data.decided import decided  # noqa: PLC0415
    from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415 - Pillow
    from nbdeploy.exporting.pickled import unpickled  # noqa: PLC0415 - torch
    from nbdeploy.exporting.program import Program  # noqa: PLC0415

    if isinstance(images, str | Path):
        images = decided(ImageSet.from_folder(images, seed=seed))
    if isinstance(model, str | Path):
        path = Path(model)
        model = unpickled(path, trust=trust_pickle) if path.is_file() else Program.load(path)
    if isinstance(model, Program):
        program = _found_again(model, images, calibration_files, seed) if images is not None else model
        if calibration_files is not None and len(program.reference.calibration) < calibration_files:
            warnings.warn(
                f"This model names {len(program.reference.calibration)} training files, not {calibration_files}; "
                "images=nd.ImageSet.from_folder('...') (--data FOLDER) gives more.",
                NbdeployWarning,
                stacklevel=3,
            )
        bounded = program.reference.bounded(held_out=verify_files, calibration=calibration_files, seed=seed)
        return dataclasses.replace(program, reference=bounded)
    from nbdeploy.exporting.learner import export  # noqa: PLC0415 - fastai

    bounds = {"verify_files": verify_files, "calibration_files": calibration_files}
    given: dict[str, Any] = {key: most for key, most in bounds.items() if most is not None}
    return export(model, images=images, name=name, seed=seed, **given)


def _found_again(program: Program, images: ImageSet, calibration_files: int | None, seed: int) -> Program:
    """The program with the paths of its files replaced by those in `images` that have the same content.

    Where more `calibration_files` are wanted than it names, training files of `images` are added.
    """
    # What is left out by now may have been held out then.
    at = {file.sha256: str(file.path) for file in (images.original or images).files}
    reference = program.reference

    def moved(files: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dataclasses.replace(file, path=at.get(file.sha256, file.path)) for file in files)

    named = {file.sha256 for file in (*reference.held_out, *reference.calibration)}
    others = [DataFile(str(file.path), file.sha256, file.label) for file in images.train if file.sha256 not in named]
    lacking = max(0, (calibration_files or 0) - len(reference.calibration))
    more = tuple(others[index] for index in spread(others, lacking, seed)) if lacking else ()
    found = dataclasses.replace(
        reference, held_out=moved(reference.held_out), calibration=(*moved(reference.calibration), *more)
    )
    return dataclasses.replace(program, reference=found)


def _build(
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
    from nbdeploy.verification.html import render_report, thumbnail  # noqa: PLC0415
    from nbdeploy.verification.parity import NO_LATENCY, blame, parity  # noqa: PLC0415
    from nbdeploy.verification.standing import standing_checks  # noqa: PLC0415

    available = _available(program)
    calibration = _calibration(program) if recipe.calibrated else None
    with step(f"converting to {target.name}, {recipe.name}") as note:
        artifact = convert(
            program, target, recipe, job, calibration=calibration, about={"name": name, "version": version}
        )
        note(numbers.size(artifact.size_bytes))
    manifest = package.lay_out(work, program, target, artifact, name=name, version=version)
    bundle = Bundle.open(work)
    with step("verifying on raw files") as note:
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
        report = dataclasses.replace(
            report, diagnosis=blame(bundle, program, target, found=found, available=available, base=base)
        )
    accepted = (
        {"why": accept_failed, "checks": [check.name for check in report.failed]}
        if report.failed and accept_failed
        else None
    )
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
        pictures={row.file: thumbnail(row.file, exif=program.signature.exif) for row in report.changed[:_THUMBNAILS]},
        drifts=found.comparison.drifts,
    )
    package.finish(work, manifest, report, page, target, accepted_failure=accepted)
    return report


def _available(program: Program) -> list[int]:
    """Indices of the held-out files that are on disk, unchanged. Raises ExportError when none is."""
    held_out = program.reference.held_out
    here, gone = present(held_out)
    if not here:
        raise ExportError(
            f"The {len(held_out)} held-out files of this model are gone (the first: {held_out[0].path})."
            if held_out
            else "This model has no held-out files.",
            hint="Pass where the pictures are now: images=nd.ImageSet.from_folder('...') (--data FOLDER).",
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

    from nbdeploy.templates.python.predict import preprocess  # noqa: PLC0415

    files = [program.reference.calibration[i] for i in present(program.reference.calibration)[0]]
    host, channels = program.signature.to_dict()["host"], program.signature.channels
    pictures = []
    for file in track(files, "reading training files"):
        try:
            pictures.append(preprocess(file.path, host, channels=channels))
        except (OSError, ValueError, SyntaxError) as error:  # what it raises for a file that is no picture
            raise DataError(
                f"{file.path} cannot be read as a picture ({error}).", hint=clean_hint(Path(file.path).parent)
            ) from error
    return np.concatenate(pictures) if pictures else None


def _answers(bundle: Bundle, taken: list[Any], answers: np.ndarray, available: list[int]) -> np.ndarray:
    """What the bundle answers on its samples: from the comparison's own process where they were in it."""
    import numpy as np  # noqa: PLC0415

    at = {index: row for row, index in enumerate(available)}
    classifier = bundle.classifier
    return np.stack(
        [
            answers[at[sample.index]]
            if sample.index is not None
            else classifier.probabilities(classifier.pixels(bundle.path / "samples" / sample.file))
            for sample in taken
        ]
    )


def _measured(bundle: Bundle, job: Path, program: Program, available: list[int], runs: int) -> dict[str, Any]:
    if runs == 0:
        return {}
    import numpy as np  # noqa: PLC0415

    from nbdeploy.verification.measure import measure  # noqa: PLC0415

    pixels = job / "pixels.npy"
    np.save(pixels, bundle.classifier.pixels(program.reference.held_out[available[0]].path), allow_pickle=False)
    with step("measuring beside PyTorch") as note:
        metrics = measure(bundle.path, job / "program.pt2", pixels, runs=runs)
        note(f"{metrics['latency_ms_p50']:.2f} ms against {metrics['latency_ms_p50_original']:.2f} ms, 1 thread")
    return metrics


def _failure(report: Report, kept: Path) -> VerificationFailed:
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
