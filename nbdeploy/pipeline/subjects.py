"""What a pipeline learns from: pictures, rows or texts; and what of its file holds for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.errors import NbdeployError
from nbdeploy.pipeline.spots import Spot

TABLES = frozenset({".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet"})


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to learn from, and the distributions whose versions matter to each step."""

    noun: str
    kind: str
    """As ``Signature.kind`` says it."""
    looks: tuple[str, ...]
    audits: tuple[str, ...]
    trains: tuple[str, ...]
    deploys: tuple[str, ...]


PICTURES = Subject(
    "picture",
    "image",
    ("pillow", "numpy"),
    ("pillow", "numpy", "scipy", "scikit-learn"),
    ("torch", "torchvision", "fastai", "timm", "pillow"),
    ("pillow", "numpy"),
)
_OTHERS = (("numpy", "pandas"), ("numpy", "pandas", "scipy", "scikit-learn"), ("torch", "fastai", "pandas"), ("numpy",))
ROWS = Subject("row", "table", *_OTHERS)
TEXTS = Subject("text", "text", *_OTHERS)

_OF_ROWS = (
    "label_error",
    "cross_class_duplicate",
    "split_leak",
    "duplicate_row",
    "encoding_damage",
    "suspicious_category",
    "value_outlier",
    "ragged_row",
)
_OF_TEXTS = (
    "label_error",
    "cross_class_duplicate",
    "split_leak",
    "exact_duplicate",
    "near_duplicate",
    "empty_text",
    "encoding_damage",
    "suspicious_category",
    "ragged_row",
)
_OF_COLUMNS = (
    "leaking_column",
    "mixed_types",
    "missing_values",
    "duplicate_column",
    "constant_column",
    "id_column",
    "class_imbalance",
)
"""Kinds of findings that are found, but name no rows, or rows that are no worse for it."""


def subject_of(data: Mapping[str, Any], place: Path) -> Subject:
    """What the section `data` of a file, whose data lies at `place`, is about."""
    if "dataset" in data or "path" in data:
        return PICTURES
    if "text" in data:
        return TEXTS
    from nbdeploy.data.sources import kind_of  # noqa: PLC0415 - numpy

    if place.is_dir():
        return TEXTS if kind_of(place) == "texts" else PICTURES
    if place.suffix.lower() not in TABLES:
        return PICTURES
    try:
        return PICTURES if kind_of(place) == "pictures" else ROWS
    except (NbdeployError, OSError):  # what is wrong with it is said where it is read
        return ROWS


def check_data(data: Mapping[str, Any], place: Path, spot: Spot) -> None:
    """Raise UsageError, with the line, for keys of `data` that do not go together."""
    subject = subject_of(data, place)
    at = spot.value if isinstance(spot.value, dict) else {}

    def refuse(keys: set[str], message: str, hint: str) -> None:
        for key in at:
            if key in keys & set(data):
                raise at[key].wrong(f"{key} {message}", hint)

    if "path" in data:
        refuse({"text"}, "is for texts, and path: is for pictures.", "Leave one of the two out.")
    if subject is not ROWS:
        refuse({"columns"}, f"is for rows, and this is about {subject.noun}s.", "Leave columns: out.")
    if subject is not PICTURES and place.is_dir():
        refuse({"label", "text", "split"}, "is for a table, and this is a folder.", "Its sub-folders are the labels.")
    elif subject is not PICTURES and "label" not in data and place.exists():
        raise spot.wrong(
            f"which column of {place.name} is to be predicted?",
            "Type: label: COLUMN; for texts also text: COLUMN; for pictures path: COLUMN, of their paths.",
        )


def check_train(subject: Subject, spot: Spot | None) -> None:
    """Raise UsageError, with the line, for a keyword of `train` that holds for pictures only."""
    if subject is PICTURES or spot is None:
        return
    from nbdeploy.training.labelled import OF_ALL  # noqa: PLC0415 - pandas

    for name, one in spot.value.items():
        if name not in {*OF_ALL, "out"}:
            raise one.wrong(f"{name} is for pictures, and this is about {subject.noun}s.", f"Leave {name} out.")
        if name == "lr" and one.value == "find":
            raise one.wrong(
                f"lr: find is for pictures, and this is about {subject.noun}s.", "Leave lr out, or name one."
            )


def check_clean(subject: Subject, spot: Spot | None) -> None:
    """Raise UsageError, with the line, for what cannot be left out, or is never found."""
    if subject is PICTURES or spot is None:
        return
    decisions = spot.value.get("decisions")
    if decisions is not None and decisions.value is not False:
        raise decisions.wrong(
            f"decisions are about pictures, and this is about {subject.noun}s.",
            "Correct the data itself, or leave out kinds of findings with exclude:.",
        )
    out = _OF_ROWS if subject is ROWS else _OF_TEXTS
    known = (*out, *_OF_COLUMNS)
    excluded = spot.value.get("exclude")
    for one in () if excluded is None else excluded.value if isinstance(excluded.value, list) else [excluded]:
        if one.value not in out:
            raise one.wrong(f"{one.value} leaves out no {subject.noun}s.", _instead(one.value, subject, out))
    limits = spot.value.get("fail_on")
    for name, one in () if limits is None else limits.value.items():
        if name not in {*out, *_OF_COLUMNS}:
            raise one.wrong(
                f"{name} is not looked for in {subject.noun}s.", _equal(name) or f"Known: {', '.join(known)}."
            )


def _instead(kind: str, subject: Subject, out: tuple[str, ...]) -> str:
    if equal := _equal(kind):
        return equal
    if kind in _OF_COLUMNS:
        choose = "Name the columns to learn from in data: columns: [...], or stop" if subject is ROWS else "Stop"
        return f"{choose} at it: fail_on: {{{kind}: 0.9}}"
    return f"Kinds whose {subject.noun}s can be left out: {', '.join(out)}."


def _equal(kind: str) -> str:
    """The word for the same of the other subject."""
    said = {"exact_duplicate": "Equal rows are duplicate_row.", "duplicate_row": "Equal texts are exact_duplicate."}
    return said.get(kind, "")
