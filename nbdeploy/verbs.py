"""What each verb of the terminal does: one call of the Python API, and what to say about it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.errors import DataError, UsageError, say
from nbdeploy.options import add_options, given, read_images
from nbdeploy.parsing import Parser

_WATCH_S = 2.0


@dataclass(frozen=True, slots=True)
class Done:
    """A verb's result: `data` for ``--json``, `text` for people, and whether every check passed."""

    data: Any
    text: str
    ok: bool = True
    then: Callable[[], None] | None = None
    """What goes on after the result was printed, on a line of its own: a server."""


def _keywords(args: argparse.Namespace, *, leave: Collection[str] = (), only: Collection[str] | None = None) -> Any:
    return given(add_options(Parser(), args.verb), args, leave=leave, only=only)


def dataset(args: argparse.Namespace) -> Done:
    """Make a data set's folder, or list the data sets."""
    from nbdeploy.data.datasets import dataset as make  # noqa: PLC0415 - called lazily
    from nbdeploy.data.datasets import dataset_cards  # noqa: PLC0415

    if args.list:
        cards = dataset_cards()
        return Done({name: str(card) for name, card in cards.items()}, "\n".join(map(str, cards.values())))
    if args.name is None:
        raise UsageError("Which data set?", hint="Type: nbdeploy dataset --list")
    out = make(args.name, **_keywords(args, leave={"name", "list"}))
    data = {"name": args.name, "path": str(out)}
    return Done(data, f"{out}\nNext: nbdeploy train {shlex.quote(str(out))} -o build/model")


def audit(args: argparse.Namespace) -> Done:
    """Say what is suspect. Findings are no failures."""
    from nbdeploy.data.audit import audit as look  # noqa: PLC0415 - called lazily

    found = look(args.data, **_keywords(args, leave={"data", "kind", "top"}))
    found = found.of(args.kind) if args.kind else found
    found = found.top(args.top) if args.top else found
    return Done(found.to_dict(), str(found))


def train(args: argparse.Namespace) -> Done:
    """Train, export, save."""
    from nbdeploy.core.files import check_place  # noqa: PLC0415 - called lazily
    from nbdeploy.data.reading import is_labelled, labelled_from  # noqa: PLC0415
    from nbdeploy.exporting.learner import export  # noqa: PLC0415
    from nbdeploy.training.arch import find_arch  # noqa: PLC0415
    from nbdeploy.training.images import train as fit  # noqa: PLC0415

    check_place(
        Path(args.out), overwrite=args.overwrite, mark="program.json"
    )  # what cannot be is said before minutes of work
    keywords = _keywords(args, leave={"data", "out", "overwrite", "valid", "raw", "report"})
    reading = {"valid", "seed"}
    if is_labelled(args.data, args.label, args.text):
        asked = {"label": keywords.pop("label", None), "text": keywords.pop("text", None)}
        images: Any = labelled_from(args.data, **asked, **_keywords(args, only=reading))
    else:
        find_arch(args.arch)
        images, _ = read_images(args.data, _keywords(args, only=reading), raw=args.raw)
    learn = fit(images, **keywords)
    kept = learn.history["kept"]
    loss, accuracy = (learn.history["epochs"][kept - 1][name] for name in ("valid_loss", "accuracy"))
    if int(os.environ.get("RANK") or 0):  # one of several processes that trained together: the first one saves
        return Done({}, "")
    program = export(learn, name=Path(args.out).name)
    program.save(args.out, overwrite=args.overwrite)
    quoted = shlex.quote(args.out)
    text = (
        f"{args.out}: {_learned(args, images)}, {accuracy:.1%} of held-out files right\n"
        f"{_report(learn, args.report)}"
        f"Next: nbdeploy deploy {quoted} --target tflite -o {quoted}-tflite"
    )
    arch = args.arch if hasattr(images, "set_aside") else None
    history = {key: learn.history[key] for key in ("kept", "stopped", "resumed", "lr")}
    return Done({"path": args.out, "arch": arch, "accuracy": accuracy, "loss": loss, **history}, text)


