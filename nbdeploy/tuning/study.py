"""The study of one tuning: its SQLite file, who may write to it, what it was asked, and what a killed process left."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from nbdeploy.core.files import file_name, state_dir
from nbdeploy.errors import OutputError, UnknownName, UsageError
from nbdeploy.tuning.trial import OBJECTIVES, Trial

if TYPE_CHECKING:
    import optuna

PRUNERS = ("median", "halving", "hyperband", "none")
GRID = 8
"""How finely a training is divided when trials of different lengths are compared: in eighths of each one's own."""
LEAST = 4
"""Trials that must have come as far before one is pruned beside them. In its first half a training of one cycle says
little of its end: nothing is pruned then."""
_REQUEST, _WHY, _AS, _SECONDS = "nbdeploy", "why", "ended", "seconds"
_DIED = "its process was killed"
_FAR = 1_000_000_007
_AT_RANDOM = 6
"""Trials before TPE has enough to go by: fewer than Optuna's 10, since twenty trials in all are usual here."""


def study_path(name: str) -> Path:
    """Where the study of that name is kept."""
    return state_dir() / "tune" / f"{file_name(name) or 'tuning'}.sqlite"


@contextmanager
def opened(
    name: str,
    request: Mapping[str, Any],
    objectives: Sequence[str],
    *,
    pruner: str = "median",
    seed: int = 42,
    resume: bool = True,
) -> Iterator[optuna.Study]:
    """The study called `name`, for this process alone; made where there is none.

    What a killed process left running is marked as failed and put first in the queue. Without `resume` an existing
    file is renamed and a new one begun. Raises UsageError where it was asked something else before, OutputError where
    another process works on it, it is no study, or it cannot be written to, also within the block.
    """
    path = study_path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=0), hushed_optuna(), _stored(path):
            if not resume and path.exists():
                path.rename(_free(path))
            with _storage(path) as storage:
                yield _study(storage, name, request, objectives, pruner=pruner, seed=seed)
    except Timeout as error:
        raise OutputError(
            f'The tuning "{name}" is under way in another process.',
            hint="Wait for it or stop it, or choose another name.",
        ) from error
    except OSError as error:
        if isinstance(error, Timeout):
            raise
        raise OutputError(
            f"{path} cannot be written to ({error.strerror or error}).",
            hint="Choose another place with NBDEPLOY_STATE.",
        ) from error


@contextmanager
def hushed_optuna() -> Iterator[None]:
    """Optuna logs errors only, for the block: a person may use it beside, and have it say what they want."""
    import optuna  # noqa: PLC0415 - a second

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def _stored(path: Path) -> Iterator[None]:
    """What goes wrong with the file, a full disk or a file that is no study, in words."""
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415 - loaded by now
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - optuna's

    try:
        yield
    except (StorageInternalError, DBAPIError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        why = cause.orig if isinstance(cause, DBAPIError) else cause or error
        raise OutputError(
            f"{path} cannot be used ({why}).",
            hint="Free some space where the disk is full; else move that file away, or choose another name (--name).",
        ) from error


@contextmanager
def _storage(path: Path) -> Iterator[optuna.storages.RDBStorage]:
    """The file as Optuna keeps it, closed at the end."""
    from optuna.storages import RDBStorage  # noqa: PLC0415 - loaded by now

    try:
        storage = RDBStorage(f"sqlite:///{path.as_posix()}", engine_kwargs={"connect_args": {"timeout": 60}})
    except RuntimeError as error:  # tables of another version
        raise OutputError(
            f"{path} cannot be read: {error}", hint="Choose another name (--name); it is kept."
        ) from error
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _study(
    storage: optuna.storages.RDBStorage,
    name: str,
    request: Mapping[str, Any],
    objectives: Sequence[str],
    *,
    pruner: str,
    seed: int,
) -> optuna.Study:
    import optuna  # noqa: PLC0415 - loaded by now

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["maximize" if OBJECTIVES[one] > 0 else "minimize" for one in objectives],
            load_if_exists=True,
        )
        before = study.user_attrs.get(_REQUEST)
        if before is None:
            study.set_user_attr(_REQUEST, dict(request))
            study.set_metric_names(list(objectives))
        elif other := _differing(before, json.loads(json.dumps(request))):
            raise UsageError(
                f'The tuning "{name}" was asked something else before: {", ".join(other)} differ'
                f"{'s' if len(other) == 1 else ''}.",
                hint="Choose another name (--name), or begin afresh with resume=False (--no-resume); both are kept.",
            )
        _mend(study)
        # Begun again with the same numbers, a resumed study would try again what it tried.
        sampler_seed = (seed + _FAR * len(study.trials)) % 2**32
        study.sampler = optuna.samplers.TPESampler(
            seed=sampler_seed, n_startup_trials=_AT_RANDOM, multivariate=True, constant_liar=True
        )
        study.pruner = _pruner(pruner)
    return study


def check_pruner(name: str) -> None:
    """Raise UnknownName for a pruner that there is not."""
    if name not in PRUNERS:
        raise UnknownName("pruner", name, PRUNERS)


def _pruner(name: str) -> Any:
    from optuna import pruners  # noqa: PLC0415 - loaded by now

    check_pruner(name)
    return {
        "median": lambda: pruners.MedianPruner(n_startup_trials=LEAST, n_warmup_steps=GRID // 2 - 1),
        "halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=GRID // 2, reduction_factor=2),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=GRID // 2, max_resource=GRID, reduction_factor=2),
        "none": pruners.NopPruner,
    }[name]()


def _mend(study: optuna.Study) -> None:
    """Nobody else has the study's lock, so what is still running there died."""
    from optuna.trial import TrialState  # noqa: PLC0415 - loaded by now

    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        set_attrs(study, trial.number, {_WHY: _DIED, _AS: "stopped"})
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs={"again": trial.number})


def set_attrs(study: optuna.Study, number: int, attrs: Mapping[str, Any]) -> None:
    """Note something about a trial that is running."""
    storage = study._storage  # noqa: SLF001 - Optuna gives a finished process's trial no other way
    trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)  # noqa: SLF001 - the same
    for key, value in attrs.items():
        storage.set_trial_user_attr(trial_id, key, value)


def read(study: optuna.Study, objectives: Sequence[str]) -> dict[int, Trial]:
    """Every trial of the study that was begun, by its number."""
    from optuna.trial import TrialState  # noqa: PLC0415 - loaded by now

    states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    found = {}
    for one in study.get_trials(deepcopy=False):
        if one.state is TrialState.WAITING:
            continue
        attrs = dict(one.user_attrs)
        found[one.number] = Trial(
            one.number,
            attrs.pop(_AS, None) or states.get(one.state, "running"),  # type: ignore[arg-type] # a State
            dict(one.params),
            dict(zip(objectives, one.values, strict=True)) if one.values and one.state is TrialState.COMPLETE else {},
            {**attrs.pop("figures", {}), **({"same_as": attrs["same_as"]} if "same_as" in attrs else {})},
            attrs.pop(_WHY, ""),
            attrs.pop(_SECONDS, 0.0),
            {int(step): value for step, value in attrs.pop("curve", {}).items()},
        )
    return found


def _free(path: Path) -> Path:
    numbers = (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in range(1, 10_000))
    return next(place for place in numbers if not place.exists())


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The keys, one level deep, whose values are not the same."""
    odd = []
    for key in sorted({*before, *now}):
        one, other = before.get(key), now.get(key)
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            odd += sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
        else:
            odd.append(key)
    return list(dict.fromkeys(odd))
