"""%clean, %collect, %train, ...: each parses its line, makes one call of the Python API and prints that call."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from nbdeploy import errors
from nbdeploy.jupyter.complete import make_matcher
from nbdeploy.jupyter.faults import name_bad_picture
from nbdeploy.jupyter.learners import IPYTHONS_OWN, Watch, is_learner
from nbdeploy.jupyter.notes import show_notes
from nbdeploy.options import MAGICS, Code, add_options, given, images_call, python_call, read_images
from nbdeploy.parsing import Parser

_ENDPOINTS = ("nbdeploy.providers.table", "Endpoints")
_ATTRIBUTE = "_nbdeploy_magics"
_NO_BUNDLE = "There is no bundle in this notebook. Make one (%deploy --target TARGET) or name a bundle's folder."
_TAKES = "a Learner, a Program or a saved model's folder"


class Magics:
    """The magics of one shell, with what they remember of it."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.watch = Watch(shell)
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

        found, value = self._variable(args.folder)
        folder = str(value) if found and isinstance(value, str | Path) else args.folder
        keywords = given(parser, args, leave={"folder"})
        _say(python_call("nd.Collector", folder, **keywords))
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
            keywords["learn"], shown["learn"] = self._learner(args.learn), Code(args.learn)
        images, call = self._to_clean(args.images, given(parser, args, only={"seed"}))
        from nbdeploy.jupyter.widgets.cleaner import Cleaner  # noqa: PLC0415 - loads anywidget

        _say(python_call("nd.Cleaner", call, **shown))
        return Cleaner(images, **keywords)

    def train(self, line: str) -> Any:
        """Train an image classifier; %train --help says more."""
        parsed = _parse("train", line)
        if parsed is None:
            return None
        parser, args = parsed
        from nbdeploy.training.arch import find_arch, load_libraries  # noqa: PLC0415 - imports torch
        from nbdeploy.training.images import train  # noqa: PLC0415

        load_libraries()
        find_arch(args.arch)  # before a large folder is read
        reading = given(parser, args, only={"valid", "seed"})
        images, shown = self._images(args.data, reading, raw=args.raw)
        keywords = given(parser, args, leave={"data", "valid", "raw"})
        _say(python_call("nd.train", shown, **keywords))
        return train(images, **keywords)

    def deploy(self, line: str) -> Any:
        """Export, shrink, verify and bundle a model; %deploy --help says more."""
        parsed = _parse("deploy", line)
        if parsed is None:
            return None
        parser, args = parsed
        if args.target is None and args.provider is None:
            raise UsageError("--target is missing, or --provider. Example: %deploy --target tflite")
        model, name = self._newest() if args.model is None else self._model(args.model, provider=args.provider)
        from nbdeploy.flow import deploy  # noqa: PLC0415 - imports torch

        keywords = given(parser, args, leave={"model", "images"})
        shown = dict(keywords)
        if args.images:
            keywords["images"], shown["images"] = self._images(args.images, {})
        _say(python_call("nd.deploy", name, **shown))
        return deploy(model, **keywords)

    def compare(self, line: str) -> Any:
        """Put bundles side by side with the model they were made from; %compare --help says more."""
        parsed = _parse("compare", line)
        if parsed is None:
            return None
        from nbdeploy.core.comparison import compare  # noqa: PLC0415 - only this magic needs it

        chosen = [self._bundle(text) for text in parsed[1].bundles] or self._all_bundles()
        _say(python_call("nd.compare", *(shown for _, shown in chosen)))
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
            _say(call)
            return endpoints()
        one, call = endpoints()[args.name], f"{call}[{json.dumps(args.name)}]"
        if args.action is None:
            _say(call)
            return one
        values: list[Any] = [args.lines] * (args.action == "logs")
        shown = list(values)
        if args.action in {"update", "canary"} and args.model:
            found, value = self._variable(args.model)
            values, shown = ([value], [Code(args.model)]) if found else ([args.model], [args.model])
        if args.action == "canary":
            if not values and not args.end:
                raise UsageError(f"Which bundle? Type: %endpoints {args.name} canary BUNDLE --share 0.1")
            values, shown = ([None], [None]) if args.end else ([*values, args.share], [*shown, args.share])
        keywords = {"forget": True} if args.forget and args.action == "remove" else {}
        _say(python_call(f"{call}.{args.action}", *shown, **keywords))
        return getattr(one, args.action)(*values, **keywords)

    def advise(self, line: str) -> Any:
        """Say where a model should run, and what that costs; %advise --help says more."""
        parsed = _parse("advise", line)
        if parsed is None:
            return None
        parser, args = parsed
        model, name = self._to_advise(args.model)
        from nbdeploy.advising.advice import advise  # noqa: PLC0415 - only this magic needs it

        keywords = given(parser, args, leave={"model"})
        _say(python_call("nd.advise", name, **keywords))
        return advise(model, **keywords)

    def doctor(self, line: str) -> Any:
        """Say what is installed, what is missing, and what to type."""
        parsed = _parse("doctor", line)
        if parsed is None:
            return None
        from nbdeploy.checkup import doctor  # noqa: PLC0415 - only this magic needs it

        keywords = given(*parsed)
        _say(python_call("nd.doctor", **keywords))
        return doctor(**keywords)

    def _newest(self, verb: str = "deploy") -> tuple[Any, Code]:
        learners = self.watch.learners()
        if not learners:
            raise UsageError(
                "There is no Learner in this notebook. Train one (%train DIR) or name a saved model's folder."
            )
        newest = learners[-1]
        others = f"; for another: %{verb} {learners[-2].name} ..." if len(learners) > 1 else ""
        _say(f"using {newest}{others}")
        return newest.learn, Code(newest.name)

    def _model(
        self, text: str, verb: str = "deploy", takes: str = _TAKES, *, provider: str | None = None
    ) -> tuple[Any, Code | str]:
        found, value = self._variable(text)
        placed = provider is not None and _is(value, "nbdeploy.core.bundle", "Bundle")
        if found and (is_learner(value) or placed or _is(value, "nbdeploy.exporting.program", "Program")):
            return value, Code(text)
        if found and isinstance(value, str | Path):
            return str(value), str(value)
        if Path(text).expanduser().exists():
            return text, text
        if found:
            what = type(value).__name__
            raise UsageError(f"{text} is a {what}; %{verb} takes {takes}.")
        known = [learner.name for learner in self.watch.learners()]
        note = "" if known else "This notebook has no Learner; train one with %train DIR."
        raise UsageError(_one_line(errors.UnknownName("Learner, Program or folder", text, known, note=note)))

    def _bundle(self, text: str) -> tuple[Any, Code | str]:
        found, value = self._variable(text)
        if found and isinstance(value, str | Path):
            return str(value), str(value)
        if found:
            return value, Code(text)
        if Path(text).expanduser().exists():
            return str(Path(text).expanduser()), text
        known = [shown.text for _, shown in self._held()]
        raise UsageError(_one_line(errors.UnknownName("bundle or folder", text, known, note=_NO_BUNDLE * (not known))))

    def _all_bundles(self) -> list[tuple[Any, Code]]:
        if not (held := self._held()):
            raise UsageError(_NO_BUNDLE)
        return held

    def _held(self) -> list[tuple[Any, Code]]:
        """The notebook's bundles by their names, each once, those in lists and dicts by the name of that."""
        found: list[tuple[Any, Code]] = []
        seen: set[int] = set()
        for name, value in self.shell.user_ns.items():
            inside = (
                value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            )
            bundles = {id(one) for one in inside if _is(one, "nbdeploy.core.bundle", "Bundle")}
            if not IPYTHONS_OWN.fullmatch(name) and len(bundles) == len(inside) and bundles - seen:
                seen |= bundles
                found.append((value, Code(name)))
        return found

    def _to_advise(self, text: str | None) -> tuple[Any, Code | str]:
        """A bundle before all else: it is measured as it stands, while of a model one is made first."""
        space = self.shell.user_ns
        held = [name for name, value in space.items() if not name.startswith("_") and _is_bundle(value)]
        if text is None:
            return (space[held[-1]], Code(held[-1])) if held else self._newest("advise")
        found, value = self._variable(text)
        return (
            (value, Code(text)) if found and _is_bundle(value) else self._model(text, "advise", f"a Bundle, {_TAKES}")
        )

    def _learner(self, text: str) -> Any:
        found, value = self._variable(text)
        if found and is_learner(value):
            return value
        if found:
            raise UsageError(f"{text} is a {type(value).__name__}; --learn takes the name of a Learner.")
        known = [learner.name for learner in self.watch.learners()]
        note = "" if known else "This notebook has no Learner; leave --learn out."
        raise UsageError(_one_line(errors.UnknownName("Learner", text, known, note=note)))

    def _to_clean(self, text: str, reading: dict[str, Any]) -> tuple[Any, Code | str]:
        """A folder is passed on as it is: it need not be fit to make an ImageSet of, and a Cleaner reads decisions."""
        found, value = self._variable(text)
        if found and _is(value, "nbdeploy.data.imageset", "ImageSet"):
            return value, Code(text)
        path = str(value) if found and isinstance(value, str | Path) else text
        if Path(path).is_dir():
            return path, path
        from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415 - only where pictures are read

        constructor, call = images_call(path, reading)
        return getattr(ImageSet, constructor)(path, **reading), Code(call)

    def _images(self, text: str, reading: dict[str, Any], *, raw: bool = False) -> tuple[Any, Code]:
        found, value = self._variable(text)
        if found and _is(value, "nbdeploy.data.imageset", "ImageSet"):
            if "valid" in reading:
                raise UsageError(f"{text} has its files held out already; --valid is for a folder.")
            if raw:
                raise UsageError(f"{text} is taken as it is; --raw is for a folder.")
            return value, Code(text)
        path = str(value) if found and isinstance(value, str | Path) else text
        images, call = read_images(path, reading, raw=raw)
        return images, Code(call)

    def _variable(self, text: str) -> tuple[bool, Any]:
        space = self.shell.user_ns
        if output := re.fullmatch(r"Out\[(\d+)\]", text):
            return int(output[1]) in space["Out"], space["Out"].get(int(output[1]))
        return text in space, space.get(text)


