"""collected.jsonl: what was given to a collection, from where, and what was taken back. Only ever appended to."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from nbdeploy.core import lines
from nbdeploy.data.collect.items import Item, now
from nbdeploy.data.records import count, shown
from nbdeploy.errors import NbdeployWarning

NAME = "collected.jsonl"
_WHAT = "What was collected"


@dataclass
class State:
    """A fold over the lines."""

    items: dict[str, Item] = field(default_factory=dict)
    """In the order in which they came."""
    gone: set[str] = field(default_factory=set)
    """Ids of what was taken back."""
    taken: list[tuple[str, ...]] = field(default_factory=list)
    """What was taken back, the last act last, as far as it can be put back."""

    def fold(self, line: dict[str, Any]) -> bool:
        """Take one line in. Whether it was understood."""
        operation = line.get("op")
        try:
            if operation == "add":
                item = Item.load(line)
                self.items[item.id] = item
                self.taken.clear()
            elif operation == "take_back":
                ids = tuple(str(one) for one in line["ids"])
                self.gone.update(ids)
                self.taken.append(ids)
            elif operation == "put_back":
                back = set(line["ids"])
                self.gone -= back
                self.taken = [ids for ids in self.taken if not back & set(ids)]
            elif operation == "rename":
                self._rename(str(line["from"]), str(line["to"]))
            else:
                return False
        except (KeyError, TypeError, ValueError):
            return False
        return True

    def _rename(self, before: str, after: str) -> None:
        for item in self.items.values():
            if item.label == before:
                parts = PurePosixPath(item.file).parts
                file = str(PurePosixPath(after, *parts[1:])) if parts and parts[0] == before else item.file
                self.items[item.id] = replace(item, label=after, file=file)

    def kept(self) -> list[Item]:
        """The pictures that are stored, in the order in which they came."""
        return [item for item in self.items.values() if item.status == "kept" and item.id not in self.gone]


class Record:
    """The file of lines of one folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.state = State()

    def load(self) -> State:
        """Read every line. A line that a killed process left unfinished is passed over with a NbdeployWarning."""
        found, torn = lines.read(self.path)
        self.state = State()
        torn += sum(not self.state.fold(line) for line in found)
        if torn:
            warnings.warn(
                f"{count(torn, 'line')} of {shown(self.path)} passed over: torn, as a killed process leaves them.",
                NbdeployWarning,
                stacklevel=2,
            )
        return self.state

    def add(self, items: Iterable[Item]) -> None:
        """Append items. Raises OutputError."""
        self._write([item.dump() for item in items])

    def take_back(self, ids: Iterable[str]) -> None:
        """Append that the pictures of these ids were taken back by one act. Raises OutputError."""
        self._write([{"v": 1, "op": "take_back", "ids": list(ids), "time": now()}])

    def put_back(self, ids: Iterable[str]) -> None:
        """Append that they were put back. Raises OutputError."""
        self._write([{"v": 1, "op": "put_back", "ids": list(ids), "time": now()}])

    def rename(self, before: str, after: str) -> None:
        """Append that a class has another name now. Raises OutputError."""
        self._write([{"v": 1, "op": "rename", "from": before, "to": after, "time": now()}])

    def _write(self, some: Sequence[dict[str, Any]]) -> None:
        if some:
            lines.append(self.path, some, _WHAT)
            for line in some:
                self.state.fold(line)


def provenance(folder: Path) -> dict[str, tuple[str, str]]:
    """sha256 -> (group, source) of what was collected into `folder`; empty where nothing was.

    It goes by content, so that it holds after a file was renamed.
    """
    if not (folder / NAME).is_file():
        return {}
    state = Record(folder).load()
    return {item.sha256: (item.group or item.sha256, str(item.source)) for item in state.kept()}
