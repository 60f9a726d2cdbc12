"""Labelled: what a Table and Texts have in common, as an ImageSet has it: labels, a split, and a hash of everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from nbdeploy.data.divided import Divided
from nbdeploy.data.frames import Table as Read
from nbdeploy.data.kept import KeptFile, Suffix
from nbdeploy.data.records import Split, count, names
from nbdeploy.data.relations import is_amount
from nbdeploy.data.rows import held_out as said_held_out
from nbdeploy.data.split import held_out
from nbdeploy.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Labelled(Divided[KeptFile]):
    """Examples with labels and a split. Making one changes nothing on disk.

    Examples are seen as the raw files that they are deployed as; see `KeptFile`.
    """

    files: tuple[KeptFile, ...]
    """In the order of the data."""
    skipped: tuple[tuple[str, int], ...] = ()
    """(kind, number) of what was passed over: without a label, empty."""
    source: str = ""
    """The file or folder that it was read from."""
    seed: int | None = None
    """The seed of the split; None where a column decided it."""
    rows: tuple[int, ...] = ()
    """The position from 0, in what was read, of each of `files`."""
    share: float | None = None
    """The share of each class, 0..1, that `seed` was to hold out; None where that is not known."""

    noun: ClassVar[str] = "row"
    original: ClassVar[None] = None
    """Decisions are made about pictures; there is no other set behind this one."""

    def without(self, rows: Collection[int]) -> Self:
        """A new one without what stands at these positions of what was read; all else stays on its side.

        Raises DataError where too little is left to train on.
        """
        left = [(file, row) for file, row in zip(self.files, self.rows, strict=True) if row not in rows]
        files = tuple(file for file, _ in left)
        check_sides(files)
        if len({file.label for file in files}) < 2:  # noqa: PLR2004 - a choice needs two
            raise DataError("One class at most is left.", hint="Training needs at least two classes: leave out fewer.")
        return replace(self, files=files, rows=tuple(row for _, row in left))

    def __repr__(self) -> str:
        skipped = "".join(f", {number:,} {kind} left out" for kind, number in self.skipped)
        return (
            f"{type(self).__name__}({count(len(self), self.noun)}, {count(len(self.labels), 'class')}: "
            f"{len(self.train):,} train, {len(self.valid):,} held out{skipped}; {self.source})"
        )

    __str__ = __repr__

    def _remarks(self) -> list[str]:
        """Lines for people, below the classes."""
        return [f"Left out: {', '.join(f'{number:,} {kind}' for kind, number in self.skipped)}"] if self.skipped else []

    def _repr_html_(self) -> str:
        from nbdeploy.data.look import labelled_as_html  # noqa: PLC0415 - loads Pillow

        return labelled_as_html(self, self._remarks())


def check_label(read: Read, label: str) -> None:
    """Raise DataError where the column `label` cannot be one of classes, UnknownName where it is not there."""
    from nbdeploy.data.columns import column_of  # noqa: PLC0415 - pandas

    column = column_of(read.need(label), read.frame[label])
    if is_amount(column):
        raise DataError(
            f'The column "{label}" holds amounts ({len(column.real):,} different numbers), not classes.',
            hint="nbdeploy deploys classifiers: make classes of the amounts first (pandas.cut), or name another label.",
        )
    if len(column.real) < 2:  # noqa: PLR2004 - a choice needs two
        raise DataError(f'The column "{label}" holds one class at most.', hint="Training needs at least two classes.")


def files_of(
    read: Read, contents: Sequence[bytes | None], labels: Sequence[str | None], suffix: Suffix
) -> tuple[list[KeptFile], list[int], tuple[tuple[str, int], ...]]:
    """What can be learned from, the rows on which it stands, and what was passed over. Nothing is held out yet."""
    files: list[KeptFile] = []
    rows: list[int] = []
    passed: Counter[str] = Counter()
    for at, (content, label) in enumerate(zip(contents, labels, strict=True)):
        if content is None or label is None:
            passed["without a label" if label is None else "empty"] += 1
            continue
        files.append(KeptFile(content, suffix, label))
        rows.append(at)
    if not files:
        raise DataError(f"{read.path.name} has nothing with a label.", hint="Name another column with label=.")
    return files, rows, tuple(sorted(passed.items()))


def divided(
    read: Read, files: Sequence[KeptFile], rows: Sequence[int], *, split: str | None, valid: float, seed: int
) -> tuple[tuple[KeptFile, ...], int | None]:
    """The files with their sides, and the seed that decided it: None where the column `split` did. Equal ones stay on
    one side. Raises DataError where nothing is held out, or a class has nothing to train on.
    """
    if split:
        from nbdeploy.data.columns import column_of  # noqa: PLC0415 - pandas

        said = said_held_out(read, column_of(read.need(split), read.frame[split]))
        out = [bool(said[row]) for row in rows]
    else:
        chosen = held_out([(file.label, file.sha256) for file in files], valid=valid, seed=seed)
        out = [file.sha256 in chosen for file in files]
    sides: tuple[Split, Split] = ("train", "valid")
    made = tuple(replace(file, split=sides[held]) for file, held in zip(files, out, strict=True))
    check_sides(made)
    return made, None if split else seed


def check_sides(files: Sequence[KeptFile]) -> None:
    """Raise DataError where nothing is held out, or a class has nothing to train on."""
    if not any(file.split == "valid" for file in files):
        raise DataError("Nothing is held out.", hint="Training needs some to measure itself on: valid=0.2.")
    unseen = sorted({file.label for file in files} - {file.label for file in files if file.split == "train"})
    if unseen:
        raise DataError(
            f"Nothing is left to train on of {names(map(repr, unseen))}.", hint="Add some, or hold out fewer."
        )
