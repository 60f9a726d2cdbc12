"""Content hashes of files, remembered by size and times, so that what did not change is not read again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from nbdeploy.core.files import sha256_of
from nbdeploy.core.progress import track

MISSING = "missing"
_RACY_NS = 2_000_000_000
"""A file hashed so soon after it was written may be written again without its times telling; it is hashed again."""
_SHOW_FROM = 50_000_000
"""Bytes to read from which on progress is shown."""

_Known = tuple[int, int, int, int, str]


class Hashes:
    """Hex SHA-256 of files by their paths from `root`, which are the names that keys are made of."""

    def __init__(self, root: Path, memory: Path) -> None:
        self.root, self.memory = root, memory
        self._known: dict[str, _Known] = _read(memory)
        self._changed = False

    def name(self, path: Path) -> str:
        """The path from the root, with slashes: the same on every machine."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def of_all(self, paths: Iterable[Path]) -> dict[str, str]:
        """Name -> hash, `MISSING` for what is not there."""
        found: dict[str, str] = {}
        new: list[tuple[Path, os.stat_result]] = []
        for path in paths:
            try:
                about = path.stat()
            except OSError:
                found[self.name(path)] = MISSING
                continue
            known = self._known.get(self.name(path))
            if known and known[:3] == _signs(about) and known[3] - max(known[1:3]) > _RACY_NS:
                found[self.name(path)] = known[4]
            else:
                new.append((path, about))
        large = sum(about.st_size for _, about in new) > _SHOW_FROM
        for path, about in track(new, "looking for what changed") if large else new:
            found[self.name(path)] = self._hash(path, about)
        return found

    def below(self, place: Path) -> dict[str, str]:
        """Name -> hash of a file, or of every file below a folder but what Python caches there."""
        if not place.is_dir():
            return self.of_all([place])
        files = []
        for folder, folders, names in os.walk(place):
            folders[:] = sorted(one for one in folders if one != "__pycache__")
            files += [Path(folder, name) for name in sorted(names)]
        return self.of_all(files)

    def save(self) -> None:
        """Write what is remembered, in one step. A memory that cannot be written costs time only."""
        if self._changed:
            write_whole(self.memory, json.dumps(self._known))
            self._changed = False

    def _hash(self, path: Path, about: os.stat_result) -> str:
        began = time.time_ns()
        try:
            made = sha256_of(path)
        except OSError:
            return MISSING
        self._known[self.name(path)] = (*_signs(about), began, made)
        self._changed = True
        return made


def digest(hashes: Mapping[str, str]) -> str:
    """One hash of names and hashes."""
    return hashlib.sha256("".join(f"{hashes[name]} {name}\n" for name in sorted(hashes)).encode()).hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a file in one step: a killed process leaves the old one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8", errors="backslashreplace")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _signs(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _read(memory: Path) -> dict[str, _Known]:
    try:
        raw = json.loads(memory.read_text(encoding="utf-8"))
        return {str(name): (int(a), int(b), int(c), int(d), str(sha)) for name, (a, b, c, d, sha) in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
