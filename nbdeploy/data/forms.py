"""What a single value is written like: a number, a number with its unit, a date, a sign that stands for nothing."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from numbers import Real
from typing import Any

ABSENT = frozenset(
    "? ?? - -- --- – — . .. n/a na n.a. n.a n\\a #n/a #na null (null) nil none nan missing undefined unknown tbd \\n"
    " #null! #ref! #value! #div/0! <na>".split()
) | {"not available", "not applicable", "no data", "not known"}
"""What people write where nothing is known (lower case)."""
WORDS = frozenset({"none", "unknown", "missing", "undefined", "not applicable"})
"""Those of them that may also be meant: a category called ``none``."""

_SIGNED = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_NUMBER = re.compile(_SIGNED)
_WITH_COMMAS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_UNIT = re.compile(rf"({_SIGNED})\s*(%|°?[^\W\d_]{{1,6}}[²³]?(?:/[^\W\d_]{{1,4}}[²³]?)?)")
_CURRENCY = re.compile(rf"([$€£¥])\s*({_SIGNED})|({_SIGNED})\s*([$€£¥])")
_TIME = r"(?:[T ]\d{1,2}:\d{2}.*)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_TIME}")
_WITH_NAME = re.compile(
    rf"\d{{1,2}}\.?[- ][^\W\d_]{{3,9}}\.?,?[- ]\d{{2,4}}{_TIME}|[^\W\d_]{{3,9}}\.? \d{{1,2}},? \d{{4}}{_TIME}"
)
_MONTHS = 12

NUMBER = "a number"
NUMBER_AS_TEXT = "a number stored as text"
TEXT = "text"


@dataclass(frozen=True, slots=True)
class Form:
    """How one value is written: its family (``number``, ``date`` or ``text``), and in words."""

    family: str
    words: str
    amount: float | None = None
    """The value of a number."""
    unit: str = ""
    after_twelve: int = 0
    """Of a date with its year last: 1 where the first figure is above 12, 2 where the second is."""


def absent(value: Any) -> bool:
    """Whether a value says that there is none."""
    return isinstance(value, str) and (not value.strip() or value.strip().lower() in ABSENT)


def form_of(value: Any) -> Form:
    """The form of a value that is not missing."""
    if isinstance(value, bool):
        return Form("text", "true or false")
    if isinstance(value, Real):
        return Form("number", NUMBER, _amount(value))
    if isinstance(value, datetime | date):
        return Form("date", "a date")
    text = str(value).strip()
    if not any(letter.isdigit() for letter in text):
        return Form("text", TEXT)
    return _number(text) or _date(text) or Form("text", TEXT)


def _number(text: str) -> Form | None:
    if _NUMBER.fullmatch(text):
        return Form("number", NUMBER_AS_TEXT, _amount(text))
    if _WITH_COMMAS.fullmatch(text):
        return Form("number", "a number with commas between thousands", float(text.replace(",", "")))
    if _DECIMAL_COMMA.fullmatch(text):
        return Form("number", "a number with a decimal comma", float(text.replace(",", ".")))
    if found := _CURRENCY.fullmatch(text):
        sign, amount = found[1] or found[4], found[2] or found[3]
        return Form("number", f"a number with {sign}", float(amount), sign)
    if found := _UNIT.fullmatch(text):
        return Form("number", f'a number with "{found[2]}"', float(found[1]), found[2])
    return None


def _amount(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 figures
        return math.inf


def _date(text: str) -> Form | None:
    if found := _YEAR_FIRST.fullmatch(text):
        year, sign, month, day = found.groups()
        return _checked(int(year), int(month), int(day), f"a date like 2007{sign}11{sign}30")
    if found := _YEAR_LAST.fullmatch(text):
        first, sign, second, year = int(found[1]), found[2], int(found[3]), found[4]
        after = 1 if first > _MONTHS else 2 if second > _MONTHS else 0
        month, day = (second, first) if after == 1 else (first, second)
        last = "2007" if len(year) > 2 else "07"  # noqa: PLR2004 - a year of two figures
        made = _checked(2000 if len(year) == 2 else int(year), month, day, f"a date like 30{sign}11{sign}{last}")  # noqa: PLR2004
        return Form(made.family, made.words, None, "", after)
    if _WITH_NAME.fullmatch(text):
        return Form("date", "a date with the month's name")
    return None


def _checked(year: int, month: int, day: int, words: str) -> Form:
    try:
        date(year, month, day)
    except ValueError:
        return Form("text", "no day of the calendar")
    return Form("date", words)
