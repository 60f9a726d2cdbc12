"""%clean, %collect, %train, ...: each parses its line, makes one call of the Python API and prints that call."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from IPython.core.error import UsageError
from IPython.display import display

from nbdeploy import errors
from nbdeploy.jupyter.complete import make_matcher
from nbdeploy.jupyter.faults import name_bad_picture
from nbdeploy.jupyter.learners import Watch
from nbdeploy.jupyter.naming import Names, one_line, say_line
from nbdeploy.jupyter.notes import show_notes
from nbdeploy.options import MAGICS, Code, add_options, given, python_call
from nbdeploy.parsing import Parser

_LIVE = {
    ("nbdeploy.providers.table", "Endpoints"): "nbdeploy.jupyter.widgets.endpoints",
    ("nbdeploy.tracking.runs", "Runs"): "nbdeploy.jupyter.widgets.runs",
}
"""What a notebook shows live -> the module whose `show` does."""
_ATTRIBUTE = "_nbdeploy_magics"


class Magics:
    """The magics of one shell, with what they remember of it."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.watch = Watch(shell)
        self.names = Names(shell, self.watch)
        self.matcher = make_matcher(self.watch)
        self.events: dict[str, Callable[..., None]] = {
            "pre_run_cell": self.watch.before_cell,
            "post_run_cell": self.after_cell,
        }
        self.end_notes = show_notes()

    def after_cell(self, result: Any = None) -> None:
        """Record the Learners that the cell made, and name the picture that stopped it, where one did."""
        self.watch.after_cell(result)
        name_bad_picture(getattr(result, "error_in_exec", None))

    def collect(self, line: str) -> Any:
        """Collect pictures into a folder; %collect --help says more."""
        parsed = _parse("collect", line)
        if parsed is None:
            return None
        parser, args = parsed
        from nbdeploy.jupyter.widgets.collector import Collector  # noqa: PLC0415 - loads ipywidgets

        found, value = self.names.variable(args.folder)
        folder = str(value) if found and isinstance(value, str | Path) else args.folder
        keywords = given(parser, args, leave={"folder"})
        say_line(python_call("nd.Collector", folder, **keywords))
        return Collector(folder, **keywords)

    def clean(self, line: str) -> Any:
        """Look through suspect pictures and decide; %clean --help says more."""
        parsed = _parse("clean", line)
        if parsed is None:
            return None
        parser, args = parsed
        keywords = given(parser, args, leave={"images", "learn"})
        shown = dict(keywords)
        if args.learn:
            keywords["learn"], shown["learn"] = self.names.learner(args.learn), Code(args.learn)
        images, call = self.names.to_clean(args.images, given(parser, args, only={"seed"}))
        from nbdeploy.jupyter.widgets.cleaner import Cleaner  # noqa: PLC0415 - loads anywidget

        say_line(python_call("nd.Cleaner", call, **shown))
        return Cleaner(images, **keywords)

    def train(self, line: str) -> Any:
        """Train a classifier of pictures, rows or texts; %train --help says more."""
        parsed = _parse("train", line)
        if parsed is None:
            return None
        parser, args = parsed
        from nbdeploy.training.arch import find_arch, load_libraries  # noqa: PLC0415 - imports torch
        from nbdeploy.training.images import train  # noqa: PLC0415

        load_libraries()
        find_arch(args.arch)  # before a large folder is read
        reading = given(parser, args, only={"valid", "seed"})
        keywords = given(parser, args, leave={"data", "valid", "raw"})
        found = self.names.labelled(args.data, reading, keywords)
        images, shown = found or self.names.images(args.data, reading, raw=args.raw)
        say_line(python_call("nd.train", shown, **keywords))
        return train(images, **keywords)

    def pretrained(self, line: str) -> Any:
        """Take a ready model with its labels; %pretrained --help says more."""
        parsed = _parse("pretrained", line)
        if parsed is None:
            return None
        parser, args = parsed
        from nbdeploy.training.prebuilt import pretrained  # noqa: PLC0415 - imports torch

        keywords = given(parser, args, leave={"arch"})
        shown = dict(keywords)
        found, value = self.names.variable(args.images) if args.images else (False, None)
        if found:
            keywords["images"], shown["images"] = value, Code(args.images)
        say_line(python_call("nd.pretrained", args.arch, **shown))
        return pretrained(args.arch, **keywords)

    def tune(self, line: str) -> Any:
        """Try many ways to train, and train the best one; %tune --help says more."""
        parsed = _parse("tune", line)
        if parsed is None:
            return None
        parser, args = parsed
        from nbdeploy.tuning.tune import tune  # noqa: PLC0415 - only this magic needs it

        images, shown = self.names.images(args.data, given(parser, args, only={"valid", "seed"}), raw=args.raw)
        keywords = given(parser, args, leave={"data", "valid", "raw"})
        say_line(python_call("nd.tune", shown, **keywords))
        return tune(images, **keywords)

    def deploy(self, line: str) -> Any:
        """Export, shrink, verify and bundle a model; %deploy --help says more."""
        parsed = _parse("deploy", line)
        if parsed is None:
            return None
        parser, args = parsed
        if args.target is None and args.provider is None:
            raise UsageError("--target is missing, or --provider. Example: %deploy --target tflite")
        model, name = (
            self.names.newest() if args.model is None else self.names.model(args.model, provider=args.provider)
        )
        from nbdeploy.flow import deploy  # noqa: PLC0415 - imports torch

        keywords = given(parser, args, leave={"model", "images"})
        shown = dict(keywords)
        if args.images:
            keywords["images"], shown["images"] = self.names.images(args.images, {})
        say_line(python_call("nd.deploy", name, **shown))
        return deploy(model, **keywords)

    def ship(self, line: str) -> Any:
        """Deploy by a panel, with every step to be seen; %ship --help says more."""
        parsed = _parse("ship", line)
        if parsed is None:
            return None
        parser, args = parsed
        model, name = self.names.newest("ship") if args.model is None else self.names.model(args.model, "ship")
        from nbdeploy.jupyter.widgets.ship import Ship  # noqa: PLC0415 - loads anywidget

        keywords = given(parser, args, leave={"model"})
        call = python_call("nd.Ship", name, **keywords)
        say_line(call)
        return Ship(model, code=name.text if isinstance(name, Code) else "", **keywords)

    def compare(self, line: str) -> Any:
        """Put bundles side by side with the model they were made from; %compare --help says more."""
        parsed = _parse("compare", line)
        if parsed is None:
            return None
        from nbdeploy.core.comparison import compare  # noqa: PLC0415 - only this magic needs it

        chosen = [self.names.bundle(text) for text in parsed[1].bundles] or self.names.all_bundles()
        say_line(python_call("nd.compare", *(shown for _, shown in chosen)))
        return compare(*(bundle for bundle, _ in chosen))

    def endpoints(self, line: str) -> Any:
        """A live table of endpoints, or one of them and what is to be done with it; %endpoints --help says more."""
        parsed = _parse("endpoints", line)
        if parsed is None:
            return None
        _, args = parsed
        from nbdeploy.flow import endpoints  # noqa: PLC0415 - only this magic needs it

        call = "nd.endpoints()"
        if args.name is None:
            say_line(call)
            return endpoints()
        one, call = endpoints()[args.name], f"{call}[{json.dumps(args.name)}]"
        if args.action is None:
            say_line(call)
            return one
        values: list[Any] = [args.lines] * (args.action == "logs")
        shown = list(values)
        if args.action in {"update", "canary"} and args.model:
            found, value = self.names.variable(args.model)
            values, shown = ([value], [Code(args.model)]) if found else ([args.model], [args.model])
        if args.action == "canary":
            if not values and not args.end:
                raise UsageError(f"Which bundle? Type: %endpoints {args.name} canary BUNDLE --share 0.1")
            values, shown = ([None], [None]) if args.end else ([*values, args.share], [*shown, args.share])
        keywords = {"forget": True} if args.forget and args.action == "remove" else {}
        say_line(python_call(f"{call}.{args.action}", *shown, **keywords))
        return getattr(one, args.action)(*values, **keywords)

    def runs(self, line: str) -> Any:
        """A live table of runs, or one of them and what is to be done with it; %runs --help says more."""
        parsed = _parse("runs", line)
        if parsed is None:
            return None
        parser, args = parsed
        from nbdeploy.jupyter.running import asked_of_runs  # noqa: PLC0415 - only this magic needs it

        return asked_of_runs(args, given(parser, args, only={"kind", "where", "status", "all", "removed"}))

    def advise(self, line: str) -> Any:
        """Say where a model should run, and what that costs; %advise --help says more."""
        parsed = _parse("advise", line)
        if parsed is None:
            return None
        parser, args = parsed
        model, name = self.names.to_advise(args.model)
        from nbdeploy.advising.advice import advise  # noqa: PLC0415 - only this magic needs it

        keywords = given(parser, args, leave={"model"})
        say_line(python_call("nd.advise", name, **keywords))
        return advise(model, **keywords)

    def pipeline(self, line: str, cell: str | None = None) -> Any:
        """Do what the cell says, data to bundles, and only what changed; %pipeline --help says more."""
        parsed = _parse("pipeline", line)
        if parsed is None:
            return None
        parser, args = parsed
        if cell is None:
            raise UsageError(
                "A pipeline stands in the cell, below a line that begins with %%pipeline. "
                'One in a file: nd.Pipeline.load("pipeline.yaml").run()'
            )
        if not args.name.isidentifier():
            raise UsageError(f"{args.name} is no name of a variable. Example: %%pipeline pets")
        from nbdeploy.pipeline.running import Pipeline  # noqa: PLC0415 - only this magic needs it

        pipeline = Pipeline.parse(cell, source="the cell")
        only = {"until", "force", "provide"} | (set() if args.dry_run else {"overwrite"})
        keywords, verb = given(parser, args, only=only), "check" if args.dry_run else "run"
        text = Code("text_of_this_cell")
        say_line(f"{args.name} = {python_call('nd.Pipeline.parse', text)}{python_call(f'.{verb}', **keywords)}")
        try:
            result = getattr(pipeline, verb)(**keywords)
        except errors.PipelineFailed as error:
            self.shell.user_ns[args.name] = error.result
            display(error.result)
            raise
        self.shell.user_ns[args.name] = result
        return result

    def doctor(self, line: str) -> Any:
        """Say what is installed, what is missing, and what to type."""
        parsed = _parse("doctor", line)
        if parsed is None:
            return None
        from nbdeploy.checkup import doctor  # noqa: PLC0415 - only this magic needs it

        keywords = given(*parsed)
        say_line(python_call("nd.doctor", **keywords))
        return doctor(**keywords)


