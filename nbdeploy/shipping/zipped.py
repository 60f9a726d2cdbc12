"""A bundle as one .zip file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from nbdeploy.core.numbers import SPACE, size
from nbdeploy.errors import OutputError

LARGEST = 100_000_000
"""Bytes of a bundle that a widget hands to the browser: it passes through the notebook's own connection."""


def zipped(bundle: Path, *, largest: int = LARGEST) -> bytes:
    """The bundle's folder, under its own name, as a .zip. Raises OutputError for one of more than `largest` bytes."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    whole = sum(path.stat().st_size for path in files)
    if whole > largest:
        said, most = (size(count).replace(SPACE, " ") for count in (whole, largest))
        raise OutputError(
            f"The bundle has {said}; up to {most} can be handed to the browser.", hint=f"Copy the folder: {bundle}"
        )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, f"{bundle.name}/{path.relative_to(bundle).as_posix()}")
    return data.getvalue()
