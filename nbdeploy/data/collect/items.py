"""What is known of one thing that was given to a collection."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Weight = Literal["bad", "warn", "note"]
Status = Literal["kept", "copy", "refused"]

CAPTURES = frozenset({"webcam", "phone", "video"})
"""Kinds of source whose pictures of one session resemble one another, so that they stay on one side of the split."""

_SOURCES = {
    "file": "{name}",
    "paste": "pasted",
    "webcam": "webcam",
    "phone": "phone",
    "video": "{name}",
    "url": "{name}",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a picture came from."""

    kind: str = "file"
    """``file paste webcam phone video url``, or the format of a data set: ``coco voc yolo``."""
    name: str = ""
    """The file's name, its path in a dropped folder, or the address."""
    detail: str = ""
    """Where in it: "at 3.20 s", "annotation 17"."""

    def __str__(self) -> str:
        text = _SOURCES.get(self.kind, f"{self.kind}: {{name}}").format(name=self.name or self.kind)
        return f"{text}, {self.detail}" if self.detail else text


@dataclass(frozen=True, slots=True)
class Badge:
    """One thing that screening noticed."""

    kind: str
    """A kind of finding (``core.finding.KINDS``)."""
    words: str
    """What was seen, in words and figures."""
    weight: Weight = "warn"
    """``bad``: it was not stored. ``warn``: look at it. ``note``: good to know."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was given, stored or not: nothing is dropped without a line that says why."""

    id: str
    batch: str
    """What was added by one act, and is taken back by one undo."""
    status: Status
    """``kept``: stored. ``copy``: the same bytes are there already. ``refused``: not a picture that can be used."""
    label: str
    source: Source
    session: str
    file: str = ""
    """Below the collection's folder, with forward slashes; of a copy the file that is there; empty when refused."""
    sha256: str = ""
    group: str = ""
    """Files of one group stay on one side of the split."""
    time: str = ""
    """UTC, ISO 8601."""
    size: tuple[int, int] = (0, 0)
    badges: tuple[Badge, ...] = ()

    @classmethod
    def new(cls, label: str, source: Source, session: str, batch: str) -> Item:
        """One that was just given, and is refused until it is stored."""
        made = uuid.uuid4().hex
        return cls(made, batch or uuid.uuid4().hex, "refused", label, source, session, time=now())

    @property
    def said(self) -> str:
        """Why it was not stored, or what to look at, in a line; empty for a picture without badges."""
        return "; ".join(badge.words for badge in self.badges)

    def dump(self) -> dict[str, Any]:
        """Plain data, as in ``collected.jsonl``."""
        return {
            "v": 1,
            "op": "add",
            "id": self.id,
            "batch": self.batch,
            "status": self.status,
            "file": self.file,
            "label": self.label,
            "sha256": self.sha256,
            "source": {"kind": self.source.kind, "name": self.source.name, "detail": self.source.detail},
            "session": self.session,
            "group": self.group,
            "time": self.time,
            "size": list(self.size),
            "badges": [[badge.kind, badge.words, badge.weight] for badge in self.badges],
        }

    @classmethod
    def load(cls, raw: Mapping[str, Any]) -> Item:
        """Read what `dump` gave. Raises ValueError, TypeError or KeyError for anything else."""
        width, height = raw["size"]
        if raw["status"] not in {"kept", "copy", "refused"}:
            raise ValueError(raw["status"])
        texts = {key: _text(raw[key]) for key in ("id", "batch", "label", "session", "file", "sha256", "group", "time")}
        return cls(
            status=raw["status"],
            source=Source(*(_text(raw["source"][key]) for key in ("kind", "name", "detail"))),
            size=(int(width), int(height)),
            badges=tuple(Badge(*row) for row in raw["badges"]),
            **texts,
        )


def new_session(kind: str) -> str:
    """A name for what is captured or added together from now on."""
    return f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


def now() -> str:
    """The time, as an Item has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
