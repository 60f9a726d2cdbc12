"""Findings: the ranked table that an audit gives."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nbdeploy.core.finding import KINDS, Edit, Finding, Guess, called
from nbdeploy.data.records import count, shown
from nbdeploy.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20
_RANK = {kind: place for place, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Findings:
    """What an audit suspects, the most suspect first. Nothing is decided by it, and nothing on disk has changed."""

    rows: tuple[Finding, ...]
    files: int
    """Number of files, rows or texts that were looked at."""
    remarks: tuple[str, ...] = ()
    """What there is to say beside the findings: how many labels to look at, why something was not judged."""
    guesses: Mapping[Path | int, Guess] = field(default_factory=dict, repr=False)
    """What the model that judged the labels says of each file (or row, by its position), out of fold; empty where
    labels were not judged."""
    unit: str = "file"
    """What was looked at: ``file``, ``row`` or ``text``."""

    @classmethod
    def ranked(
        cls,
        rows: Iterable[Finding],
        *,
        files: int,
        remarks: Iterable[str] = (),
        guesses: Mapping[Path | int, Guess] | None = None,
        unit: str = "file",
    ) -> Findings:
        """The findings in order: by score, then the graver kind, then the path and the place in it."""
        order = sorted(rows, key=lambda row: (-row.score, _RANK[row.kind], os.fsencode(row.path), _place(row)))
        return cls(tuple(order), files, tuple(remarks), guesses or {}, unit)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Kind -> number of findings, the gravest kind first; kinds without a finding are absent."""
        found = Counter(row.kind for row in self.rows)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def of(self, *kinds: str) -> Findings:
        """Those of some kinds. Raises UnknownName for a kind that does not exist."""
        for kind in kinds:
            if kind not in KINDS:
                raise UnknownName("kind of finding", kind, KINDS)
        return replace(self, rows=tuple(row for row in self.rows if row.kind in kinds))

    def top(self, number: int) -> Findings:
        """The first `number` of them."""
        return replace(self, rows=self.rows[:number])

    def edits(self) -> tuple[Edit, ...]:
        """What is suggested, as Edits to look through and to apply.

        Findings that need a person's look give none, nor do those about rows, columns and texts: Edits are about
        pictures.
        """
        made: dict[tuple[str, str], Edit] = {}
        for row in self.rows:
            edit = row.edit()
            if edit is not None:
                made.setdefault((os.fspath(edit.path), edit.operation), edit)
        return tuple(made.values())

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: path, kind, score, evidence, related, suggest, sha256.

        Of a table or texts: path, row, column, line, kind, score, evidence, related, related_rows, suggest.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [{**row.to_dict(), "sha256": row.sha256} for row in self.rows]
        columns: tuple[str, ...] = ("path", "kind", "score", "evidence", "related", "suggest", "sha256")
        if self.unit != "file":
            columns = ("path", "row", "column", "line", *columns[1:5], "related_rows", "suggest")
        frame = pd.DataFrame(rows, columns=pd.Index(columns))
        # A whole column has no row: a nullable number keeps the others whole numbers.
        return frame.astype({name: "Int64" for name in ("row", "line") if name in columns})

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``{"files": n, "unit": "file", "findings": [...], "remarks": [...]}``."""
        return {
            "files": self.files,
            "unit": self.unit,
            "findings": [row.to_dict() for row in self.rows],
            "remarks": list(self.remarks),
        }

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.rows)

    @overload
    def __getitem__(self, at: int) -> Finding: ...
    @overload
    def __getitem__(self, at: slice) -> Findings: ...
    def __getitem__(self, at: int | slice) -> Finding | Findings:
        return replace(self, rows=self.rows[at]) if isinstance(at, slice) else self.rows[at]

    @property
    def headline(self) -> str:
        """``12 findings in 1,797 files``."""
        return f"{count(len(self), 'finding')} in {count(self.files, self.unit)}"

    def __str__(self) -> str:
        counted = self.counts.items()
        lines = [self.headline, *(f"{number:>7,}  {called(kind, self.unit)} ({kind})" for kind, number in counted)]
        lines += ["", *(f"{row.score:.2f}  {row.kind}  {_where(row)}: {row.evidence}" for row in self.rows[:_SHOWN])]
        if len(self) > _SHOWN:
            lines.append(f"and {len(self) - _SHOWN:,} more")
        return "\n".join([*lines, *self.remarks]).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from nbdeploy.data.look import findings_as_html  # noqa: PLC0415 - loads Pillow

        return findings_as_html(self)


def _where(row: Finding) -> str:
    return shown(row.path) if row.place is None else f"{shown(row.path.name)} {row.place}".rstrip()


def _place(row: Finding) -> tuple[int, str]:
    place = row.place
    return (-1 if place is None or place.row is None else place.row, "" if place is None else place.column)
