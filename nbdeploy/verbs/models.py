"""nbdeploy train, nbdeploy pretrained, nbdeploy tune: what makes a model that `nbdeploy deploy` takes."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.errors import say
from nbdeploy.options import read_images
from nbdeploy.parsing import Line
from nbdeploy.verbs.done import Done

if TYPE_CHECKING:
    from nbdeploy.exporting.program import Program

_READING = frozenset({"valid", "seed"})


def train(line: Line) -> Done:
    """Train, export, save."""
    from nbdeploy.data.reading import is_labelled, labelled_from  # noqa: PLC0415 - called lazily
    from nbdeploy.training.arch import find_arch  # noqa: PLC0415
    from nbdeploy.training.images import train as fit  # noqa: PLC0415

    args = line.args
    _check_out(args)
    keywords = line.given(leave={"data", "out", "overwrite", "valid", "raw", "report"})
    if is_labelled(args.data, args.label, args.text):
        asked = {"label": keywords.pop("label", None), "text": keywords.pop("text", None)}
        images: Any = labelled_from(args.data, **asked, **line.given(only=_READING))
        arch, learned = None, f"{len(images.train):,} {images.noun}s"
    else:
        find_arch(args.arch)
        images, _ = read_images(args.data, line.given(only=_READING), raw=args.raw)
        arch = learned = args.arch
    learn = fit(images, **keywords)
    kept = learn.history["kept"]
    loss, accuracy = (learn.history["epochs"][kept - 1][name] for name in ("valid_loss", "accuracy"))
    if int(os.environ.get("RANK") or 0):  # one of several processes that trained together: the first one saves
        return Done({}, "")
    _save(learn, args)
    text = (
        f"{args.out}: {learned}, {accuracy:.1%} of held-out files right\n{_report(learn, args.report)}{_next(args.out)}"
    )
    history = {key: learn.history[key] for key in ("kept", "stopped", "resumed", "lr")}
    return Done({"path": args.out, "arch": arch, "accuracy": accuracy, "loss": loss, **history}, text)


def _report(learn: Any, path: str | None) -> str:
    """Write the page of --report; gives the line that says so."""
    if path is None:
        return ""
    from nbdeploy.training.report import learn_report  # noqa: PLC0415 - called lazily

    return f"{learn_report(learn).save(path)}: what it gets right and wrong\n"


def pretrained(line: Line) -> Done:
    """Load, export, save."""
    from nbdeploy.training.prebuilt import pretrained as ready  # noqa: PLC0415 - called lazily

    args = line.args
    _check_out(args)
    program = _save(ready(**line.given(leave={"out", "overwrite"})), args)
    count = len(program.signature.labels)
    text = f"{args.out}: {args.arch} with {count:,} labels\n{_next(args.out)}"
    return Done({"path": args.out, "arch": args.arch, "labels": count}, text)


def tune(line: Line) -> Done:
    """Try many ways to train; train, export and save the best."""
    from nbdeploy.tuning.tune import tune as run  # noqa: PLC0415 - called lazily
    from nbdeploy.tuning.workers import STOPPED  # noqa: PLC0415

    args = line.args
    images, _ = read_images(args.data, line.given(only=_READING), raw=args.raw)
    tuning = run(images, **line.given(leave={"data", "valid", "raw"}))
    if tuning.stopped == STOPPED:
        say(str(tuning))
        raise KeyboardInterrupt
    following = _next(args.out, args.target, tuning.recipe) if args.target else _next(args.out)
    return Done({"path": args.out, **tuning.to_dict()}, f"{tuning}\n{args.out}: the winner\n{following}")


def _check_out(args: argparse.Namespace) -> None:
    """Raise OutputError where the model could not be saved, before minutes of work."""
    from nbdeploy.core.files import check_place  # noqa: PLC0415 - called lazily

    check_place(Path(args.out), overwrite=args.overwrite, mark="program.json")


def _save(learn: Any, args: argparse.Namespace) -> Program:
    from nbdeploy.exporting.learner import export  # noqa: PLC0415 - fastai

    program = export(learn, name=Path(args.out).name)
    program.save(args.out, overwrite=args.overwrite)
    return program


def _next(out: str, target: str = "tflite", recipe: str = "fp32") -> str:
    """The line to type next for the model at `out`."""
    quoted = shlex.quote(out)
    how = "" if recipe == "fp32" else f" --recipe {recipe}"
    return f"Next: nbdeploy deploy {quoted} --target {target}{how} -o {quoted}-{target}"
