"""%clean, %collect, %train, ...: each makes one call of the Python API and prints that call."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.display import display

from nbdeploy import errors
from nbdeploy.jupyter.complete import make_matcher
from nbdeploy.jupyter.faults import name_bad_picture
from nbdeploy.jupyter.learners import Watch
from nbdeploy.jupyter.naming import Names, in_one_line, say_line
from nbdeploy.jupyter.notes import show_notes
from nbdeploy.options import Code, python_call
from nbdeploy.parsing import Line
from nbdeploy.questions.endpoints import endpoint_call
from nbdeploy.questions.runs import FILTERS, run_call


class Magics:
    """The magics of one shell, with what they remember of it. One that is named as a verb does what its line asks."""

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

    def collect(self, line: Line) -> Any:
        """Collect pictures into a folder; %collect --help says more."""
        from nbdeploy.jupyter.widgets.collector import Collector  # noqa: PLC0415 - loads ipywidgets

        args = line.args
        found, value = self.names.variable(args.folder)
        folder = str(value) if found and isinstance(value, str | Path) else args.folder
        keywords = line.given(leave={"folder"})
        say_line(python_call("nd.Collector", folder, **keywords))
        return Collector(folder, **keywords)

    def clean(self, line: Line) -> Any:
        """Look through suspect pictures and decide; %clean --help says more."""
        args = line.args
        keywords = line.given(leave={"images", "learn"})
        shown = dict(keywords)
        if args.learn:
            keywords["learn"], shown["learn"] = self.names.learner(args.learn), Code(args.learn)
        images, call = self.names.to_clean(args.images, line.given(only={"seed"}))
        from nbdeploy.jupyter.widgets.cleaner import Cleaner  # noqa: PLC0415 - loads anywidget

        say_line(python_call("nd.Cleaner", call, **shown))
        return Cleaner(images, **keywords)

    def train(self, line: Line) -> Any:
        """Train a classifier of pictures, rows or texts; %train --help says more."""
        from nbdeploy.training.arch import find_arch, load_libraries  # noqa: PLC0415 - imports torch
        from nbdeploy.training.images import train  # noqa: PLC0415

        args = line.args
        load_libraries()
        find_arch(args.arch)  # before a large folder is read
        reading = line.given(only={"valid", "seed"})
        keywords = line.given(leave={"data", "valid", "raw"})
        found = self.names.labelled(args.data, reading, keywords)
        images, shown = found or self.names.images(args.data, reading, raw=args.raw)
        say_line(python_call("nd.train", shown, **keywords))
        return train(images, **keywords)

    def pretrained(self, line: Line) -> Any:
        """Take a ready model with its labels; %pretrained --help says more."""
        from nbdeploy.training.prebuilt import pretrained  # noqa: PLC0415 - imports torch

        args = line.args
        keywords = line.given(leave={"arch"})
        shown = dict(keywords)
        found, value = self.names.variable(args.images) if args.images else (False, None)
        if found:
            keywords["images"], shown["images"] = value, Code(args.images)
        say_line(python_call("nd.pretrained", args.arch, **shown))
        return pretrained(args.arch, **keywords)

    def tune(self, line: Line) -> Any:
        """Try many ways to train, and train the best one; %tune --help says more."""
        from nbdeploy.tuning.tune import tune  # noqa: PLC0415 - only this magic needs it

        args = line.args
        images, shown = self.names.images(args.data, line.given(only={"valid", "seed"}), raw=args.raw)
        keywords = line.given(leave={"data", "valid", "raw"})
        say_line(python_call("nd.tune", shown, **keywords))
        return tune(images, **keywords)

    def deploy(self, line: Line) -> Any:
        """Export, shrink, verify and bundle a model; %deploy --help says more."""
        args = line.args
        if args.target is None and args.provider is None:
            raise UsageError("--target is missing, or --provider. Example: %deploy --target tflite")
        model, name = (
            self.names.newest() if args.model is None else self.names.model(args.model, provider=args.provider)
        )
        from nbdeploy.flow import deploy  # noqa: PLC0415 - imports torch

        keywords = line.given(leave={"model", "images"})
        shown = dict(keywords)
        if args.images:
            keywords["images"], shown["images"] = self.names.images(args.images, {})
        say_line(python_call("nd.deploy", name, **shown))
        return deploy(model, **keywords)

    def ship(self, line: Line) -> Any:
        """Deploy by a panel, with every step to be seen; %ship --help says more."""
        args = line.args
        model, name = self.names.newest("ship") if args.model is None else self.names.model(args.model, "ship")
        from nbdeploy.jupyter.widgets.ship import Ship  # noqa: PLC0415 - loads anywidget

        keywords = line.given(leave={"model"})
        call = python_call("nd.Ship", name, **keywords)
        say_line(call)
        return Ship(model, code=name.text if isinstance(name, Code) else "", **keywords)

    def compare(self, line: Line) -> Any:
        """Put bundles side by side with the model they were made from; %compare --help says more."""
        from nbdeploy.core.comparison import compare  # noqa: PLC0415 - only this magic needs it

        chosen = [self.names.bundle(text) for text in line.args.bundles] or self.names.all_bundles()
        say_line(python_call("nd.compare", *(shown for _, shown in chosen)))
        return compare(*(bundle for bundle, _ in chosen))

    def endpoints(self, line: Line) -> Any:
        """A live table of endpoints, or one of them and what is to be done with it; %endpoints --help says more."""
        from nbdeploy.flow import endpoints  # noqa: PLC0415 - only this magic needs it

        args = line.args
        call = "nd.endpoints()"
        if args.name is None:
            say_line(call)
            return endpoints()
        one, call = endpoints()[args.name], f"{call}[{json.dumps(args.name)}]"
        if args.action is None:
            say_line(call)
            return one
        found, value = self.names.variable(args.model) if args.model else (False, None)
        with in_one_line():
            asked = endpoint_call(line, value if found else args.model)
            shown = endpoint_call(line, Code(args.model) if found else args.model)
        say_line(shown.after(call))
        return asked.on(one)

    def runs(self, line: Line) -> Any:
        """A live table of runs, or one of them and what is to be done with it; %runs --help says more."""
        from nbdeploy.core.figures import save_figure  # noqa: PLC0415 - only this magic needs them
        from nbdeploy.flow import runs  # noqa: PLC0415

        args = line.args
        keywords = line.given(only=FILTERS)
        found, call = runs(**keywords), python_call("nd.runs", **keywords)
        if args.id is None:
            if args.sort:
                found, call = found.sort(args.sort), python_call(f"{call}.sort", args.sort)
            for name, file in (("plot", args.plot), ("history", args.history)):
                if file:
                    say_line(f"{call}.{name}().savefig({file!r})")
                    save_figure(getattr(found, name)(), file)
            say_line(call)
            return found
        asked = run_call(args)
        if args.action != "compare":
            found, call = found[args.id], f'{call}["{args.id}"]'
        say_line(call if asked is None else asked.after(call))
        return found if asked is None else asked.on(found)

    def advise(self, line: Line) -> Any:
        """Say where a model should run, and what that costs; %advise --help says more."""
        args = line.args
        model, name = self.names.to_advise(args.model)
        from nbdeploy.advising.advice import advise  # noqa: PLC0415 - only this magic needs it

        keywords = line.given(leave={"model"})
        say_line(python_call("nd.advise", name, **keywords))
        return advise(model, **keywords)

    def pipeline(self, line: Line, cell: str | None = None) -> Any:
        """Do what the cell says, data to bundles, and only what changed; %pipeline --help says more."""
        args = line.args
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
        keywords, verb = line.given(only=only), "check" if args.dry_run else "run"
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

    def doctor(self, line: Line) -> Any:
        """Say what is installed, what is missing, and what to type."""
        from nbdeploy.checkup import doctor  # noqa: PLC0415 - only this magic needs it

        keywords = line.given()
        say_line(python_call("nd.doctor", **keywords))
        return doctor(**keywords)
