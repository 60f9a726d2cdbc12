"""Suspected problems in data, and what a person decides about them: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from nbdeploy.errors import UnknownName

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "empty_file": "files of 0 bytes",
        "not_an_image": "files that are no pictures",
        "unreadable": "pictures that cannot be read",
        "truncated": "pictures that are cut short",
        "image_bomb": "pictures of too many pixels",
        "label_error": "labels that look wrong",
        "cross_class_duplicate": "one picture under several labels",
        "split_leak": "held-out pictures that are trained on too",
        "leaking_column": "columns that give the label away",
        "exact_duplicate": "copies, byte for byte",
        "near_duplicate": "nearly the same picture",
        "duplicate_row": "rows that stand there before",
        "empty_text": "texts that say nothing",
        "encoding_damage": "garbled letters",
        "ragged_row": "rows that do not fit the columns",
        "mixed_types": "columns of mixed types",
        "suspicious_category": "categories that look misspelt",
        "value_outlier": "values far from all others",
        "missing_values": "missing values",
        "duplicate_column": "columns that repeat another",
        "constant_column": "columns of one value",
        "id_column": "columns that only number the rows",
        "wrong_extension": "files named as another format",
        "blank": "pictures of one colour",
        "dark": "dark pictures",
        "overexposed": "over-exposed pictures",
        "blurred": "blurred pictures",
        "noisy": "noisy pictures",
        "garbled": "pictures garbled in part",
        "outlier": "pictures unlike the others",
        "odd_size": "pictures of an odd size",
        "odd_aspect": "pictures of an odd shape",
        "exif_rotated": "pictures turned only by EXIF",
        "sixteen_bit": "pictures with 16 bits",
        "float_pixels": "pictures with float pixels",
        "cmyk": "pictures in CMYK",
        "animated": "pictures with several frames",
        "alpha": "pictures with transparency",
        "palette": "pictures with a palette",
        "class_imbalance": "classes with few pictures",
    }
)
"""Every kind of finding, the gravest first, and what it is called in the plural where pictures were looked at."""

_OTHERWISE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "row": {
            "cross_class_duplicate": "equal or nearly equal rows under several labels",
            "split_leak": "held-out rows that are trained on too",
            "exact_duplicate": "texts that stand there before",
            "near_duplicate": "nearly the same text",
            "class_imbalance": "classes with few rows",
        },
        "text": {
            "cross_class_duplicate": "one text under several labels",
            "split_leak": "held-out texts that are trained on too",
            "exact_duplicate": "texts that stand there before",
            "near_duplicate": "nearly the same text",
            "class_imbalance": "classes with few texts",
        },
    }
)


def called(kind: str, unit: str = "file") -> str:
    """What a kind is called in the plural, where files, rows or texts (`unit`) were looked at."""
    return _OTHERWISE.get(unit, {}).get(kind, KINDS[kind])


Operation = Literal["relabel", "exclude", "restore", "rotate", "merge"]
OPERATIONS: tuple[Operation, ...] = ("relabel", "exclude", "restore", "rotate", "merge")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a table, or among texts, a finding is."""

    row: int | None = None
    """Position from 0, as ``frame.iloc`` counts; None where it is about a column, a table, or a text's own file."""
    column: str = ""
    """Empty where it is about a whole row."""
    rows: tuple[int, ...] = ()
    """The other rows that it is about: of a copy, the one to keep first."""
    line: int | None = None
    """Of the file, from 1; None where the row is of no file."""
    cells: tuple[tuple[str, str], ...] = ()
    """What stands there and is to be shown beside the evidence, as (column or row, value)."""

    def __str__(self) -> str:
        row = "" if self.row is None else f"row {self.row}" if self.line is None else f"line {self.line}"
        return ", ".join(part for part in (row, self.column) if part)


@dataclass(frozen=True, slots=True)
class Finding:
    """One suspected problem with its evidence. Nothing is decided by it."""

    path: Path
    """Absolute. Of a class without pictures enough, the folder that its pictures lie in. Of a table or of texts in
    memory ``<DataFrame>`` or ``<texts>``."""
    kind: str
    """One of `KINDS`."""
    score: float
    """0..1, higher is more suspect. Within a kind it ranks; 1 where the matter is certain."""
    evidence: str
    """What was seen, in words and figures."""
    related: tuple[Path, ...] = ()
    """The other files that it is about: the copies of a duplicate, the one to keep first."""
    suggest: str = "look"
    """``exclude``, ``relabel:LABEL``, ``rotate``, ``merge`` or ``look``; of a cell also ``replace:VALUE`` or
    ``missing``: to be read as missing; of a column ``drop``."""
    sha256: str = ""
    """Hex, of the file's bytes; empty where they could not be read, and where the finding has a place in a file."""
    place: Place | None = None
    """Where in a table or among texts; None: the finding is about a picture."""

    def edit(self, *, who: str = "audit") -> Edit | None:
        """The Edit that does what is suggested; None where a person has to look, and for rows, columns and texts.

        Edits are about pictures.
        """
        operation, _, label = self.suggest.partition(":")
        if operation == "look" or self.place is not None:
            return None
        after = {"relabel": label, "rotate": "exif"}.get(operation, "")
        if operation == "merge":
            after = str(self.related[0])
        why = f"{self.kind}: {self.evidence}"
        op = cast("Operation", operation)
        return Edit(self.path, op, after, sha256=self.sha256, why=why, who=who, scores=((self.kind, self.score),))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the keys of ``nbdeploy audit --json``; of a table or texts also where in it."""
        plain = {
            "path": _shown(self.path),
            "kind": self.kind,
            "score": round(self.score, 4),
            "evidence": self.evidence,
            "related": [_shown(path) for path in self.related],
            "suggest": self.suggest,
        }
        if (place := self.place) is None:
            return plain
        where = {"row": place.row, "column": place.column or None, "line": place.line, "related_rows": [*place.rows]}
        return plain | where


@dataclass(frozen=True, slots=True)
class Guess:
    """What a model that did not see a file's label says of it."""

    label: str
    """The likeliest class."""
    confidence: float
    """Its probability, 0..1."""
    given: float
    """The probability, 0..1, of the label that stands there: the self-confidence by which label errors are ranked."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One decision about one picture. Nothing on disk changes by it.

    Raises UnknownName for an operation that does not exist.
    """

    path: Path
    """The file that was looked at. What is decided holds for its bytes, wherever they lie."""
    operation: Operation
    after: str = ""
    """The label (relabel); 90, 180 or 270 degrees clockwise from how a viewer shows it, 0: as a viewer shows it, or
    ``exif``: as its EXIF says (rotate); the path of the file that is kept (merge)."""
    before: str = ""
    """The label before (relabel)."""
    sha256: str = ""
    """Hex, of the file's bytes; found out where it is empty."""
    keep: str = ""
    """Hex SHA-256 of the file that is kept (merge); found out where it is empty."""
    why: str = ""
    who: str = "person"
    """Who, or which rule, decided."""
    scores: tuple[tuple[str, float], ...] = ()
    """What it was decided on, as (kind of finding, score)."""

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise UnknownName("operation", str(self.operation), OPERATIONS)


def _shown(path: Path) -> str:
    # Names that are not UTF-8 must not break a document of JSON.
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
