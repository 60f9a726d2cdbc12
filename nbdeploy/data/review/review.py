"""Review: what the cleaner shows and does, without a widget. The widget only draws it and passes keys on."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nbdeploy.core.finding import Edit
from nbdeploy.data.findings import Findings
from nbdeploy.data.journal import Journal
from nbdeploy.data.review.groups import Group, groups_of
from nbdeploy.data.review.items import Item
from nbdeploy.data.review.marks import Marks, Status
from nbdeploy.data.review.queues import BY_NAME, QUEUE_OF, QUEUES

SORTS = ("suspicion", "name", "confidence")
SHOWN = ("all", "open", "decided", "changed")
DIGITS = "1234567890"


@dataclass(frozen=True, slots=True)
class Look:
    """Which pictures of which queue are looked at, and in which order. Empty text filters nothing."""

    queue: str
    text: str = ""
    """Part of the file's name or its folder's, in any case."""
    label: str = ""
    """The label that stands there, was given, or is predicted."""
    split: str = ""
    low: float = 0.0
    """Of the model's confidence in what it predicts; 0 and 1 take also what it did not judge."""
    high: float = 1.0
    show: str = "all"
    """One of `SHOWN`."""
    sort: str = "suspicion"
    """One of `SORTS`."""


@dataclass(frozen=True, slots=True)
class Count:
    """Of a queue: pictures, or groups, in all, not decided yet, and decided otherwise than to keep them."""

    every: int
    open: int
    changed: int


