"""What a target is: it lowers an exported program to one file, shrinks that by a recipe, and names its host runtime."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
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
APPS = Path(__file__).resolve().parents[1] / "templates"
RUNTIMES = APPS / "python" / "runtimes"


class Target(ABC):
    """A runtime format. Subclasses are found by name in `nbdeploy.registry.targets`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    suffix: ClassVar[str]
    """Of the model file, with the dot."""
    recipes: ClassVar[tuple[str, ...]]
    """Names of the recipes it honours; the others are refused with this list."""
    requires: ClassVar[tuple[str, ...]]
    """Modules that must be importable to lower and to run."""
    tools: ClassVar[tuple[str, ...]]
    """Distributions whose versions the manifest records."""
    runtime: ClassVar[Path]
    """A Python file with ``load(path, threads) -> run``, copied into bundles as app/python/runtime.py."""
    runtime_parts: ClassVar[tuple[Path, ...]] = ()
    """Other Python files that `runtime` imports by their own names; they lie beside it in bundles."""
    runtime_requirements: ClassVar[tuple[str, ...]]
    """Distributions that `runtime` needs beside numpy and Pillow."""
    apps: ClassVar[tuple[Path, ...]] = ()
    """Folders of nbdeploy/templates that are copied into bundles as they are, as app/NAME: host code that reads labels,
    size and resize rule from the bundle's manifest, never from constants of its own."""
    platforms: ClassVar[tuple[str, ...]] = ()
    """Lines of the bundle's README on how to use the model file on each platform; ``{model}`` is the file's name."""

    @abstractmethod
    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        """Write the full-precision model to `out`, a file or a folder. Input uint8 NHWC, output float32 (signature)."""

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        """Write the file `base` (what `lower` wrote) to `out` as `recipe` says; input and output keep their types.

        `calibration` is uint8 ``[n, H, W, C]`` from training files where the recipe is calibrated, else None.
        """
        raise UsageError(f"The target {self.name} cannot do {recipe.name}.", hint=f"It can: {', '.join(self.recipes)}.")

    def finish(self, model: Path, signature: Signature, name: str) -> None:  # noqa: B027 - most have nothing to add
        """Write into the finished `model` what its format holds beside weights, labels say. `name` is the model's."""

    def check(self, recipe: Recipe) -> None:
        """Raise UsageError for a recipe it does not honour, MissingExtra for a package that is not installed."""
        if recipe.name not in self.recipes:
            raise UsageError(
                f'The target "{self.name}" does not do the recipe "{recipe.name}".',
                hint=f"It does: {', '.join(self.recipes)}.",
            )
        for module in self.requires:
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(f'The target "{self.name}"', module, targets[self.name].extra)

    def checks(self, bundle: Bundle) -> list[Check]:
        """Checks of this target's own on a bundle where it stands, beside those that all bundles pass."""
        return []

    def load(self, path: str, threads: int) -> Run:
        """Load a model file: gives a function from uint8 ``[1, H, W, C]`` to float32 ``[classes]``."""
        spec = importlib.util.spec_from_file_location(f"nbdeploy_runtime_{self.name}", self.runtime)
        if spec is None or spec.loader is None:
            raise MissingExtra(f'The target "{self.name}"', str(self.runtime), targets[self.name].extra)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except ModuleNotFoundError as error:
            missing = error.name or "its runtime"
            raise MissingExtra(f'The target "{self.name}"', missing, targets[self.name].extra) from error
        run: Run = module.load(path, threads)
        return run
