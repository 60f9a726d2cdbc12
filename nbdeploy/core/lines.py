"""Files of JSON lines that are only ever appended to, by several processes at once, and that survive a kill."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nbdeploy.errors import OutputError

_PATIENCE_S = 30.0


def append(path: Path, lines: Sequence[dict[str, Any]], what: str) -> None:
    """Append `lines` whole, and see them on the disk. `what` names them in an error ("What was collected").

    Raises OutputError where the place cannot be written to or stays locked.
    """
    data = b"".join(json.dumps(line, ensure_ascii=True).encode() + b"\n" for line in lines)
    with locked(path, what), path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # what a killed process left must not swallow the next line
                data = b"\n" + data
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Every whole line, and how many were passed over: torn, as a killed process leaves them. No file is no line."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    found: list[dict[str, Any]] = []
    torn = 0
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            found.append(value)
        else:
            torn += 1
    return found, torn


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Nobody else writes to `path` inside the block. Raises OutputError."""
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_PATIENCE_S):
            yield
    except Timeout as error:
        raise OutputError(
            f"{path} is being written by another process.", hint="Close the other notebook, or try again."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{what} cannot be noted in {path} ({error.strerror or error}).",
            hint="Give its folder write permission, or choose another folder.",
        ) from error
