"""What a pipeline remembers between runs: of every step its key and what it made. And the lock of a run."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nbdeploy.core.files import file_name
from nbdeploy.errors import NbdeployWarning, OutputError
from nbdeploy.pipeline.hashes import write_whole

FOLDER = ".nbdeploy"
_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """A step that was done: its key, what that was made of, and what came of it."""

    key: str
    made_of: Mapping[str, Any]
    """``settings``, ``after``, ``inputs`` and ``tools``: what the key is a hash of."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Path from the file's folder -> SHA-256."""
    digest: str = ""
    """Of what later steps take from it."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    took: float = 0.0
    """Seconds."""
    when: str = ""


class State:
    """The records of one pipeline, in a hidden folder beside its file."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.folder = root / FOLDER / (file_name(name) or "model")
        self.file = self.folder / "state.json"
        self.records: dict[str, Record] = {}
        self.owned: set[str] = set()
        """Folders and endpoints that this pipeline made, which it may make anew."""
        self._read()

    def keep(self, step: str, record: Record) -> None:
        """Remember a step at once, whole or not at all."""
        self.records[step] = record
        self.write()

    def begin(self, step: str, owned: Iterable[str]) -> None:
        """A step is about to be done: were it killed, it is not done, and what it left is this pipeline's."""
        self.records.pop(step, None)
        self.owned.update(owned)
        self.write()

    def write(self) -> None:
        """Write all records. Raises OutputError."""
        steps = {name: asdict(record) for name, record in self.records.items()}
        try:
            whole = {"format": _FORMAT, "owned": sorted(self.owned), "steps": steps}
            write_whole(self.file, json.dumps(whole, ensure_ascii=False, indent=1))
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def make_folder(self) -> None:
        """Make the hidden folder, which version control passes over. Raises OutputError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            ignored = self.root / FOLDER / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other run of this pipeline goes on inside the block. Raises OutputError where one does."""
        self.make_folder()
        holder = self.folder / "running.json"
        try:
            with FileLock(self.folder / "lock", timeout=0):
                self._read()  # what the other one did meanwhile
                now = datetime.now(UTC).astimezone().strftime("%H:%M")
                write_whole(holder, json.dumps({"process": os.getpid(), "since": now}))
                try:
                    yield
                finally:
                    holder.unlink(missing_ok=True)
        except Timeout as error:
            raise OutputError(
                f"Another run of this pipeline is at work{_who(holder)}.",
                hint="Wait for it, or stop it; what it has done by then is kept.",
            ) from error

    def _read(self) -> None:
        self.records, self.owned = {}, set()
        try:
            raw = json.loads(self.file.read_text(encoding="utf-8"))
            if raw["format"] != _FORMAT:
                raise ValueError(f"format {raw['format']}")
            self.owned = set(map(str, raw["owned"]))
            self.records = {str(name): Record(**record) for name, record in raw["steps"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            warnings.warn(
                f"{self.file} cannot be read ({error}), so every step is done again; bundles that are there are "
                "replaced with overwrite=True (--overwrite) only.",
                NbdeployWarning,
                stacklevel=4,
            )


def _who(holder: Path) -> str:
    try:
        raw = json.loads(holder.read_text(encoding="utf-8"))
        return f" (process {raw['process']}, since {raw['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder} cannot be written to ({error.strerror or error}).",
        hint="A pipeline keeps what it has done beside its file: make that folder writable.",
    )
