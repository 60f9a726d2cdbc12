"""decisions.jsonl: what people decided about their pictures. Only ever appended to; the state is a fold over it."""

from __future__ import annotations

import errno
import json
import os
import threading
import uuid
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from nbdeploy.core.files import sha256_of
from nbdeploy.core.finding import Edit
from nbdeploy.data.decisions import Decision, Fold, Passed, batches, edit_line, fold, in_force, read_line, turn_line
from nbdeploy.data.records import count, shown
from nbdeploy.errors import DataError, NbdeployWarning, OutputError

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet

__all__ = ["NAME", "Decision", "Journal", "batches", "in_force"]

NAME = "decisions.jsonl"
_PATIENCE_S = 30.0
_BOM = b"\xef\xbb\xbf"  # some editors put it before the first line
_REMEMBERED = 64  # bytes before the place that was read up to, by which a file that was replaced is noticed
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@dataclass(slots=True)
class _Read:
    """What was read of the file so far: whole lines only."""

    file: tuple[int, int] = (0, 0)
    """Device and inode."""
    offset: int = 0
    end: bytes = b""
    """The last bytes before `offset`."""
    decisions: list[Decision] = field(default_factory=list)
    state: Fold = field(default_factory=Fold)
    rest: bytes = b""
    """What follows the last whole line: a line whose end is missing only, or one that was torn."""
    last: Decision | None = None
    """The decision of `rest`, where it is whole."""


