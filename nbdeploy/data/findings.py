"""Findings: the ranked table that an audit gives."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nbdeploy.core.finding import KINDS, Edit, Finding, Guess
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
    """Number of files that were looked at."""
    remarks: tuple[str, ...] = ()
    """What there is to say beside the findings: how many labels to look at, why something was not judged."""
    guesses: Mapping[Path, Guess] = field(default_factory=dict, repr=False)
    """What the model that judged the labels says of each file, out of fold; empty where labels were not judged."""

    @classmethod
    def ranked(
        cls,
        rows: Iterable[Finding],
        *,
        files: int,
        remarks: Iterable[str] = (),
        guesses: Mapping[Path, Guess] | None = None,
    ) -> Findings:
        """The findings in order: by score, then the graver kind, then the path."""
        order = sorted(rows, key=lambda row: (-row.score, _RANK[row.kind], os.fsencode(row.path)))
        return cls(tuple(order), files, tuple(remarks), guesses or {})

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
        """What is suggested, as Edits to look through and to apply; findings that need a person's look give none."""
        made: dict[tuple[str, str], Edit] = {}
        for row in self.rows:
            edit = row.edit()
            if edit is not None:
                made.setdefault((os.fspath(edit.path), edit.operation), edit)
        return tuple(made.values())

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: path, kind, score, evidence, related, suggest, sha256."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [{**row.to_dict(), "sha256": row.sha256} for row in self.rows]
        columns = ("path", "kind", "score", "evidence", "related", "suggest", "sha256")
        return pd.DataFrame(rows, columns=pd.Index(columns))

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``{"files": n, "findings": [...], "remarks": [...]}``."""
        return {
            "files": self.files,
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
        return f"{count(len(self), 'finding')} in {count(self.files, 'file')}"

    def __str__(self) -> str:
        lines = [self.headline, *(f"{number:>7,}  {KINDS[kind]} ({kind})" for kind, number in self.counts.items())]
        lines += [
            "",
            *(f"{row.score:.2f}  {row.kind}  {shown(row.path)}: {row.evidence}" for row in self.rows[:_SHOWN]),
        ]
        if len(self) > _SHOWN:
            lines.append(f"and {len(self) - _SHOWN:,} more")
        return "\n".join([*lines, *self.remarks]).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from nbdeploy.data.look import findings_as_html  # noqa: PLC0415 - loads Pillow

        return findings_as_html(self)
