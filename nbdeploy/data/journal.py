"""decisions.jsonl: what people decided about their pictures. Only ever appended to; the state is a fold over it."""

from __future__ import annotations

import json
import os
import uuid
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock, Timeout

from nbdeploy.core.files import sha256_of
from nbdeploy.core.finding import OPERATIONS, Edit, Operation
from nbdeploy.data.records import count, shown
from nbdeploy.errors import DataError, NbdeployWarning, OutputError

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet

NAME = "decisions.jsonl"
FORMAT = 1
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One line: an Edit, or ``undo`` or ``redo`` of the batch `of`; who wrote it when, in which batch."""

    operation: str
    batch: str
    time: str
    """UTC, ISO 8601."""
    edit: Edit | None = None
    of: str = ""


class Journal:
    """The decisions beside some data.

    `place` is a folder, which keeps them in ``decisions.jsonl``, or such a file. Several processes may write at once.
    A line that a killed process left unfinished is passed over with a NbdeployWarning. Iterating gives the Edits in
    force, so that ``images.apply(journal)`` gives the set that was decided on.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        path = Path(os.path.abspath(place))
        self.path = path / NAME if path.is_dir() or path.suffix != ".jsonl" else path

    @classmethod
    def beside(cls, images: ImageSet) -> Journal:
        """That of the folder, or of the folder of the table or archive, that `images` was made from."""
        source = Path(images.source)
        return cls(source if source.is_dir() else source.parent)

    def record(self, edits: Iterable[Edit], *, batch: str = "") -> str:
        """Append `edits` as one batch, which is undone as one; gives its name. Hashes that are missing are found out.

        Raises OutputError where the place cannot be written to, DataError where a picture to hash is not there.
        """
        batch = batch or uuid.uuid4().hex
        self._append([_line(_complete(edit, self.path.parent), batch, self.path.parent) for edit in edits])
        return batch

    def undo(self) -> str:
        """Take back the newest batch that is in force; gives its name, empty where there is none."""
        return self._turn("undo")

    def redo(self) -> str:
        """Put the batch that was taken back last in force again; gives its name, empty where there is none."""
        return self._turn("redo")

    def decisions(self) -> tuple[Decision, ...]:
        """Every whole line, in order, also of what was undone since."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        found = [_read(line, self.path.parent) for line in data.split(b"\n") if line.strip()]
        torn = found.count(None)
        if torn:
            warnings.warn(
                f"{count(torn, 'line')} of {shown(self.path)} passed over: torn, as a killed process leaves them.",
                NbdeployWarning,
                stacklevel=2,
            )
        return tuple(one for one in found if one is not None)

    def edits(self) -> tuple[Edit, ...]:
        """The Edits in force, in the order in which they hold."""
        return in_force(self.decisions())

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits())

    def _turn(self, operation: str) -> str:
        with self._locked():
            done, undone = batches(self.decisions())
            some = done if operation == "undo" else undone
            if not some:
                return ""
            self._write([{"v": FORMAT, "op": operation, "of": some[-1], "batch": uuid.uuid4().hex, "time": _now()}])
            return some[-1]

    def _append(self, lines: Sequence[dict[str, Any]]) -> None:
        if lines:
            with self._locked():
                self._write(lines)

    def _write(self, lines: Sequence[dict[str, Any]]) -> None:
        data = b"".join(json.dumps(line, ensure_ascii=True).encode() + b"\n" for line in lines)
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # what a killed process left must not swallow the next line
                    data = b"\n" + data
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self.path.parent.is_dir():  # the lock would make it
            raise OutputError(f"There is no folder {shown(self.path.parent)}.", hint="Decisions lie beside the data.")
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=_PATIENCE_S):
                yield
        except Timeout as error:
            raise OutputError(
                f"{shown(self.path)} is being written by another process.",
                hint="Close the other notebook, or try again.",
            ) from error
        except OSError as error:
            raise OutputError(
                f"Decisions cannot be kept in {shown(self.path)} ({error.strerror or error}).",
                hint="They lie beside the data: give its folder write permission, or name a file: Journal('my.jsonl').",
            ) from error


def batches(decisions: Iterable[Decision]) -> tuple[list[str], list[str]]:
    """The batches in force, the newest last, and those that `redo` can bring back, the one it would take last."""
    done: list[str] = []
    undone: list[str] = []
    for one in decisions:
        if one.edit is not None:
            if one.batch not in done:
                done.append(one.batch)
            undone.clear()
        elif one.operation == "undo" and one.of in done:
            done.remove(one.of)
            undone.append(one.of)
        elif one.operation == "redo" and one.of in undone:
            undone.remove(one.of)
            done.append(one.of)
    return done, undone


def in_force(decisions: Iterable[Decision]) -> tuple[Edit, ...]:
    """The Edits of the batches in force: the fold that gives the state."""
    some = tuple(decisions)
    done, _ = batches(some)
    order = {batch: place for place, batch in enumerate(done)}
    kept = [one for one in some if one.edit is not None and one.batch in order]
    return tuple(one.edit for one in sorted(kept, key=lambda one: order[one.batch]) if one.edit is not None)


def _complete(edit: Edit, root: Path) -> Edit:
    if not edit.sha256:
        edit = replace(edit, sha256=_hash(root / edit.path))
    if edit.operation == "merge" and not edit.keep:
        edit = replace(edit, keep=_hash(root / edit.after))
    return edit


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(
            f"{shown(path)} cannot be read ({error.strerror}).", hint="A decision is about a file's bytes."
        ) from error


def _line(edit: Edit, batch: str, root: Path) -> dict[str, Any]:
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


def _relative(path: Path, root: Path) -> str:
    # The folder may move, and is read by other systems.
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _read(line: bytes, root: Path) -> Decision | None:
    """The decision of a line, or None where it is torn or not one of ours."""
    try:
        raw = json.loads(line)
        operation, batch, time = raw["op"], str(raw["batch"]), str(raw["time"])
        if operation in {"undo", "redo"}:
            return Decision(operation, batch, time, of=str(raw["of"]))
        if operation not in OPERATIONS:
            return None
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
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
