"""Which pictures a collection's folder holds, by name, size and hash, and how they would be split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nbdeploy.core.files import sha256_of
from nbdeploy.data.collect.items import CAPTURES, Item
from nbdeploy.data.collect.screen import Screen
from nbdeploy.data.facts import Facts
from nbdeploy.data.listing import list_folder
from nbdeploy.data.records import shown
from nbdeploy.data.sessions import sides
from nbdeploy.errors import DataError


@dataclass(frozen=True, slots=True)
class Count:
    """One class, as ``ImageSet.from_folder`` would split it now."""

    train: int
    held: int
    """Held out."""
    sessions: int
    """Capture sessions: recordings, videos, visits of a phone."""
    alone: bool
    """Whether its only session is on both sides of the split."""


@dataclass(slots=True)
class File:
    """One picture in the folder. The hash of one that was there before is found out when it is needed."""

    label: str
    size: int
    sha256: str
    group: str
    captured: bool


class Contents:
    """The pictures of `folder`, kept as they come and go. Not locked: the Collection does that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, File] = {}
        self.folders: set[str] = set()
        self.screen = Screen()
        self._sizes: defaultdict[int, set[str]] = defaultdict(set)

    def read(self, kept: Iterable[Item]) -> None:
        """Look which files are there; `kept` tells of those that were collected. Raises DataError."""
        listing = list_folder(self.folder)
        given = sorted({one.path.relative_to(self.folder).parts[0] for one in listing.candidates if one.split})
        if given:
            raise DataError(
                f"{shown(self.folder)} has its split in folders ({', '.join(given)}).",
                hint=f"Collect into one of them, as {shown(self.folder / given[0])}, or into a folder of its own.",
            )
        known = {item.file: item for item in kept}
        self.files.clear()
        self._sizes.clear()
        self.folders = set(listing.folders)
        for one in listing.candidates:
            with suppress(OSError):  # it went meanwhile
                self.note(one.name, one.label, one.path.stat().st_size, known.get(one.name))

    def note(self, name: str, label: str, size: int, item: Item | None = None) -> None:
        """A file is there."""
        if item is None:
            self.files[name] = File(label, size, "", "", captured=False)
        else:
            self.files[name] = File(label, size, item.sha256, item.group, item.source.kind in CAPTURES)
        self._sizes[size].add(name)
        self.folders.add(label)

    def take_in(self, item: Item, size: int, facts: Facts) -> None:
        """A picture was stored: what comes after it is held against it, too."""
        self.note(item.file, item.label, size, item)
        self.screen.add(item.file, facts)

    def learn(self, name: str, facts: Facts) -> None:
        """What was measured of a file that was there before."""
        file = self.files.get(name)
        if file is not None and facts.sha256:
            file.sha256 = facts.sha256
            if not facts.refused[0]:
                self.screen.add(name, facts)

    def forget(self, names: Iterable[str]) -> None:
        """Files are gone."""
        some = set(names)
        for name in some:
            if file := self.files.pop(name, None):
                self._sizes[file.size].discard(name)
        self.screen.drop(some)

    def same(self, sha256: str, size: int) -> str:
        """The file with these bytes, or nothing. Only files of the same size are read."""
        for name in sorted(self._sizes.get(size, ())):
            file = self.files[name]
            with suppress(OSError):
                file.sha256 = file.sha256 or sha256_of(self.folder / name)
            if file.sha256 == sha256 and (self.folder / name).is_file():
                return name
        return ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, sorted, also those without a picture."""
        return tuple(sorted(self.folders))

    def counts(self, *, valid: float, seed: int) -> dict[str, Count]:
        """Class -> its pictures, as they would be split now. Names stand in for hashes that are not known yet."""
        rows = []
        for name, file in self.files.items():
            sha256 = file.sha256 or name
            rows.append((file.label, file.group or sha256, sha256))
        groups, held, alone = sides(rows, valid=valid, seed=seed)
        numbers = {label: [0, 0] for label in self.classes}
        sessions: dict[str, set[str]] = {label: set() for label in self.classes}
        for file, group in zip(self.files.values(), groups, strict=True):
            numbers[file.label][group in held] += 1
            if file.captured:
                sessions[file.label].add(file.group)
        return {
            label: Count(train, checked, len(sessions[label]), label in alone)
            for label, (train, checked) in numbers.items()
        }
