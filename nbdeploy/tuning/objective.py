"""One trial from its parameters to its values: trained, and where a target was named deployed and measured."""

from __future__ import annotations

import math
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nbdeploy.core.hush import hushed
from nbdeploy.core.progress import quiet
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import ConversionError, ExportError, NbdeployError, NbdeployWarning, TrainError, WeightsUnavailable
from nbdeploy.tracking.recording import unrecorded
from nbdeploy.training.arch import load_libraries
from nbdeploy.training.epoch import last_figures, validated
from nbdeploy.tuning.trial import Outcome

if TYPE_CHECKING:
    from nbdeploy.exporting.program import Program
    from nbdeploy.training.epoch import Epoch

_VERIFY_FILES = 1000
_ACCEPTED = "a trial of a tuning: a failed check is noted and the trial not chosen"
_OF_ONE_TRIAL = (TrainError, ExportError, ConversionError)
"""What another trial may be spared; any other error of nbdeploy is about what was asked for."""


@dataclass(frozen=True)
class Job:
    """What all trials of a tuning share."""

    images: ImageSet
    """Its held-out files are the tuning split, of the training files of the set that was given."""
    fixed: Mapping[str, Any]
    objectives: tuple[str, ...]
    target: str | None = None
    recipe: str = "fp32"
    seed: int = 42
    latency_runs: int = 50
    turnstile: str = ""
    """A name that all trials of this tuning share; see `pausing`."""


class Listener(Protocol):
    """Whoever wants to know how a trial goes. Both may raise `Ended`."""

    def step(self, share: float) -> None:
        """How far the training is, 0..1; also when there is nothing new to say."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is over."""

    def stage(self, what: str) -> None:
        """What it does after training."""


class Ended(Exception):
    """The trial is to end now: ``pruned`` or ``stopped``."""

    def __init__(self, state: str, why: str) -> None:
        super().__init__(why)
        self.state, self.why = state, why


def run(job: Job, params: Mapping[str, Any], listener: Listener) -> Outcome:
    """Try `params`. Whatever goes wrong is in the Outcome; only KeyboardInterrupt is raised.

    The accuracy is that on the tuning split: of the deployed model where there is a target, else of the Learner.
    """
    load_libraries()  # seconds in a new process, which are no trial's
    began = time.monotonic()

    def spent() -> float:
        return round(time.monotonic() - began, 2)

    try:
        with quiet(), unrecorded(), warnings.catch_warnings():  # the desk records the trial
            warnings.simplefilter("ignore", NbdeployWarning)
            values, figures = _tried(job, params, listener)
    except Ended as end:
        return Outcome(end.state, why=end.why, seconds=spent())  # type: ignore[arg-type]
    except NbdeployError as error:
        alone = isinstance(error, _OF_ONE_TRIAL) and not isinstance(error, WeightsUnavailable)
        what = None if alone else (type(error).__name__, error.message, error.hint)
        return Outcome("failed", why=error.message, seconds=spent(), error=what)
    except Exception as error:  # noqa: BLE001 - torch raises anything, and one trial must not end the others
        return Outcome("failed", why=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}", seconds=spent())
    return Outcome("complete", values, figures, seconds=spent())


def _tried(job: Job, params: Mapping[str, Any], listener: Listener) -> tuple[dict[str, float], dict[str, Any]]:
    from nbdeploy.training.images import train  # noqa: PLC0415 - the engine's process may be another

    settings = {**job.fixed, **params}
    recipe = str(settings.pop("recipe", job.recipe))
    last: list[Epoch] = []

    def after(epoch: Epoch) -> None:
        last[:] = [epoch]
        listener.epoch(epoch)

    def step(share: float) -> None:
        pass_through(job.turnstile)
        listener.step(share)

    with hushed():
        from nbdeploy.training.checkpoints import unsaved  # noqa: PLC0415 - torch
        from nbdeploy.training.heeding import Heed  # noqa: PLC0415 - fastai
    with unsaved():
        learn = train(job.images, seed=job.seed, cbs=[Heed(planned_epochs(settings), after, step)], **settings)
    if not last or last[0].done < last[0].planned:  # an interrupt was taken for a wish to end that training
        raise KeyboardInterrupt
    # Where other weights than the last are kept, their accuracy is not that of the last epoch.
    kept = last_figures(learn) if settings.get("keep", "last") == "last" else validated(learn)
    values, figures = {"accuracy": kept["accuracy"]}, {"valid_loss": kept["valid_loss"]}
    if job.target is not None:
        there, more = _deployed(job, learn, recipe, listener)
        values, figures = {**values, **there}, {**figures, "accuracy_original": values["accuracy"], **more}
    lacking = [name for name in job.objectives if not math.isfinite(values.get(name, math.nan))]
    if lacking:
        raise ConversionError(f"The {lacking[0]} of the deployed model is not known: {figures.get('unable', '')}.")
    return {name: values[name] for name in job.objectives}, figures


