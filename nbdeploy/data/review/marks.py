"""What the decisions in force make of every item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from nbdeploy.core.finding import Edit
from nbdeploy.data.edited import State, fold, left_out
from nbdeploy.data.review.items import Item

EVERY = "*"


class Status(IntEnum):
    """How it stands with an item; the numbers are what the widget reads."""

    OPEN = 0
    KEPT = 1
    EXCLUDED = 2
    RELABELLED = 3
    TURNED = 4
    MERGED = 5

    @property
    def out(self) -> bool:
        """Whether it is no part of the set any more."""
        return self in {Status.EXCLUDED, Status.MERGED}


@dataclass(frozen=True, slots=True)
class Mark:
    """What was decided about one item."""

    status: Status
    label: str
    """As it stands now."""
    turn: int = 0
    by_exif: bool = False
    reason: str = ""
    """Why it is left out."""
    rank: int = 0
    """The place of the newest decision about it among all in force."""
    on: frozenset[str] = frozenset()
    """The kinds of finding that were decided on, by the scores of its Edits; `EVERY` where an Edit names none."""

    def settles(self, kinds: Collection[str]) -> bool:
        """Whether it answers findings of these kinds: what was kept as the best copy may still bear a wrong label."""
        return self.status.out or EVERY in self.on or not self.on.isdisjoint(kinds)


class Marks:
    """The fold of decisions over items. Items without a decision have no Mark of their own."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._by_hash: defaultdict[str, list[int]] = defaultdict(list)
        for place, item in enumerate(items):
            if item.sha256:
                self._by_hash[item.sha256].append(place)
        self._marks: dict[int, Mark] = {}

    def __getitem__(self, place: int) -> Mark:
        item = self._items[place]
        return self._marks.get(place) or Mark(Status.OPEN, item.label, item.turn)

    def same_bytes(self, place: int) -> Sequence[int]:
        """The places of all items with the bytes of this one, itself included."""
        return self._by_hash.get(self._items[place].sha256) or (place,)

    @property
    def decided(self) -> list[int]:
        """The places with a decision, the newest first."""
        return sorted(self._marks, key=lambda place: (-self._marks[place].rank, place))

    def update(self, edits: Iterable[Edit]) -> set[int]:
        """Fold `edits`, all that are in force; gives the places whose Mark is another one now. Raises DataError."""
        some = [edit for edit in edits if edit.sha256 in self._by_hash]
        states = fold((edit.sha256, edit.keep, edit) for edit in some)
        turned = {edit.sha256 for edit in some if edit.operation == "rotate"}
        rank = {edit.sha256: number for number, edit in enumerate(some)}
        touched = [place for sha256 in states for place in self._by_hash[sha256]]
        reasons = left_out([self._items[place] for place in touched], states)
        on = _decided_on(some)
        marks = {
            place: replace(
                _mark(item, states[item.sha256], reasons, turned=item.sha256 in turned),
                rank=rank[item.sha256],
                on=on[item.sha256],
            )
            for place, item in ((place, self._items[place]) for place in touched)
        }
        before, self._marks = self._marks, marks
        return {place for place in before.keys() | marks.keys() if _seen(before, place) != _seen(marks, place)}


def _seen(marks: dict[int, Mark], place: int) -> Mark | None:
    mark = marks.get(place)
    return mark and replace(mark, rank=0)


def _decided_on(edits: Iterable[Edit]) -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for edit in edits:
        found[edit.sha256].update([kind for kind, _ in edit.scores] or [EVERY])
        if edit.operation == "relabel":
            found[edit.sha256].add("label_error")
    return {sha256: frozenset(kinds) for sha256, kinds in found.items()}


def _mark(item: Item, state: State, reasons: dict[Path, str], *, turned: bool) -> Mark:
    label, reason = state.label or item.label, reasons.get(item.path, "")
    turn = state.turn if turned else item.turn
    if state.excluded:
        status = Status.EXCLUDED
    elif reason:
        status = Status.MERGED
    elif label != item.label:
        status = Status.RELABELLED
    elif turn != item.turn or state.by_exif:
        status = Status.TURNED
    else:
        status = Status.KEPT
    return Mark(status, label, turn, state.by_exif, reason)
