"""What a target is: it lowers an exported program to one file, shrinks that by a recipe, and names its host runtime."""

from __future__ import annotations

import importlib.util
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from nbdeploy.core.recipe import Recipe
from nbdeploy.errors import MissingExtra, UsageError
from nbdeploy.registry import targets

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from nbdeploy.core.bundle import Bundle
    from nbdeploy.core.report import Check
    from nbdeploy.core.signature import Signature

Run = Callable[["np.ndarray"], "np.ndarray"]
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
RUNTIMES = TEMPLATES / "python" / "runtimes"


class Target(ABC):
    """A runtime format. Subclasses are found by name in `nbdeploy.registry.targets`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    suffix: ClassVar[str]
    """Of the model file, with the dot."""
    recipes: ClassVar[tuple[str, ...]]
    """Names of the recipes it honours; the others are refused with this list."""
    beyond_pictures: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """What it takes beside pictures: ``table`` or ``text`` -> the names of the recipes that hold there."""
    requires: ClassVar[tuple[str, ...]]
    """Modules that must be importable to lower and to run."""
    tools: ClassVar[tuple[str, ...]]
    """Distributions whose versions the manifest records."""
    runtime: ClassVar[Path]
    """A Python file with ``load(path, threads) -> run``, copied into bundles as app/python/runtime.py."""
    runtime_parts: ClassVar[tuple[Path, ...]] = ()
    """Other Python files, in the folder of `runtime`, that it imports as ``from . import NAME``; they go with it."""
    runtime_requirements: ClassVar[tuple[str, ...]]
    """Distributions that `runtime` needs beside numpy and Pillow."""
    on_arm: ClassVar[bool] = False
    """Whether what `runtime` needs is built for ARM64 Linux, so that a bundle can be run on an emulated one."""
    apps: ClassVar[tuple[Path, ...]] = ()
    """Folders of nbdeploy/templates that are copied into bundles as they are, as app/NAME: host code that reads labels,
    size and resize rule from the bundle's manifest, never from constants of its own."""
    platforms: ClassVar[tuple[str, ...]] = ()
    """Lines of the bundle's README on how to use the model file on each platform; ``{model}`` is the file's name."""
    row_platforms: ClassVar[tuple[str, ...]] = ()
    """The same for a model of rows or texts, for which there are no apps."""
    reference_only: ClassVar[bool] = False
    """Whether `runtime` is not what devices run but a reference for it, whose latency says nothing and is not taken."""

    def __init__(self, about: Mapping[str, str] | None = None) -> None:
        self.about = dict(about or {})
        """The bundle's ``name`` and ``version`` while one is made: what a file may say of itself."""

    @abstractmethod
    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        """Write the full-precision model to `out`, a file or a folder. Input as the signature says, output float32.

        One object lowers and then shrinks one program, so it may keep what it needs between the two: the graph, say,
        where recipes start from that and not from the file.
        """

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        """Write the file `base` (what `lower` wrote) to `out` as `recipe` says; input and output keep their types.

        `calibration` is uint8 ``[n, H, W, C]`` from training files where the recipe is calibrated, else None.
        """
        raise UsageError(f"The target {self.name} cannot do {recipe.name}.", hint=f"It can: {', '.join(self.recipes)}.")

    def furnish(self, work: Path, *, name: str) -> None:
        """Write host code beside app/python into a bundle's folder `work`, where the model lies already: copies of
        `apps`; a target whose app has files that are made and not copied adds them. `name` is the model's.
        """
        for folder in self.apps:
            shutil.copytree(folder, work / "app" / folder.name, ignore=shutil.ignore_patterns("__pycache__"))

    def furnish_rows(self, work: Path) -> None:  # noqa: B027 - most have nothing to add
        """The same for a model of rows or texts, with which `apps` can do nothing."""

    def versions(self) -> dict[str, str]:
        """Versions of what it puts into bundles, beside those of `tools`: name -> version."""
        return {}

    def finish(self, model: Path, signature: Signature) -> None:  # noqa: B027 - most have nothing to add
        """Write into the finished `model` what its format holds beside weights, labels say."""

    def check(self, recipe: Recipe, kind: str = "image") -> None:
        """Raise UsageError for a recipe it does not honour, or a model of a `kind` (see ``Signature.kind``) that it
        does not take; MissingExtra for a package that is not installed.
        """
        if recipe.name not in self.recipes:
            raise UsageError(
                f'The target "{self.name}" does not do the recipe "{recipe.name}".',
                hint=f"It does: {', '.join(self.recipes)}.",
            )
        if kind != "image":
            self._check_kind(recipe, kind)
        for module in self.requires:
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(f'The target "{self.name}"', module, targets[self.name].extra)

    def fetch(self) -> None:  # noqa: B027 - most need nothing
        """Get what it needs from elsewhere, before minutes of work. Raises MissingExtra. `check` asks no network."""

    def _check_kind(self, recipe: Recipe, kind: str) -> None:
        held = self.beyond_pictures.get(kind, ())
        what = {"table": "rows of a table", "text": "texts"}[kind]
        if not held:
            others = (name for name in targets if kind in getattr(_loaded(name), "beyond_pictures", {}))
            raise UsageError(
                f'The target "{self.name}" takes models of pictures only, and this one takes {what}.',
                hint=f"Targets for {what}: {', '.join(others)}.",
            )
        if recipe.name not in held:
            raise UsageError(
                f'The recipe "{recipe.name}" is for models of pictures, and this one takes {what}.',
                hint=f"For {what} {self.name} does: {', '.join(held)}.",
            )

    def unable(self, model: Path) -> str:
        """Why `runtime` cannot run this model file, which may be right all the same; "" where it can."""
        return ""

    def checks(self, bundle: Bundle) -> list[Check]:
        """Checks of this target's own on a bundle where it stands, beside those that all bundles pass."""
        return []

    def load(self, path: str, threads: int) -> Run:
        """Load a model file: gives a function from the model's input to float32 ``[classes]``."""
        from nbdeploy.templates.python.predict import load_module  # noqa: PLC0415 - numpy and Pillow

        try:
            module = load_module(self.runtime)
        except ModuleNotFoundError as error:
            missing = error.name or "its runtime"
            raise MissingExtra(f'The target "{self.name}"', missing, targets[self.name].extra) from error
        run: Run = module.load(path, threads)
        return run


def _loaded(name: str) -> type[Target] | None:
    """The target of that name; None where its package is broken: here it is only asked what it takes."""
    try:
        found: type[Target] = targets.load(name)
    except (ImportError, MissingExtra):
        return None
    return found
