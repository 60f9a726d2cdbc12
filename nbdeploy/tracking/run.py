"""One run: what was asked for, what came of it, and in which surroundings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from nbdeploy.core import look
from nbdeploy.core.numbers import SPACE
from nbdeploy.tracking import store
from nbdeploy.tracking.processes import gone
from nbdeploy.tracking.shown import sign, took, when
from nbdeploy.tracking.telling import rows

if TYPE_CHECKING:
    from nbdeploy.tracking.reproducing import Reproduction

Read = Callable[[Mapping[str, Any]], str]
"""What was noted of data (``source decided label text held_out seed``) -> the fingerprint of what is there now."""


@dataclass(frozen=True, eq=False)
class Run:
    """What is remembered of one train, tune, trial, compress, deploy or pipeline.

    `status` is "running", "done", "failed", "stopped", or "killed" where its process ended without a word.
    """

    id: str
    kind: str
    name: str
    status: str
    why: str
    """Why it failed."""
    began: datetime
    took_s: float | None
    project: str
    """The folder of the repository, or the working folder."""
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    result: Mapping[str, Any]
    """``path`` and ``sha256`` (of a bundle's manifest), ``endpoint`` and ``url``."""
    data: Mapping[str, Any]
    """``source fingerprint rows decided``, and ``decisions``: how far the journal was (``path lines last``)."""
    environment: Mapping[str, Any]
    """``python platform processor cpus gpu packages``."""
    git: Mapping[str, Any]
    """``commit branch dirty``; empty outside a repository."""
    call: str
    """The line of Python that made it."""
    parent: str
    """The run inside which it ran."""
    origin: str
    """The run that made the model which this one takes."""
    noted: str
    tags: tuple[str, ...]
    removed: bool
    _read: Read | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, row: Mapping[str, Any], read: Read | None = None) -> Self:
        """Read a row of the store."""
        began = datetime.fromisoformat(row["began"])
        status, why, took_s = row["status"], row["why"], row["took_s"]
        if status == "running":
            if gone(row["host"], row["pid"], row["started"]):
                status, why = (
                    "killed",
                    "Its process ended without a word: killed, out of memory, or the kernel restarted.",
                )
            else:
                took_s = (datetime.now(UTC) - began).total_seconds()
        same = ("id", "kind", "name", "project", "params", "metrics", "result", "data", "environment", "git", "call")
        return cls(
            **{key: row[key] for key in same},
            status=status,
            why=why,
            began=began,
            took_s=took_s,
            parent=row["parent"],
            origin=row["origin"],
            noted=row["note"],
            tags=tuple(row["tags"]),
            removed=bool(row["removed"]),
            _read=read,
        )

    @property
    def what(self) -> str:
        """Its kind and name: "train digits"."""
        return f"{self.kind} {self.name}".strip()

    @property
    def series(self) -> dict[str, list[tuple[float, float | None]]]:
        """Metric -> [(epoch, value)]."""
        return store.series([self.id])[self.id]

    def values(self) -> dict[str, Any]:
        """What a condition can name: ``kind name status took ...``, parameters and metrics, also as ``params.x``."""
        flat: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "status": self.status,
            "began": self.began.isoformat(),
            "took": self.took_s,
            "tags": list(self.tags),
            "note": self.noted,
            "parent": self.parent,
            "origin": self.origin,
            "commit": self.git.get("commit", ""),
            "fingerprint": self.data.get("fingerprint", ""),
            "python": self.environment.get("python", ""),
        }
        parts = {"params": self.params, "metrics": self.metrics}
        dotted = {f"{part}.{key}": value for part, held in parts.items() for key, value in held.items()}
        return {**self.params, **self.metrics, **flat, **dotted}

    def note(self, text: str) -> Run:
        """Keep a remark with it, in the place of the one before; gives the run as it is then."""
        store.change(self.id, note=str(text))
        return self.again()

    def tag(self, *words: str) -> Run:
        """Keep words with it, which ``where="'good' in tags"`` finds; none takes them away."""
        store.change(self.id, tags=sorted({*self.tags, *map(str, words)}) if words else [])
        return self.again()

    def remove(self) -> Run:
        """List it no more; what it made stays. `restore` brings it back."""
        store.change(self.id, removed=datetime.now(UTC).isoformat(timespec="seconds"))
        return self.again()

    def restore(self) -> Run:
        """List it again."""
        store.change(self.id, removed="")
        return self.again()

    def again(self) -> Run:
        """The run as it is now."""
        return Run.of(store.one(self.id), self._read)

    def reproduce(self) -> Reproduction:
        """What to type to do it again, and what differs now; the data is read again to see whether it is the same."""
        from nbdeploy.tracking.reproducing import reproduce  # noqa: PLC0415 - it knows runs itself

        return reproduce(self, self._read)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the series."""
        kept = ("id kind name status why took_s project params metrics result data environment git call "
                "parent origin").split()  # fmt: skip
        return {
            **{key: getattr(self, key) for key in kept},
            "began": self.began.isoformat(),
            "note": self.noted,
            "tags": list(self.tags),
            "removed": self.removed,
            "series": {name: [list(point) for point in points] for name, points in self.series.items()},
        }

    def __str__(self) -> str:
        lines = [f"{self.id}: {self.what}, {self.status}, {when(self.began)}, took {took(self.took_s)}"]
        told = rows(self)
        width = max((len(name) for name, _ in told), default=0)
        return "\n".join([*lines, *(f"  {name:<{width}}  {text}" for name, text in told)]).replace(SPACE, " ")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        about = f"{self.what}, {when(self.began)}, took {took(self.took_s)}"
        return look.output(
            look.head(look.sign(sign(self.status), self.status), f" {self.id} ", look.tag("span", "nbd-quiet", about)),
            look.table(rows(self), "Ht", css="nbd-full"),
        )