def _report(learn: Any, path: str | None) -> str:
    """Write the page of --report; gives the line that says so."""
    if path is None:
        return ""
    from nbdeploy.training.report import learn_report  # noqa: PLC0415 - called lazily

    return f"{learn_report(learn).save(path)}: what it gets right and wrong\n"


def pretrained(args: argparse.Namespace) -> Done:
    """Load, export, save."""
    from nbdeploy.core.files import check_place  # noqa: PLC0415 - called lazily
    from nbdeploy.exporting.learner import export  # noqa: PLC0415
    from nbdeploy.training.prebuilt import pretrained as ready  # noqa: PLC0415

    check_place(Path(args.out), overwrite=args.overwrite, mark="program.json")
    program = export(ready(**_keywords(args, leave={"out", "overwrite"})), name=Path(args.out).name)
    program.save(args.out, overwrite=args.overwrite)
    quoted, count = shlex.quote(args.out), len(program.signature.labels)
    text = (
        f"{args.out}: {args.arch} with {count:,} labels\n"
        f"Next: nbdeploy deploy {quoted} --target tflite -o {quoted}-tflite"
    )
    return Done({"path": args.out, "arch": args.arch, "labels": count}, text)


def tune(args: argparse.Namespace) -> Done:
    """Try many ways to train; train, export and save the best."""
    from nbdeploy.tuning.tune import tune as run  # noqa: PLC0415 - called lazily
    from nbdeploy.tuning.workers import STOPPED  # noqa: PLC0415

    images, _ = read_images(args.data, _keywords(args, only={"valid", "seed"}), raw=args.raw)
    tuning = run(images, **_keywords(args, leave={"data", "valid", "raw"}))
    if tuning.stopped == STOPPED:
        say(str(tuning))
        raise KeyboardInterrupt
    quoted, recipe = shlex.quote(args.out), tuning.recipe
    how = f"--target {args.target or 'tflite'}" + (f" --recipe {recipe}" if args.target and recipe != "fp32" else "")
    text = (
        f"{tuning}\n{args.out}: the winner\nNext: nbdeploy deploy {quoted} {how} -o {quoted}-{args.target or 'tflite'}"
    )
    return Done({"path": args.out, **tuning.to_dict()}, text)


def _learned(args: argparse.Namespace, images: Any) -> str:
    """What was trained: an architecture, or on how much of what."""
    return str(args.arch) if hasattr(images, "set_aside") else f"{len(images.train):,} {images.noun}s"


def deploy(args: argparse.Namespace) -> Done:
    """Export, shrink, verify, bundle."""
    from nbdeploy.flow import deploy as run  # noqa: PLC0415 - called lazily

    keywords = _keywords(args, leave={"model", "images"})
    images = {"images": _beside(args.model, args.images)} if args.images else {}
    bundle = run(args.model, **keywords, **images)
    if args.provider:  # an Endpoint or a Plan
        return Done(bundle.to_dict(), str(bundle))
    data = {
        "path": str(bundle.path),
        "name": bundle.name,
        "version": bundle.version,
        "target": bundle.target,
        "recipe": bundle.recipe,
        **bundle.report.to_dict(),
    }
    return Done(data, str(bundle))


def run(args: argparse.Namespace) -> Done:
    """Do what a pipeline's file says, and only what changed; or say what that would be."""
    from nbdeploy.errors import PipelineFailed  # noqa: PLC0415 - called lazily
    from nbdeploy.pipeline.running import Pipeline  # noqa: PLC0415

    if args.schema:
        from nbdeploy.pipeline.schema import json_schema  # noqa: PLC0415

        schema = json_schema()
        return Done(schema, json.dumps(schema, indent=2))
    pipeline = Pipeline.load(args.file)
    if args.check or args.dry_run:
        seen = pipeline.check(**_keywords(args, only={"until", "force", "provide"}))
        return Done(seen.to_dict(), str(seen), ok=seen.ok or not args.check)
    try:
        result = pipeline.run(**_keywords(args, only={"until", "force", "provide", "overwrite"}))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was done is kept, and the next run goes on from there.") from None
    except PipelineFailed as error:
        return Done(error.result.to_dict(), str(error.result), ok=False)
    return Done(result.to_dict(), str(result))