class Journal:
    """The decisions beside some data.

    `place` is a folder, which keeps them in ``decisions.jsonl``, or such a file. Several processes may write at once,
    and a Journal sees what the others write: only what was appended since it last looked is read. A line that a killed
    process left unfinished, or that a newer nbdeploy wrote, is passed over with a NbdeployWarning and stays in the
    file. Iterating gives the Edits in force, so that ``images.apply(journal)`` gives the set that was decided on.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        path = Path(os.path.abspath(place))
        self.path = path / NAME if path.is_dir() or path.suffix != ".jsonl" else path
        self._read = _Read()
        self._turn_taking = threading.RLock()  # between the threads of this process

    @classmethod
    def beside(cls, images: ImageSet) -> Journal:
        """That of the folder, or of the folder of the table or archive, that `images` was made from."""
        source = Path(images.source)
        return cls(source if source.is_dir() else source.parent)

    def record(self, edits: Iterable[Edit], *, batch: str = "") -> str:
        """Append `edits` as one batch, which is undone as one; gives its name. Hashes that are missing are found out.

        What is there already is not read again. Raises OutputError where the place cannot be written to (nothing is
        written then), DataError where a picture to hash is not there.
        """
        batch = batch or uuid.uuid4().hex
        root = self.path.parent
        lines = [edit_line(_complete(edit, root), batch, root) for edit in edits]
        if lines:
            with self._locked():
                self._write(lines)
        return batch

    def undo(self) -> str:
        """Take back the newest batch that is in force; gives its name, empty where there is none."""
        return self._turn("undo")

    def redo(self) -> str:
        """Put the batch that was taken back last in force again; gives its name, empty where there is none."""
        return self._turn("redo")

    def decisions(self) -> tuple[Decision, ...]:
        """Every whole line, in order, also of what was undone since. Raises DataError where the file is unreadable."""
        with self._turn_taking:
            self._catch_up()
            last = self._read.last
            return (*self._read.decisions, last) if last else tuple(self._read.decisions)

    def edits(self) -> tuple[Edit, ...]:
        """The Edits in force, in the order in which they hold. Raises DataError where the file is unreadable."""
        with self._turn_taking:
            self._catch_up()
            return self._state().edits()

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits())

    def _turn(self, operation: str) -> str:
        with self._locked():
            self._catch_up(alone=True)
            state = self._state()
            some = list(state.done if operation == "undo" else state.undone)
            if not some:
                return ""
            self._write([turn_line(operation, some[-1], uuid.uuid4().hex)])
            return some[-1]

    def _state(self) -> Fold:
        # The last line is not in the state yet: it may turn out to be the beginning of another.
        last = self._read.last
        return fold((*self._read.decisions, last)) if last else self._read.state

    def _catch_up(self, *, alone: bool = False) -> None:
        """Read what was appended. `alone`: no other process is writing, as the lock is held."""
        new = self._appended()
        whole, newline, rest = new.rpartition(b"\n")
        last = read_line(rest, self.path.parent) if rest.strip() else None
        if last is Passed.torn and not alone and rest != self._read.rest:
            with suppress(OutputError), self._locked():  # it may be a line that is just being written
                self._catch_up(alone=True)
                return
        found = Counter({last: 1} if isinstance(last, Passed) and rest != self._read.rest else {})
        for line in whole.split(b"\n"):
            if line.strip():
                one = read_line(line, self.path.parent)
                if isinstance(one, Passed):
                    found[one] += 1
                else:
                    self._read.decisions.append(one)
                    self._read.state.add(one)
        self._read.offset += len(whole) + len(newline)
        self._read.end = (self._read.end + whole + newline)[-_REMEMBERED:]
        self._read.rest, self._read.last = rest, last if isinstance(last, Decision) else None
        self._warn(found)

    def _appended(self) -> bytes:
        """The bytes after what was read. Where the file is another one now, all of them."""
        try:
            with self.path.open("rb") as file:
                about = os.fstat(file.fileno())
                if not self._is_the_same(file, about):
                    self._read = _Read((about.st_dev, about.st_ino))
                file.seek(self._read.offset)
                data = file.read()
        except FileNotFoundError:
            self._read = _Read()
            return b""
        except OSError as error:
            raise DataError(
                f"{shown(self.path)} cannot be read ({error.strerror or error}).",
                hint="It holds the decisions about your pictures: give it read permission.",
            ) from error
        if self._read.offset == 0 and data.startswith(_BOM):
            self._read.offset, self._read.end = len(_BOM), _BOM
            return data[len(_BOM) :]
        return data

    def _is_the_same(self, file: BinaryIO, about: os.stat_result) -> bool:
        if (about.st_dev, about.st_ino) != self._read.file or about.st_size < self._read.offset:
            return False
        file.seek(self._read.offset - len(self._read.end))
        return file.read(len(self._read.end)) == self._read.end

    def _warn(self, found: Counter[Passed]) -> None:
        if found:
            kinds = ", ".join(
                f"{number:,} {kind.value}" if len(found) > 1 else kind.value for kind, number in found.items()
            )
            warnings.warn(
                f"{count(found.total(), 'line')} of {shown(self.path)} passed over: {kinds}.",
                NbdeployWarning,
                stacklevel=4,
            )

    def _write(self, lines: Sequence[dict[str, Any]]) -> None:
        data = b"".join(json.dumps(line, ensure_ascii=True).encode() + b"\n" for line in lines)
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            size = os.lseek(file, 0, os.SEEK_END)
            if size:
                os.lseek(file, -1, os.SEEK_END)
                if os.read(file, 1) != b"\n":  # what a killed process left must not swallow the next line
                    data = b"\n" + data
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(file, left) :]
                os.fsync(file)
            except BaseException:  # a full disk, Ctrl-C: all of it or nothing
                with suppress(OSError):
                    os.ftruncate(file, size)
                raise
        finally:
            os.close(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self.path.parent.is_dir():  # the lock would make it
            raise OutputError(f"There is no folder {shown(self.path.parent)}.", hint="Decisions lie beside the data.")
        try:
            with self._turn_taking, _lock(self.path.with_name(f".{self.path.name}.lock")):
                yield
        except Timeout as error:
            raise OutputError(
                f"{shown(self.path)} is being written by another process.",
                hint="Close the other notebook, or try again.",
            ) from error
        except OSError as error:
            hint = "They lie beside the data: give its folder write permission, or name a file: Journal('my.jsonl')."
            if error.errno in _FULL:
                hint = "Nothing was written. Free some space on that disk and decide again."
            raise OutputError(
                f"Decisions cannot be kept in {shown(self.path)} ({error.strerror or error}).", hint=hint
            ) from error


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; on a file system that knows no locks, one whose existence is the lock."""
    lock: BaseFileLock = FileLock(path, timeout=_PATIENCE_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # filelock tells that it does the same
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        lock = SoftFileLock(path.with_suffix(".held"), timeout=_PATIENCE_S)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


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
