"""Items as plain data for the widget: short keys, since thousands are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nbdeploy.core.finding import KINDS
from nbdeploy.core.numbers import size as in_bytes
from nbdeploy.data.journal import Decision, batches
from nbdeploy.data.records import shown
from nbdeploy.data.review.marks import Status
from nbdeploy.data.review.queues import BY_NAME
from nbdeploy.data.review.review import Review

OPEN = 128
_WORDS = {"exclude": "excluded", "restore": "kept", "rotate": "turned", "merge": "merged", "relabel": "relabelled"}


def row(review: Review, place: int, queue: str) -> dict[str, Any]:
    """What a card shows: the findings of the queue first."""
    item = review.items[place]
    kinds = BY_NAME[queue].kinds
    findings = sorted(item.findings, key=lambda one: one.kind not in kinds)
    group = review.group_at(queue, place)
    found: dict[str, Any] = {
        "i": place,
        "name": shown(item.path.name),
        "folder": shown(item.path.parent.name),
        "given": item.label,
        "split": item.split,
        "size": item.size,
        "why": [[one.kind, _readable(one.evidence), one.suggest] for one in findings],
        **changing(review, place, queue),
    }
    if item.guess:
        found["guess"] = [item.guess.label, round(item.guess.confidence, 4), round(item.guess.given, 4)]
    if group and group.members[0] == place:
        found["best"] = group.why
    return found


def changing(review: Review, place: int, queue: str) -> dict[str, Any]:
    """What a decision changes of a row, as seen in a queue."""
    mark = review.marks[place]
    return {
        "i": place,
        "status": flags(mark.status, open_=review.is_open(queue, place)),
        "label": mark.label,
        "turn": mark.turn,
        "reason": _readable(mark.reason),
    }


def flags(status: Status, *, open_: bool) -> int:
    """A Status in the low bits, and whether something is still to be decided in the highest."""
    return int(status) | (OPEN if open_ else 0)


def details(review: Review, place: int) -> dict[str, Any]:
    """What is said of one picture beside its row: where it lies, how large it is, and what was decided when."""
    item = review.items[place]
    try:
        length = in_bytes(item.path.stat().st_size)
    except OSError:
        length = ""
    every = review.journal.decisions()
    done = set(batches(every)[0])
    return {
        "i": place,
        "path": shown(item.path),
        "bytes": length,
        "findings": [[KINDS[one.kind], _readable(one.evidence), round(one.score, 2)] for one in item.findings],
        "history": [
            _history(one, taken_back=one.batch not in done)
            for one in every
            if one.edit is not None and one.edit.sha256 == item.sha256
        ],
    }


def _history(decision: Decision, *, taken_back: bool) -> list[str]:
    edit = decision.edit
    if edit is None:
        return []
    what = _WORDS[edit.operation]
    if edit.operation == "relabel":
        what = f'"{edit.before}" → "{edit.after}"'
    elif edit.operation == "merge":
        what = f"merged into {shown(edit.after.rpartition('/')[2])}"
    try:
        when = datetime.fromisoformat(decision.time).astimezone().strftime("%d %b %Y, %H:%M")
    except ValueError:
        when = decision.time
    return [when, what + (" (taken back)" if taken_back else ""), edit.who]


def _readable(text: str) -> str:
    # Names that are not UTF-8 cannot be sent as JSON.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