def init(args: argparse.Namespace) -> Done:
    """Write a project."""
    from nbdeploy.pipeline.project import init as write  # noqa: PLC0415 - called lazily

    project = write(args.folder, **_keywords(args, leave={"folder"}))
    return Done(project.to_dict(), str(project))


def _beside(model: Any, data: str) -> Any:
    """The data given beside a model: an ImageSet, or the path of rows or texts for a model that takes these."""
    from nbdeploy.flow import kind_of  # noqa: PLC0415 - called lazily

    return data if kind_of(model) in {"table", "text"} else read_images(data, {})[0]


def verify(args: argparse.Namespace) -> Done:
    """Check a bundle again."""
    from nbdeploy.flow import verify as run  # noqa: PLC0415 - called lazily

    images = _beside(args.model, args.images) if args.images else None
    keywords = _keywords(args, only={"verify_files", "arch"})
    report = run(args.bundle, args.model, images=images, **keywords)
    return Done(report.to_dict(), str(report), ok=report.ok)


def predict(args: argparse.Namespace) -> Done:
    """Ask a bundle about files."""
    from nbdeploy.core.bundle import Bundle  # noqa: PLC0415 - called lazily

    if not args.files and args.row is None and args.text is None:
        raise UsageError("FILE is missing.", hint="Type: nbdeploy predict BUNDLE FILE")
    bundle = Bundle.load(args.bundle)
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    # Of texts a string is the text itself, so a file is named by its path.
    texts = getattr(getattr(bundle, "signature", None), "kind", "") == "text"
    asked = [*(map(Path, args.files) if texts else args.files), *_written(args)]
    for file in asked:
        try:
            answer = bundle.predict(file)
        except DataError as error:
            if len(asked) == 1:
                raise
            rows.append({"file": str(file), "error": error.message})  # one bad file of many stops nothing
            lines.append(error.message)
        else:
            rows.append(answer.to_dict())
            lines.append(str(answer))
    return Done(rows, "\n".join(lines), ok=not any("error" in row for row in rows))


def _written(args: argparse.Namespace) -> list[Any]:
    """The row and the text that were written in the command's own line."""
    found: list[Any] = [] if args.text is None else [args.text]
    if args.row is not None:
        try:
            found.append(json.loads(args.row))
        except ValueError as error:
            raise UsageError(f"--row is no JSON ({error}).", hint="Type: --row '{\"column\": 1.5}'") from error
    return found


def serve(args: argparse.Namespace) -> Done:
    """Serve a bundle until the process is told to end. Prints one line of JSON when it takes connections."""
    from nbdeploy.serve.running import listen, new_token  # noqa: PLC0415 - called lazily

    if args.new_token:
        token = new_token(args.new_token, args.tokens)
        return Done({"name": args.new_token, "token": token}, token)
    if args.bundle is None:
        raise UsageError("Which bundle?", hint="Type: nbdeploy serve BUNDLE")
    listening = listen(args.bundle, **_keywords(args, leave={"bundle", "new_token"}))
    listening.heed_signals()
    return Done(listening.to_dict(), json.dumps(listening.to_dict()), then=listening.run)