def planned_epochs(settings: Mapping[str, Any]) -> int:
    """Epochs of a training with these keywords, those of the head alone included."""
    frozen = settings.get("freeze_epochs", 1) if settings.get("pretrained", True) else 0
    return int(frozen) + int(settings.get("epochs", 5))


def _deployed(job: Job, learn: Any, recipe: str, listener: Listener) -> tuple[dict[str, float], dict[str, Any]]:
    from nbdeploy.core.report import Status  # noqa: PLC0415 - only with a target
    from nbdeploy.flow import deploy  # noqa: PLC0415
    from nbdeploy.model import as_program  # noqa: PLC0415

    listener.stage("deploying")
    program = as_program(learn, verify_files=min(_VERIFY_FILES, len(job.images.valid)), seed=job.seed)
    with tempfile.TemporaryDirectory(prefix="nbdeploy-tune-") as place:
        bundle = deploy(
            program,
            target=job.target,
            recipe=recipe,
            out=Path(place) / "bundle",
            accept_failed=_ACCEPTED,
            samples=4,
            latency_runs=0,
            seed=job.seed,
        )
        report = bundle.report
        values = {"size": float(report.metrics["size_bytes"])}
        if "accuracy_deployed" in report.metrics:
            values["accuracy"] = float(report.metrics["accuracy_deployed"])
        figures: dict[str, Any] = {"failed_checks": [check.title for check in report.failed]}
        unable = [check.why for check in report.checks if check.status is Status.not_run and check.name == "max_drift"]
        if "accuracy" not in values:
            values["accuracy"] = math.nan
            figures["unable"] = unable[0] if unable else "this target cannot be run here"
        elif "latency" in job.objectives:
            listener.stage("measuring")
            there, more = _timed(job, bundle, program, Path(place))
            values, figures = {**values, **there}, {**figures, **more}
    return values, figures


def _timed(job: Job, bundle: Any, program: Program, place: Path) -> tuple[dict[str, float], dict[str, float]]:
    import numpy as np  # noqa: PLC0415 - only where latency is asked for

    from nbdeploy.building import available_files  # noqa: PLC0415
    from nbdeploy.exporting.program import save_exported  # noqa: PLC0415 - torch
    from nbdeploy.verification.measure import measure  # noqa: PLC0415

    file = program.reference.held_out[available_files(program)[0]]
    np.save(place / "pixels.npy", bundle.classifier.prepare(file.path), allow_pickle=False)
    save_exported(program.exported, place / "program.pt2")
    with pausing(job.turnstile):
        found = measure(
            bundle.path, place / "program.pt2", place / "pixels.npy", runs=job.latency_runs, all_threads=False
        )
    beside = {"latency_original": found["latency_ms_p50_original"], "latency_runs": found["latency_runs"]}
    return {"latency": found["latency_ms_p50"]}, beside


@contextmanager
def pausing(turnstile: str) -> Iterator[None]:
    """All other trials of this tuning on this machine stand still inside the block: what is timed has it alone."""
    with _lock(turnstile):
        yield


def pass_through(turnstile: str) -> None:
    """Wait here while another trial times its model."""
    with _lock(turnstile):
        pass


def _lock(turnstile: str) -> Any:
    if not turnstile:
        return nullcontext()
    from filelock import FileLock  # noqa: PLC0415 - only with several workers

    return FileLock(Path(tempfile.gettempdir()) / f"nbdeploy-{turnstile}.lock")
