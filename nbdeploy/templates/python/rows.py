"""Rows of a table as the model takes them. Beside predict.py; needs numpy.

A row is a JSON object, column -> value. null, "" and a column that is not there mean that the value is missing.
"""

from __future__ import annotations

import difflib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

MAX_BYTES = 1_000_000
_LARGEST = float(np.finfo(np.float32).max)


class Reader:
    """From a row to float32 [1, columns]: numbers as they are, categories as their number, from 1.

    A number that is missing is NaN; a category that is missing, or that the model never saw, is 0. `host` is the
    manifest's own.
    """

    def __init__(self, host: dict[str, Any]) -> None:
        self.columns: list[dict[str, Any]] = host["columns"]
        self._names = {column["name"] for column in self.columns}
        self._codes = {
            column["name"]: {category: code for code, category in enumerate(column["categories"], 1)}
            for column in self.columns
        }

    def __call__(self, source: str | Path | bytes | dict[str, Any]) -> np.ndarray:
        """A file's path, its bytes, or the row itself. Raises OSError or ValueError where it is no such row."""
        row = source if isinstance(source, dict) else _object(source)
        strange = [name for name in row if name not in self._names]
        if strange:
            near = difflib.get_close_matches(str(strange[0]), self._names, n=1, cutoff=0.5)
            meant = f'; did you mean "{near[0]}"?' if near else ""
            known = ", ".join(column["name"] for column in self.columns[:12])
            raise ValueError(f'the model has no column "{str(strange[0])[:60]}"{meant} (it has {known})')
        values = [self._value(column, row.get(column["name"])) for column in self.columns]
        return np.array([values], dtype=np.float32)

    def _value(self, column: dict[str, Any], value: Any) -> float:
        if isinstance(value, dict | list):
            raise ValueError(f'"{column["name"]}" is a list or an object; a row holds single values')  # noqa: TRY004 - a bad file is a ValueError here
        if column["kind"] == "category":
            return self._codes[column["name"]].get(as_category(value), 0)
        return _number(column["name"], value)


def as_category(value: Any) -> str:
    """How a category is written: 3.0 as 3, true as True, nothing as an empty text."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is not equal to itself
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _number(name: str, value: Any) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f'"{name}" is {str(value)[:40]!r}, which is no number') from error
    if abs(number) > _LARGEST:
        raise ValueError(f'"{name}" is {str(value)[:40]}, which is too large a number')
    return number


def _object(source: str | Path | bytes) -> dict[str, Any]:
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    if len(data) > MAX_BYTES:
        raise ValueError(f"the row has more than {MAX_BYTES:,} bytes")
    try:
        row = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON in UTF-8 ({error})") from error
    if not isinstance(row, dict):
        raise ValueError('a row is a JSON object, {"column": value, ...}')  # noqa: TRY004 - as above
    return row
