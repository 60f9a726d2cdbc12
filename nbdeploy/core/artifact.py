"""One lowered file, and the tools that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nbdeploy.core.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model in a runtime's format: one file, a folder, or a file with others beside it (see `core.files.parts`).

    `conversion_s` is the wall time of the conversion process, its imports included. `base` is the unshrunk file of the
    same conversion, kept while the bundle is built so that a fault can be laid at the recipe's door or the converter's.
    """

    path: Path
    target: str
    recipe: Recipe
    sha256: str
    size_bytes: int
    tools: Mapping[str, str]
    conversion_s: float
    log: Path
    base: Path | None = None