class Review:
    """Items, the queues they stand in, and the decisions about them, which are read from and kept in a Journal."""

    def __init__(self, items: Sequence[Item], findings: Findings, journal: Journal) -> None:
        self.items, self.findings, self.journal = tuple(items), findings, journal
        self.marks = Marks(self.items)
        self.status = np.zeros(len(self.items), np.uint8)
        """Status of every item."""
        self.labels: tuple[str, ...] = ()
        """Every label that stands there or was given, sorted."""
        self._members = self._in_queues()
        self._groups = {
            queue.name: groups_of(self.items, queue.kinds, trained_first=queue.name == "leaks")
            for queue in QUEUES
            if queue.grouped
        }
        self._group_of = {
            (queue, place): group
            for queue, groups in self._groups.items()
            for group in groups
            for place in group.members
        }
        self._edits: tuple[Edit, ...] | None = None
        self._turn = threading.RLock()
        self.edition = 0
        """Grows whenever the decisions are others."""
        self.refresh()

    def refresh(self) -> set[int]:
        """Read the journal again, which others may have written to; gives the places that look otherwise now.

        A cell and the widget's messages may come in different threads.
        """
        with self._turn:
            edits = self.journal.edits()
            if edits == self._edits:
                return set()
            changed = self.marks.update(edits)
            self._edits = edits
            self.edition += 1
            for place in changed:
                self.status[place] = self.marks[place].status
            given = {item.label for item in self.items} | {edit.after for edit in edits if edit.operation == "relabel"}
            self.labels = tuple(sorted(given - {""}))
            return changed

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The Edits in force."""
        return self._edits or ()

    @cached_property
    def places(self) -> dict[str, int]:
        """Path as text -> place."""
        return {str(item.path): place for place, item in enumerate(self.items)}

    def groups(self, queue: str) -> tuple[Group, ...]:
        """The groups of a queue; none where its pictures stand for themselves."""
        return self._groups.get(queue, ())

    def group_at(self, queue: str, place: int) -> Group | None:
        """The group of a queue that an item is in."""
        return self._group_of.get((queue, place))

    @property
    def first_queue(self) -> str:
        """The first with something to decide, else all pictures."""
        return next((queue.name for queue in QUEUES if queue.kinds and self.count(queue.name).open), "all")

    @property
    def keys(self) -> dict[str, str]:
        """Digit -> label. Classes that are called by a digit are given by it, others stand in their order."""
        if any(label in DIGITS for label in self.labels if len(label) == 1):
            return {label: label for label in self.labels if len(label) == 1 and label in DIGITS}
        return dict(zip(DIGITS, self.labels, strict=False))

    @property
    def budget(self) -> tuple[int, str]:
        """How many doubted labels are worth a look, and the audit's sentence on it; 0 where it says nothing."""
        for remark in self.findings.remarks:
            if found := re.search(r"look at ([\d,]+)", remark):
                return int(found[1].replace(",", "")), remark
        return 0, next((remark for remark in self.findings.remarks if remark.startswith("Labels")), "")

    def count(self, queue: str) -> Count:
        """How far a queue is."""
        if BY_NAME[queue].grouped:
            groups = self._groups[queue]
            left = sum(any(self.is_open(queue, place) for place in group.members) for group in groups)
            return Count(
                len(groups), left, sum(int(self.status[list(group.members)].max()) > Status.KEPT for group in groups)
            )
        if queue == "decided":
            decided = int((self.status > 0).sum())
            return Count(decided, 0, int((self.status > Status.KEPT).sum()))
        members = self._members[queue]
        return Count(
            len(members), int(self.open_in(queue)[members].sum()), int((self.status[members] > Status.KEPT).sum())
        )

    @property
    def counts(self) -> dict[str, Count]:
        """Queue -> how far it is."""
        return {queue.name: self.count(queue.name) for queue in QUEUES}

    def order(self, look: Look) -> tuple[list[int], list[int]]:
        """The places that `look` shows, in order, and for each the number of its group; no numbers without groups."""
        if BY_NAME[look.queue].grouped:
            fits = self._fits(look)
            some = [group for group in self._groups[look.queue] if fits[list(group.members)].any()]
            if look.sort == "name":
                some.sort(key=lambda group: min(group.members))
            flat = [(place, number) for number, group in enumerate(some) for place in group.members]
            return [place for place, _ in flat], [number for _, number in flat]
        places = np.asarray(self.marks.decided, int) if look.queue == "decided" else self._members[look.queue]
        places = places[self._fits(look)[places]]
        if look.sort == "name":
            places = np.sort(places)
        elif look.sort == "confidence":
            places = places[np.argsort(self._columns["given"][places], kind="stable")]
        return places.tolist(), []

    def is_open(self, queue: str, place: int) -> bool:
        """Whether something is still to be decided about an item of a queue: a decision answers what it was made on."""
        if queue == "decided":
            return False
        if group := self.group_at(queue, place):
            stay = [one for one in group.members if not self.marks[one].status.out]
            return len(stay) > 1 and not self.marks[place].settles(BY_NAME[queue].kinds)
        mark = self.marks[place]
        return not mark.settles(BY_NAME[queue].kinds) if mark.status and queue != "all" else not mark.status

    def open_in(self, queue: str) -> np.ndarray:
        """`is_open` of every item, as booleans."""
        made = np.full(len(self.items), queue != "decided")
        if queue != "decided":
            decided = self.marks.decided
            near = {one for place in decided if (group := self.group_at(queue, place)) for one in group.members}
            for place in near | set(decided):
                made[place] = self.is_open(queue, place)
        return made

    def _in_queues(self) -> dict[str, np.ndarray]:
        scores: dict[str, dict[int, float]] = {queue.name: {} for queue in QUEUES}
        for place, item in enumerate(self.items):
            for finding in item.findings:
                if finding.kind in QUEUE_OF:
                    of_queue = scores[QUEUE_OF[finding.kind]]
                    of_queue[place] = max(finding.score, of_queue.get(place, 0.0))
        members = {
            name: np.asarray(sorted(some, key=lambda place: (-some[place], place)), int)
            for name, some in scores.items()
        }
        # The least likely labels first: what nobody judged comes last.
        return members | {"all": np.argsort(self._columns["given"], kind="stable")}

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        guesses = [item.guess for item in self.items]
        return {
            "confidence": np.array([guess.confidence if guess else np.nan for guess in guesses], np.float32),
            "given": np.array([guess.given if guess else 2.0 for guess in guesses], np.float32),
            "split": np.array([item.split for item in self.items], dtype="U8"),
            "label": np.array([item.label for item in self.items], dtype=object),
            "guess": np.array([guess.label if guess else "" for guess in guesses], dtype=object),
        }

    @cached_property
    def _texts(self) -> list[str]:
        return ["/".join(item.path.parts[-2:]).casefold() for item in self.items]

    def _fits(self, look: Look) -> np.ndarray:
        fits = np.ones(len(self.items), bool)
        if look.text:
            text = look.text.casefold()
            fits &= np.fromiter((text in name for name in self._texts), bool, len(self.items))
        if look.label:
            bears = (self._columns["label"] == look.label) | (self._columns["guess"] == look.label)
            bears[[place for place in self.marks.decided if self.marks[place].label == look.label]] = True
            fits &= bears
        if look.split:
            fits &= self._columns["split"] == look.split
        confidence = self._columns["confidence"]
        if look.low > 0:
            fits &= confidence >= look.low  # what was not judged is not a number, and compares as false
        if look.high < 1:
            fits &= confidence <= look.high
        if look.show != "all":
            open_ = self.open_in(look.queue)
            fits &= {"open": open_, "decided": ~open_ & (self.status > 0), "changed": self.status > Status.KEPT}[
                look.show
            ]
        return fits
