"""What a model takes that takes no pictures: a row of a table, or a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

NUMBER, CATEGORY = "number", "category"
MAX_WORDS = 4096
"""Of a text: more ids than this are not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowColumn:
    """One column: a number, or one of `categories`, whose place in the list, from 1, is the number that stands for it.

    0 stands for a category that is missing or was never seen; a number that is missing is NaN.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A row of a table, as float32 ``[1, len(columns)]``."""

    columns: tuple[RowColumn, ...]

    kind: ClassVar[str] = "table"
    noun: ClassVar[str] = "row"
    dtype: ClassVar[str] = "float32"
    layout: ClassVar[str] = "NC"

    @property
    def shape(self) -> tuple[int, ...]:
        """The model's input shape."""
        return (1, len(self.columns))

    def host(self) -> dict[str, Any]:
        """What the host does, as plain data for a manifest."""
        return {"columns": [{**asdict(column), "categories": list(column.categories)} for column in self.columns]}

    def says(self) -> str:
        """What the host does, in a line."""
        named = (f"{column.name} ({column.kind})" for column in self.columns)
        return f"a row as JSON to numbers, in this order: {', '.join(named)}"

    @classmethod
    def from_host(cls, raw: Mapping[str, Any], shape: tuple[int, ...]) -> Rows:
        """Read what `host` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        made = (
            RowColumn(name=str(c["name"]), kind=str(c["kind"]), categories=tuple(map(str, c["categories"])))
            for c in raw["columns"]
        )
        rows = cls(columns=tuple(made))
        if rows.shape != shape:
            raise ValueError(f"the input is {list(shape)} for {len(rows.columns)} columns")
        return rows

    def wrong(self) -> list[str]:
        """What does not fit together, in words."""
        names = [column.name for column in self.columns]
        return [
            *(f"column {c.name!r} of kind {c.kind!r}" for c in self.columns if c.kind not in {NUMBER, CATEGORY}),
            *(f"categories of {c.name!r} twice" for c in self.columns if len(set(c.categories)) < len(c.categories)),
            *(["no columns"] if not names else ["columns of the same name"] if len(set(names)) < len(names) else []),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text, as the ids of its known words, pairs of words and parts of words: int32 ``[1, length]``, filled with 0.

    The id of a token is its place in `vocabulary`, from 1. How a text is cut into tokens is the business of the host
    code ``words.py``; `parts` are the numbers of letters of parts of words, `pairs` says whether two neighbours count.
    """

    length: int
    vocabulary: tuple[str, ...]
    parts: tuple[int, ...]
    pairs: bool = True

    kind: ClassVar[str] = "text"
    noun: ClassVar[str] = "text"
    dtype: ClassVar[str] = "int32"
    layout: ClassVar[str] = "NL"

    @property
    def shape(self) -> tuple[int, ...]:
        """The model's input shape."""
        return (1, self.length)

    def host(self) -> dict[str, Any]:
        """What the host does, as plain data for a manifest."""
        return {
            "length": self.length,
            "parts": list(self.parts),
            "pairs": self.pairs,
            "vocabulary": list(self.vocabulary),
        }

    def says(self) -> str:
        """What the host does, in a line."""
        return f"a text to the ids of {len(self.vocabulary):,} known words and parts of words, at most {self.length:,}"

    @classmethod
    def from_host(cls, raw: Mapping[str, Any], shape: tuple[int, ...]) -> Words:
        """Read what `host` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        words = cls(
            length=int(raw["length"]),
            vocabulary=tuple(map(str, raw["vocabulary"])),
            parts=tuple(map(int, raw["parts"])),
            pairs=bool(raw["pairs"]),
        )
        if words.shape != shape:
            raise ValueError(f"the input is {list(shape)} for {words.length} words")
        return words

    def wrong(self) -> list[str]:
        """What does not fit together, in words."""
        return [
            *([f"{self.length} words"] if not 1 <= self.length <= MAX_WORDS else []),
            *(f"parts of {number} letters" for number in self.parts if not 1 <= number <= MAX_WORDS),
            *(["no vocabulary"] if not self.vocabulary else []),
        ]


KINDS: dict[str, type[Rows | Words]] = {"table_classification": Rows, "text_classification": Words}
"""The task of a signature -> what its model takes; any other task takes pictures."""


def row_bytes(row: Mapping[str, Any]) -> bytes:
    """A row as the bytes of its file: the same bytes for the same row. Values are numbers, texts and None."""
    return (json.dumps(dict(row), ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")


def text_bytes(text: str) -> bytes:
    """A text as the bytes of its file, in UTF-8; a lone half of a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace")
