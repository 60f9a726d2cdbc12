"""tune(): try many ways to train, and train the best one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbdeploy import registry
from nbdeploy.core.files import check_place, file_name
from nbdeploy.core.recipe import recipe_named
from nbdeploy.data.decided import decided, unapplied
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.reading import is_labelled
from nbdeploy.data.split import held_out
from nbdeploy.errors import DataError, NbdeployWarning, TrainError, UnknownName, UsageError
from nbdeploy.tuning import words
from nbdeploy.tuning.desk import Desk
from nbdeploy.tuning.look import Show
from nbdeploy.tuning.objective import Job
from nbdeploy.tuning.recorded import recorded
from nbdeploy.tuning.result import Tuning
from nbdeploy.tuning.space import Choice, Space
from nbdeploy.tuning.study import check_pruner, opened, study_path
from nbdeploy.tuning.trial import OBJECTIVES
from nbdeploy.tuning.workers import STOPPED

_SPLIT = 0.2
_SECONDS = {"h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0}


@recorded
def tune(
    images: ImageSet | str | Path,
    *,
    trials: int = 20,
    time_limit: str | float | None = None,
    objectives: str | Sequence[str] = ("accuracy",),
    target: str | None = None,
    recipe: Any = "fp32",
    arch: Any = None,
    size: Any = None,
    lr: Any = None,
    epochs: Any = None,
    augment: Any = None,
    batch_size: Any = None,
    flip: Any = None,
    freeze_epochs: Any = None,
    pretrained: Any = None,
    pruner: str = "median",
    workers: int | None = None,
    engine: str = "local",
    name: str | None = None,
    resume: bool = True,
    refit: bool = True,
    out: str | Path | None = None,
    overwrite: bool = False,
    latency_runs: int = 50,
    seed: int = 42,
    **others: Any,
) -> Tuning:
    """Try `trials` ways to train on `images`, and train the best of them; gives a Tuning with its `learn`.

    `arch size lr epochs augment batch_size flip freeze_epochs pretrained`, and any other keyword of nd.train, say what
    is tried: a list is a choice, a pair (low, high) a range (log for `lr` and `batch_size`, in steps of 32 for
    `size`), a plain value stays as it is. Of what is not named, `lr`, `epochs` (2 to 8) and `augment` are tuned. The
    first trial is what nd.train does by itself, where the space holds that; Optuna's TPE chooses the others.

    Trials learn from four fifths of the training files and are compared on the last fifth. The held-out files take no
    part: choosing by them would overstate how right the winner is. The winner is then trained anew on all training
    files (unless `refit` is False) and asked about the held-out files once: `Tuning.held_out`. `out` saves its Program.

    With a `target`, each trial is deployed (`recipe`: a name, or a list to choose from) and its accuracy is that of
    the deployed model on the tuning split; a trial with a failed check is never chosen. `objectives` may add ``size``
    (bytes) and ``latency`` (ms, one thread, median of `latency_runs`; the other trials wait while one is timed). With
    several, see `Tuning.best` and `Tuning.pareto`.

    `pruner` ("median", "halving", "hyperband", "none") ends trials that lag behind, compared at the same share of
    their training. With several objectives a trial is compared with those of the same network only.

    A study is kept in one SQLite file under its `name` (by default made of the data's name and what is asked): the same
    call goes on where it was stopped or killed, up to `trials` in all; `resume` False begins afresh and keeps the old
    one. `time_limit` ("30min", "1h30min", seconds) ends the trials of this call; training the winner comes on top.
    `workers` trials run at once, each in a process with one core; `engine` "ray" runs them on a Ray cluster, whose
    machines must see the files under the same paths. Ctrl-C ends it and keeps what was done. With one worker the same
    `seed` gives the same trials.

    Raises UnknownName, UsageError, DataError, OutputError, MissingExtra; TrainError where no trial came to its end.
    """
    if is_labelled(images, others.get("label"), others.get("text")):
        noun = getattr(images, "noun", "row" if "label" in others and "text" not in others else "text")
        raise UsageError(
            f"Pictures can be tuned, and what was given are {noun}s.",
            hint="Try a few yourself: nd.train(data, lr=..., epochs=...), then nd.runs().best('accuracy').",
        )
    asked = _objectives(objectives, target, recipe)
    target = None if target is None else registry.targets.canonical(target)
    named = {"arch": arch, "size": size, "lr": lr, "epochs": epochs, "augment": augment, "batch_size": batch_size}
    named |= {"flip": flip, "freeze_epochs": freeze_epochs, "pretrained": pretrained, **others}
    space = Space.of({**named, **({"recipe": _recipe(recipe)} if target else {})})
    run_all = registry.tuners.load(engine)
    check_pruner(pruner)
    _check(space, target, trials=trials, workers=workers, latency_runs=latency_runs)
    if out is not None:
        check_place(Path(out).absolute(), overwrite=overwrite, mark="program.json")
    limit = _seconds(time_limit)
    if not isinstance(images, ImageSet):
        images = decided(ImageSet.from_folder(images, seed=seed))
    elif remark := unapplied(images):
        warnings.warn(remark, NbdeployWarning, stacklevel=3)  # beyond `recorded`
    inner = tuning_split(images, seed)
    request = _request(space, inner, asked, target, seed)
    name = name or f"{file_name(Path(images.source).stem) or 'images'}-{_short(request)}"
    job = Job(
        inner,
        {name: value for name, value in space.fixed.items() if name != "recipe"},
        asked,
        target,
        str(space.fixed.get("recipe", "fp32")),
        seed,
        latency_runs,
        f"tune-{_short({**request, 'name': name})}" if "latency" in asked else "",
    )
    show = Show(name, workers)
    deadline = None if limit is None else time.monotonic() + limit
    with opened(name, request, asked, pruner=pruner, seed=seed, resume=resume) as study:
        if not study.trials:
            from nbdeploy.training.images import default_side  # noqa: PLC0415 - loaded by now

            study.enqueue_trial(space.first(default_side(inner)))
        desk = Desk(
            study,
            space,
            asked,
            show,
            wanted=trials,
            files=len(inner.valid),
            deadline=deadline,
            seed=seed,
            pruned=pruner != "none",
        )
        run_all(job, desk, workers)
    tuning = Tuning(
        name=name,
        path=study_path(name),
        space=space,
        objectives=asked,
        tried=tuple(desk.shown()),
        files=len(inner.valid),
        images=images,
        target=target,
        seed=seed,
        stopped=desk.stopped,
    )
    show.close(f"{name}: {words.counted(tuning.tried)}" + (f"; {desk.stopped}" if desk.stopped else ""))
    _check_end(tuning, desk, limit)
    if refit and desk.stopped != STOPPED:
        tuning.learn = tuning.train()
        if out is not None:
            tuning.save(out, overwrite=overwrite)
    return tuning


def tuning_split(images: ImageSet, seed: int) -> ImageSet:
    """The training files of `images` with a fifth of each class held out, copies on one side. Raises DataError."""
    trained = {file.label for file in images.train}
    if unseen := sorted(set(images.labels) - trained):
        raise DataError(
            f'No picture of "{unseen[0]}" is left to train on.', hint="Add pictures of it, or hold out fewer."
        )
    chosen = held_out(((file.label, file.group) for file in images.train), valid=_SPLIT, seed=seed)
    files = tuple(
        dataclasses.replace(file, split="valid" if file.group in chosen else "train") for file in images.train
    )
    # Without its source: what was decided about the set was said already, not once a trial.
    inner = dataclasses.replace(images, files=files, source="", original=None, edits=())
    if not inner.valid:
        raise DataError(
            "No training picture can be set apart to compare trials on.", hint="Add pictures of each class."
        )
    return inner


def _objectives(objectives: str | Sequence[str], target: str | None, recipe: Any) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys([objectives] if isinstance(objectives, str) else objectives))
    for one in asked:
        if one not in OBJECTIVES:
            raise UnknownName("objective", one, OBJECTIVES)
    if "accuracy" not in asked:
        raise UsageError("Accuracy has to be among the objectives.", hint='objectives=["accuracy", "size"]')
    hint = 'Name what for: --target tflite (target="tflite")'
    if target is None and len(asked) > 1:
        raise UsageError("Size and latency are those of a deployed model.", hint=hint)
    if target is None and recipe != "fp32":
        raise UsageError("A recipe is for a deployed model.", hint=hint)
    return ("accuracy", *(one for one in asked if one != "accuracy"))


def _recipe(recipe: Any) -> Any:
    return [recipe_named(one).name for one in recipe] if isinstance(recipe, list) else recipe_named(recipe).name


def _check(space: Space, target: str | None, *, trials: int, workers: int | None, latency_runs: int) -> None:
    for what, count in {"trials": trials, "workers": workers, "latency_runs": latency_runs}.items():
        if count is not None and count < 1:
            raise UsageError(f"{what} is {count}.", hint="It must be at least 1.")
    if target is not None:
        lowering = registry.targets.load(target)()
        for one in _values(space, "recipe"):
            lowering.check(recipe_named(one))
        lowering.fetch()
    from nbdeploy.training.arch import find_arch, load_libraries  # noqa: PLC0415 - imports torch

    load_libraries()
    for one in _values(space, "arch"):
        find_arch(one)


def _values(space: Space, name: str) -> list[Any]:
    values = space.open.get(name)
    if isinstance(values, Choice):
        return list(values.values)
    return [space.fixed[name]] if name in space.fixed else []


def _request(space: Space, inner: ImageSet, asked: Sequence[str], target: str | None, seed: int) -> dict[str, Any]:
    apart = hashlib.sha256("".join(sorted(file.sha256 for file in inner.valid)).encode()).hexdigest()
    return {
        "space": space.to_dict()["tuned"],
        "fixed": space.to_dict()["fixed"],
        "data": f"{inner.fingerprint[:16]} {apart[:16]}",
        "objectives": list(asked),
        "target": target,
        "seed": seed,
    }


def _short(request: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:6]


def _seconds(limit: str | float | None) -> float | None:
    """``"1h30min"``, ``"90s"`` or a number of seconds as seconds. Raises UsageError."""
    if limit is None:
        return None
    text = str(limit).replace(" ", "")
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|min|m|s|$)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"time_limit is {limit}.", hint='Type 30min, 90s, 1h30min, or a number of seconds: "30min".')
    found = sum(float(number) * _SECONDS.get(unit, 1.0) for number, unit in parts)
    if found <= 0:
        raise UsageError(f"time_limit is {limit}.", hint='It must be above 0: "30min".')
    return found


def _check_end(tuning: Tuning, desk: Desk, limit: float | None) -> None:
    """Raise where there is no trial to train with, or an error that was every trial's."""
    if desk.error:
        raise desk.error
    if desk.best() is not None:
        return
    if tuning.stopped == STOPPED:
        raise KeyboardInterrupt
    failed = [trial for trial in tuning.tried if trial.state == "failed"]
    checked = [trial for trial in tuning.tried if trial.state == "complete"]
    if checked:
        what = f"Every one of {len(checked)} trials failed a check: {words.state(checked[-1])}."
        raise TrainError(what, hint="Try another recipe, or look at one with nd.deploy.")
    why = f" The last failure: {failed[-1].why}" if failed else ""
    within = f" within {limit:g} s" if limit and not failed else ""
    raise TrainError(
        f"No trial came to its end{within}.{why}", hint="Give it more time or trials; the same call goes on from here."
    )
