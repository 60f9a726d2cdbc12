"""Build hook of the wheel: the data-set cards and the tutorials go beside the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = (("datasets", "*.toml", "nbdeploy/_cards"), ("notebooks", "*.ipynb", "nbdeploy/_notebooks"))
"""Folder of the repository, the files wanted of it, and their place in the wheel."""


class CardsAndTutorials(BuildHookInterface):  # type: ignore[type-arg]
    """Adds each wanted file by name, so that outputs lying beside them stay out."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, except to an editable install, which reads them where they are."""
        if version == "editable":
            return
        for folder, pattern, place in PLACES:
            for file in sorted(Path(self.root, folder).glob(pattern)):
                build_data["force_include"][str(file)] = f"{place}/{file.name}"