def load(shell: Any) -> None:
    """Register the magics, their completion, the watch for Learners and nbdeploy's way of showing its warnings.

    Loading twice is loading once.
    """
    unload(shell)
    magics = Magics(shell)
    for name in _names():
        shell.register_magic_function(getattr(magics, name), "line", name)
    for event, callback in magics.events.items():
        shell.events.register(event, callback)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(magics.matcher)
    shell.display_formatter.ipython_display_formatter.for_type_by_name(*_ENDPOINTS, _show_endpoints)
    setattr(shell, _ATTRIBUTE, magics)


def unload(shell: Any) -> None:
    """Take away what `load` registered."""
    magics = getattr(shell, _ATTRIBUTE, None)
    if magics is None:
        return
    for name in _names():
        shell.magics_manager.magics["line"].pop(name, None)
    for event, callback in magics.events.items():
        shell.events.unregister(event, callback)
    if shell.Completer is not None and magics.matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(magics.matcher)
    with contextlib.suppress(KeyError):
        shell.display_formatter.ipython_display_formatter.pop(".".join(_ENDPOINTS))
    magics.end_notes()
    delattr(shell, _ATTRIBUTE)


def _show_endpoints(endpoints: Any) -> None:
    from nbdeploy.jupyter.widgets.endpoints import show  # noqa: PLC0415 - loads anywidget

    show(endpoints)


def _names() -> list[str]:
    return list(MAGICS)


def _parse(verb: str, line: str) -> tuple[Parser, argparse.Namespace] | None:
    """The line's options, or None where --help was asked for and printed. Raises IPython's one-line UsageError."""
    parser = add_options(Parser(prog=f"%{verb}"), verb, notebook=True)
    try:
        return parser, parser.parse_args(shlex.split(line))
    except SystemExit:  # --help; a cell must not end the kernel
        return None
    except (errors.UsageError, ValueError) as error:  # ValueError: shlex, no closing quotation
        raise UsageError(_one_line(error)) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split("\n"))


def _is(value: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _is_bundle(value: Any) -> bool:
    return _is(value, "nbdeploy.core.bundle", "Bundle")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
