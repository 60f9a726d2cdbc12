"""deploy() and verify(): the whole chain, from a Learner to a bundle that was seen to answer as it does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy import registry
from nbdeploy.building import available_files, build, failure
from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.core.calls import images_call
from nbdeploy.core.files import check_place, file_name, new_folder, put_in_place
from nbdeploy.core.recipe import Recipe, recipe_named
from nbdeploy.core.report import Report
from nbdeploy.core.working import phase
from nbdeploy.errors import UsageError
from nbdeploy.model import as_program, kind_of
from nbdeploy.tracking.deployments import recorded

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet
    from nbdeploy.data.labelled import Labelled
    from nbdeploy.providers.table import Endpoints
    from nbdeploy.targets.base import Target
    from nbdeploy.tracking.runs import Runs


@recorded
def deploy(
    model: Any,
    *,
    target: str | None = None,
    recipe: str | Recipe = "fp32",
    out: str | Path | None = None,
    name: str | None = None,
    version: str = "1.0.0",
    images: ImageSet | Labelled | str | Path | None = None,
    samples: int = 16,
    overwrite: bool = False,
    accept_failed: str | None = None,
    seed: int = 42,
    verify_files: int | None = None,
    calibration_files: int | None = None,
    latency_runs: int = 200,
    trust_pickle: bool = False,
    provider: str | None = None,
    endpoint: str | None = None,
    settings: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Any:
    """Export, convert, shrink, package and verify `model`, put the bundle at `out` when it passed, and give the Bundle.

    `model` is a fastai Learner, a Program, the folder of a saved one, or with `trust_pickle` a fastai ``export.pkl``.
    `target` and `recipe` are names (see ``nbdeploy doctor``). `out` defaults to ``build/NAME-TARGET``. `images` (an
    ImageSet, or a folder of pictures; an nd.Table or nd.Texts for a model of rows or texts) gives held-out and training
    files where the model has none, or finds moved ones again by content. `samples` held-out files are copied into the
    bundle; 0 puts made-up ones there. At most `verify_files`
    held-out files are compared and `calibration_files` training files calibrate static recipes: by default all that a
    Program holds, 500 and 100 of a Learner's. `latency_runs` 0 measures nothing.

    The bundle appears whole or not at all. One that fails is kept as ``NAME.failed`` and VerificationFailed says which
    check and by how much; `accept_failed` (a reason) puts it in place all the same, with failure and reason written in
    it. Raises also UsageError, OutputError, ExportError, ConversionError, DataError.

    With a `provider` (a name, see ``nbdeploy doctor``) the bundle is then put there as the endpoint `endpoint` (by
    default the model's name), as `settings` say, and the Endpoint is given; `target` is "cloud" by default, and `model`
    may be a bundle. `overwrite` updates an endpoint of that name. `dry_run` gives the Plan and does nothing. Raises
    ProviderError where it does not answer there as the bundle does; then nothing of it is left.
    """
    asked = dict(locals())
    if provider is not None:
        from nbdeploy.launch import launch  # noqa: PLC0415 - only with a provider

        return launch(make=deploy, **asked)
    if target is None or endpoint is not None or settings or dry_run:
        raise UsageError(
            "endpoint, settings and dry_run are for a provider." if target else "A target or a provider is needed.",
            hint='Type: --target tflite (target="tflite"), or --provider local (provider="local")',
        )
    wanted = recipe_named(recipe)
    lowering: Target = registry.targets.load(target)()
    with phase("check"):
        lowering.check(wanted)
        if (kind := kind_of(model)) is not None:
            lowering.check(wanted, kind)  # before minutes of work
        lowering.fetch()
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
    with phase("export"):
        program = as_program(
            model,
            images=images,
            name=name,
            verify_files=verify_files,
            calibration_files=calibration_files,
            seed=seed,
            trust_pickle=trust_pickle,
        )
    lowering.check(wanted, program.signature.kind)
    name = name or program.name
    place = Path(out) if out is not None else Path("build") / f"{file_name(name) or 'model'}-{lowering.name}"
    with (
        new_folder(place, overwrite=overwrite, mark=MANIFEST) as work,
        tempfile.TemporaryDirectory(prefix="nbdeploy-") as job,
    ):
        report = build(
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
            raise failure(report, kept)
    return Bundle.load(place)


def verify(
    bundle: Bundle | str | Path,
    model: Any = None,
    *,
    images: ImageSet | Labelled | str | Path | None = None,
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
    available = available_files(program)
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


def endpoints() -> Endpoints:
    """All endpoints: name -> Endpoint. Shown, it is a table of how they are; in a notebook a live one."""
    from nbdeploy.providers.table import Endpoints  # noqa: PLC0415 - SQLite

    return Endpoints(make=deploy)


def runs(
    *,
    kind: str | None = None,
    where: str | None = None,
    status: str | None = None,
    all: bool = False,  # noqa: A002 - the name is a promise
    removed: bool = False,
) -> Runs:
    """What was trained, tuned, compressed and deployed in this project's folder, the newest first.

    `kind` is train, tune, trial, compress, deploy or pipeline; `where` a condition on parameters and metrics:
    ``"accuracy > .9 and arch == 'resnet18'"``; `status` done, failed, stopped, killed or running. `all` lists those of
    other folders too, `removed` also those that were removed. Shown, it is a table; in a notebook a live one.

    Raises UsageError for a `where` that is none, UnknownName for a name that no run has.
    """
    from nbdeploy.tracking.runs import find  # noqa: PLC0415 - SQLite

    return find(kind=kind, where=where, status=status, all=all, removed=removed, read=_fingerprint)


def _fingerprint(noted: Mapping[str, Any]) -> str:
    """The fingerprint of the data that a run noted, as it is now. Raises DataError."""
    from nbdeploy.data.decided import decided  # noqa: PLC0415
    from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415 - Pillow
    from nbdeploy.data.reading import is_labelled, labelled_from  # noqa: PLC0415

    source, label, text = str(noted["source"]), noted.get("label"), noted.get("text")
    if is_labelled(source, label, text):
        return labelled_from(source, label=label, text=text).fingerprint
    images: ImageSet = getattr(ImageSet, images_call(source, {})[0])(source)
    return (decided(images) if noted.get("decided") else images).fingerprint