def endpoints(args: argparse.Namespace) -> Done:
    """All endpoints as a table, or one of them and what is to be done with it."""
    from nbdeploy.flow import endpoints as find  # noqa: PLC0415 - called lazily

    every = find()
    if args.name is None:
        if args.watch:
            return Done({}, str(every), then=lambda: _watch(every))
        data = every.to_dict()
        return Done(data, every.as_text(data["endpoints"]))
    one = every[args.name]
    if args.action is None or args.action == "status":
        status = one.status()
        lines = [str(one), f"{status['state']}: {status['why']}" if status["why"] else status["state"]]
        return Done({**one.to_dict(), "status": status}, "\n".join(lines), ok=status["state"] != "down")
    if args.action == "logs":
        said = one.logs(args.lines)
        return Done({"lines": said}, "\n".join(said))
    if args.action == "remove":
        one.remove(forget=args.forget)
        return Done({"name": args.name, "removed": True}, f"{args.name} is gone, with all that was made for it.")
    if args.action == "update":
        one.update(args.model)
    elif args.action == "canary":
        one.canary(_wanted(args), args.share)
    else:
        one.rollback()
    return Done(one.to_dict(), str(one))


def _wanted(args: argparse.Namespace) -> str | None:
    """The bundle of a canary; None to end it."""
    if not args.model and not args.end:
        raise UsageError("Which bundle?", hint=f"Type: nbdeploy endpoints {args.name} canary BUNDLE --share 0.1")
    return None if args.end else str(args.model)


def _watch(every: Any) -> None:
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(_WATCH_S)
            table = str(every)
            clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else "\n"
            sys.stdout.write(f"{clear}{table}\n")
            sys.stdout.flush()


def runs(args: argparse.Namespace) -> Done:
    """All runs as a table, or one of them and what is to be done with it."""
    from nbdeploy.core.figures import check_picture, save_figure  # noqa: PLC0415 - called lazily
    from nbdeploy.flow import runs as find  # noqa: PLC0415

    for file in filter(None, (args.plot, args.history)):
        check_picture(file)  # what cannot be is said first
    found = find(**_keywords(args, only={"kind", "where", "status", "all", "removed"}))
    if args.id is not None:
        run, action = found[args.id], args.action or "show"
        if action == "compare":
            made: Any = found.compare(run, *args.words)
        elif action in {"note", "tag"}:
            made = run.note(" ".join(args.words)) if action == "note" else run.tag(*args.words)
        else:
            made = run if action == "show" else getattr(run, action)()
        text = (
            f"{run.id} is no longer listed. Undo: nbdeploy runs {run.id} restore" if action == "remove" else str(made)
        )
        return Done(made.to_dict(), text)
    found = found.sort(args.sort) if args.sort else found
    drawn = [f"{save_figure(found.plot(), args.plot)}: parallel coordinates"] if args.plot else []
    drawn += [f"{save_figure(found.history(), args.history)}: epoch by epoch"] if args.history else []
    return Done(found.to_dict(), "\n".join([str(found), *drawn]))


def advise(args: argparse.Namespace) -> Done:
    """Say where a model should run, and draw what that costs where asked."""
    from nbdeploy.advising.advice import advise as run  # noqa: PLC0415 - called lazily
    from nbdeploy.advising.chart import save  # noqa: PLC0415
    from nbdeploy.core.figures import check_picture  # noqa: PLC0415

    if args.plot:
        check_picture(args.plot)  # what cannot be is said before anything is measured
    advice = run(args.model, **_keywords(args, leave={"model", "plot"}))
    drawn = [f"{save(advice, args.plot)}: cost against requests a day"] if args.plot else []
    return Done(advice.to_dict(), "\n".join([str(advice), *drawn]))


def doctor(args: argparse.Namespace) -> Done:
    """Say what is installed."""
    from nbdeploy.checkup import doctor as look  # noqa: PLC0415 - called lazily

    found = look(**_keywords(args))
    return Done(found.to_dict(), str(found))


def demo(args: argparse.Namespace) -> Done:
    """Run the quickstart notebook."""
    from nbdeploy.demo import run_demo  # noqa: PLC0415 - called lazily

    bundle = run_demo(args.out)
    data = {"path": str(bundle.path), **bundle.report.to_dict()}
    return Done(data, str(bundle))
