"""Rows and texts as raw files: small, named by their content, in nbdeploy's cache, where they can be made again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from nbdeploy.core.files import cache_dir
from nbdeploy.data.records import Split

Suffix = Literal[".json", ".txt"]


@dataclass(frozen=True)
class KeptFile:
    """A row or a text as the bytes of a file, with its label. On disk it is only once `path` was asked for."""

    content: bytes
    suffix: Suffix
    label: str
    split: Split = "train"

    @cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> Path:
        """Where it lies in the cache; it is written there, whole or not at all, where it does not."""
        return keep(self.content, self.suffix)


def keep(content: bytes, suffix: Suffix) -> Path:
    """Write `content` to the cache under its own hash; gives the path. Raises OSError."""
    digest = hashlib.sha256(content).hexdigest()
    place = cache_dir() / "rows" / digest[:2] / f"{digest[:32]}{suffix}"
    if not place.is_file() or place.read_bytes() != content:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(place)
    return place
