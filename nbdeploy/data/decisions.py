"""One line of decisions.jsonl, and the fold over all of them that says what is in force."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, cast

from nbdeploy.core.finding import OPERATIONS, Edit, Operation

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """One line: an Edit, or ``undo`` or ``redo`` of the batch `of`; who wrote it when, in which batch."""

    operation: str
    batch: str
    time: str
    """UTC, ISO 8601."""
    edit: Edit | None = None
    of: str = ""


class Passed(Enum):
    """Why a line is passed over, in the words of a warning."""

    torn = "torn, as a killed process leaves them"
    unknown = "of a kind that this nbdeploy does not know, perhaps a newer one's"


class Fold:
    """The state after some decisions: the batches in force, the newest last, and those that `redo` can bring back."""

    def __init__(self) -> None:
        self.done: dict[str, list[Edit]] = {}
        self.undone: dict[str, list[Edit]] = {}

    def add(self, one: Decision) -> None:
        """Go on by one decision."""
        if one.edit is not None:
            self.done.setdefault(one.batch, []).append(one.edit)
            self.undone.clear()
        elif one.operation == "undo" and one.of in self.done:
            self.undone[one.of] = self.done.pop(one.of)
        elif one.operation == "redo" and one.of in self.undone:
            self.done[one.of] = self.undone.pop(one.of)

    def edits(self) -> tuple[Edit, ...]:
        """The Edits in force, in the order in which they hold."""
        return tuple(edit for batch in self.done.values() for edit in batch)


def fold(decisions: Iterable[Decision]) -> Fold:
    """The state that `decisions` lead to."""
    state = Fold()
    for one in decisions:
        state.add(one)
    return state


def batches(decisions: Iterable[Decision]) -> tuple[list[str], list[str]]:
    """The batches in force, the newest last, and those that `redo` can bring back, the one it would take last."""
    state = fold(decisions)
    return list(state.done), list(state.undone)


def in_force(decisions: Iterable[Decision]) -> tuple[Edit, ...]:
    """The Edits of the batches in force."""
    return fold(decisions).edits()


def edit_line(edit: Edit, batch: str, root: Path) -> dict[str, Any]:
    """What is written of an Edit. Paths below `root`, the journal's folder, are written relative to it."""
    after = _relative(Path(edit.after), root) if edit.operation == "merge" else edit.after
    return {
        "v": FORMAT,
        "sha256": edit.sha256,
        "op": edit.operation,
        "path": _relative(edit.path, root),
        "from": edit.before,
        "to": after,
        "keep": edit.keep,
        "who": edit.who,
        "why": edit.why,
        "scores": dict(edit.scores),
        "time": _now(),
        "batch": batch,
    }


def turn_line(operation: str, of: str, batch: str) -> dict[str, Any]:
    """What is written of an ``undo`` or ``redo`` of the batch `of`."""
    return {"v": FORMAT, "op": operation, "of": of, "batch": batch, "time": _now()}


def read_line(line: bytes, root: Path) -> Decision | Passed:
    """The decision of a line, or why it is passed over."""
    try:
        raw = json.loads(line)
        operation, batch, time = raw["op"], str(raw["batch"]), str(raw["time"])
        if int(raw["v"]) > FORMAT or operation not in {"undo", "redo", *OPERATIONS}:
            return Passed.unknown
        if operation in {"undo", "redo"}:
            return Decision(operation, batch, time, of=str(raw["of"]))
        after = str(root / raw["to"]) if operation == "merge" else str(raw["to"])
        edit = Edit(
            root / raw["path"],
            cast("Operation", operation),
            after,
            before=str(raw["from"]),
            sha256=str(raw["sha256"]),
            keep=str(raw["keep"]),
            why=str(raw["why"]),
            who=str(raw["who"]),
            scores=tuple((str(name), float(score)) for name, score in raw["scores"].items()),
        )
        return Decision(operation, batch, time, edit)
    except json.JSONDecodeError:
        return Passed.torn
    except UnicodeDecodeError:
        return Passed.torn
    except (ValueError, TypeError, KeyError, AttributeError):
        return Passed.unknown


def _relative(path: Path, root: Path) -> str:
    # The folder may move, and is read by other systems.
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