def load(shell: Any) -> None:
    """Register the magics, their completion, the watch for Learners and nbdeploy's way of showing its warnings.

    Loading twice is loading once.
    """
    unload(shell)
    magics = Magics(shell)
    for name in _names():
        shell.register_magic_function(getattr(magics, name), _kind(name), name)
    for event, callback in magics.events.items():
        shell.events.register(event, callback)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(magics.matcher)
    for kind, module in _LIVE.items():
        shell.display_formatter.ipython_display_formatter.for_type_by_name(*kind, _shows(module))
    setattr(shell, _ATTRIBUTE, magics)


def unload(shell: Any) -> None:
    """Take away what `load` registered."""
    magics = getattr(shell, _ATTRIBUTE, None)
    if magics is None:
        return
    for name in _names():
        for registered in shell.magics_manager.magics.values():
            registered.pop(name, None)
    for event, callback in magics.events.items():
        shell.events.unregister(event, callback)
    if shell.Completer is not None and magics.matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(magics.matcher)
    for kind in _LIVE:
        with contextlib.suppress(KeyError):
            shell.display_formatter.ipython_display_formatter.pop(".".join(kind))
    magics.end_notes()
    delattr(shell, _ATTRIBUTE)


def _shows(module: str) -> Callable[[Any], None]:
    def show(value: Any) -> None:
        importlib.import_module(module).show(value)  # loads anywidget

    return show


def _names() -> list[str]:
    return list(MAGICS)


def _kind(name: str) -> Literal["line", "line_cell"]:
    """A magic for cells is one for lines too, since IPython asks no cell magic for help without a cell below."""
    return "line_cell" if MAGICS[name].cell else "line"


def _parse(verb: str, line: str) -> tuple[Parser, argparse.Namespace] | None:
    """The line's options, or None where --help was asked for and printed. Raises IPython's one-line UsageError."""
    parser = add_options(Parser(prog=f"{'%%' if MAGICS[verb].cell else '%'}{verb}"), verb, notebook=True)
    try:
        return parser, parser.parse_args(shlex.split(line))
    except SystemExit:  # --help; a cell must not end the kernel
        return None
    except (errors.UsageError, ValueError) as error:  # ValueError: shlex, no closing quotation
        raise UsageError(one_line(error)) from None
