"""What a word in a magic's line stands for: a variable of the notebook, a folder, or the newest of its kind."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from nbdeploy import errors
from nbdeploy.jupyter.learners import IPYTHONS_OWN, Watch, is_learner, tuned
from nbdeploy.options import Code, images_call, python_call, read_images

_NO_BUNDLE = "There is no bundle in this notebook. Make one (%deploy --target TARGET) or name a bundle's folder."
_TAKES = "a Learner, a Program or a saved model's folder"


class Names:
    """The names of one shell. What is found comes with the Python text that stands for it."""

    def __init__(self, shell: Any, watch: Watch) -> None:
        self.shell = shell
        self.watch = watch

    def newest(self, verb: str = "deploy") -> tuple[Any, Code]:
        """The newest Learner."""
        learners = self.watch.learners()
        if not learners:
            raise UsageError(
                "There is no Learner in this notebook. Train one (%train DIR) or name a saved model's folder."
            )
        newest = learners[-1]
        others = f"; for another: %{verb} {learners[-2].name} ..." if len(learners) > 1 else ""
        say_line(f"using {newest}{others}")
        return newest.learn, Code(newest.name)

    def model(
        self, text: str, verb: str = "deploy", takes: str = _TAKES, *, provider: str | None = None
    ) -> tuple[Any, Code | str]:
        """A Learner, a Program or a folder; with a `provider` a Bundle too."""
        found, value = self.variable(text)
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
        raise UsageError(one_line(errors.UnknownName("Learner, Program or folder", text, known, note=note)))

    def bundle(self, text: str) -> tuple[Any, Code | str]:
        """A bundle, several of them, or a folder."""
        found, value = self.variable(text)
        if found and isinstance(value, str | Path):
            return str(value), str(value)
        if found:
            return value, Code(text)
        if Path(text).expanduser().exists():
            return str(Path(text).expanduser()), text
        known = [shown.text for _, shown in self.held()]
        raise UsageError(one_line(errors.UnknownName("bundle or folder", text, known, note=_NO_BUNDLE * (not known))))

    def all_bundles(self) -> list[tuple[Any, Code]]:
        """Every bundle of the notebook. Raises UsageError where there is none."""
        if not (held := self.held()):
            raise UsageError(_NO_BUNDLE)
        return held

    def held(self) -> list[tuple[Any, Code]]:
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

    def to_advise(self, text: str | None) -> tuple[Any, Code | str]:
        """A bundle before all else: it is measured as it stands, while of a model one is made first."""
        space = self.shell.user_ns
        held = [name for name, value in space.items() if not name.startswith("_") and _is_bundle(value)]
        if text is None:
            return (space[held[-1]], Code(held[-1])) if held else self.newest("advise")
        found, value = self.variable(text)
        return (value, Code(text)) if found and _is_bundle(value) else self.model(text, "advise", f"a Bundle, {_TAKES}")

    def learner(self, text: str) -> Any:
        """The Learner of that name."""
        found, value = self.variable(text)
        if found and is_learner(value):
            return value
        if found:
            raise UsageError(f"{text} is a {type(value).__name__}; --learn takes the name of a Learner.")
        known = [learner.name for learner in self.watch.learners()]
        note = "" if known else "This notebook has no Learner; leave --learn out."
        raise UsageError(one_line(errors.UnknownName("Learner", text, known, note=note)))

    def to_clean(self, text: str, reading: dict[str, Any]) -> tuple[Any, Code | str]:
        """A folder is passed on as it is: it need not be fit to make an ImageSet of, and a Cleaner reads decisions."""
        found, value = self.variable(text)
        if found and _is(value, "nbdeploy.data.imageset", "ImageSet"):
            return value, Code(text)
        path = str(value) if found and isinstance(value, str | Path) else text
        if Path(path).is_dir():
            return path, path
        from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415 - only where pictures are read

        constructor, call = images_call(path, reading)
        return getattr(ImageSet, constructor)(path, **reading), Code(call)

    def images(self, text: str, reading: dict[str, Any], *, raw: bool = False) -> tuple[Any, Code]:
        """The ImageSet of that name, or of that folder or file with its decisions."""
        found, value = self.variable(text)
        if found and _is(value, "nbdeploy.data.imageset", "ImageSet"):
            if "valid" in reading:
                raise UsageError(f"{text} has its files held out already; --valid is for a folder.")
            if raw:
                raise UsageError(f"{text} is taken as it is; --raw is for a folder.")
            return value, Code(text)
        if found and not isinstance(value, str | Path) and not Path(text).expanduser().exists():
            raise UsageError(f"{text} is a {type(value).__name__}; a folder of pictures or an ImageSet is needed.")
        path = str(value) if found and isinstance(value, str | Path) else text
        images, call = read_images(path, reading, raw=raw)
        return images, Code(call)

    def labelled(self, text: str, reading: dict[str, Any], keywords: dict[str, Any]) -> tuple[Any, Code] | None:
        """Rows or texts to train on, by name, DataFrame or path; None for pictures. Takes label and text off."""
        found, value = self.variable(text)
        data = value if found else text
        from nbdeploy.data.reading import is_labelled, labelled_from  # noqa: PLC0415 - pandas

        if not is_labelled(data, keywords.get("label"), keywords.get("text")):
            return None
        asked = {name: keywords.pop(name) for name in ("label", "text") if name in keywords}
        made = labelled_from(data, label=asked.get("label"), text=asked.get("text"), **reading)
        if made is value:
            return made, Code(text)
        kind, reader = type(made).__name__, "from_csv"
        if found and not isinstance(value, str | Path):
            reader = "from_frame"
        elif Path(str(data)).is_dir():
            reader = "from_folder"
        shown = Code(text) if found else text
        return made, Code(python_call(f"nd.{kind}.{reader}", shown, **asked, **reading))

    def variable(self, text: str) -> tuple[bool, Any]:
        """Whether there is a variable or output ``Out[n]`` of that name, and its value; ``NAME.learn`` of a Tuning."""
        space = self.shell.user_ns
        if text.endswith(".learn"):
            learn = tuned(self.variable(text.removesuffix(".learn"))[1])
            return learn is not None, learn
        if output := re.fullmatch(r"Out\[(\d+)\]", text):
            return int(output[1]) in space["Out"], space["Out"].get(int(output[1]))
        return text in space, space.get(text)


def one_line(error: Exception) -> str:
    """Message and hint of `error` in one line."""
    return " ".join(str(error).split("\n"))


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """What is wrong with a line is IPython's own UsageError, which is shown without a traceback."""
    try:
        yield
    except (errors.UsageError, ValueError) as error:  # ValueError: shlex, no closing quotation
        raise UsageError(one_line(error)) from None


def _is(value: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _is_bundle(value: Any) -> bool:
    return _is(value, "nbdeploy.core.bundle", "Bundle")


def say_line(text: str) -> None:
    """Print the Python line of a magic."""
    sys.stdout.write(text + "\n")
