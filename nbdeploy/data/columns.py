"""Column: what one column of a table holds, worked out once from its different values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nbdeploy.data.forms import NUMBER_AS_TEXT, Form, absent, form_of

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "date", "category", "name", "text", "empty"]

_SAMPLE = 2000  # different values that decide what a column holds, spread over all of them
_MOSTLY = 0.7
_WORDS = 4  # a text has more than a name
_DIFFERENT = 0.5  # share of rows from which different values are names or texts, not categories
_UNITS = 3
_ID_SPREAD = 3  # a number of the row leaves few gaps
_FEWEST = 10


@dataclass(frozen=True)
class Column:
    """One column. Rows are looked at through their different values, of which there are few in most columns."""

    name: str
    kind: Kind
    codes: np.ndarray
    """(rows,) int: which of `levels` stands there; -1 where the value is missing."""
    levels: Sequence[Any]
    """The different values, in the order in which they come."""
    forms: Sequence[Form] | None
    """How each of `levels` is written; None where all are plain numbers, or none is looked at as one."""
    amounts: np.ndarray | None
    """(levels,) float: the values as numbers, NaN where one is none; of a number column only."""

    @cached_property
    def counts(self) -> np.ndarray:
        """(levels,) the number of rows with each."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))

    @cached_property
    def disguised(self) -> np.ndarray:
        """(levels,) bool: written, but saying that there is no value."""
        if self.amounts is not None and self.forms is None:  # numbers
            return np.zeros(len(self.levels), bool)
        return np.array([absent(level) for level in self.levels], bool)

    @cached_property
    def missing(self) -> np.ndarray:
        """(rows,) bool: nothing there, or something that says so."""
        return np.asarray(np.concatenate([self.disguised, [True]])[self.codes])

    @cached_property
    def numbers(self) -> np.ndarray:
        """(rows,) float, NaN where a value is missing or no number."""
        assert self.amounts is not None
        return np.asarray(np.concatenate([self.amounts, [np.nan]])[self.codes])

    @cached_property
    def real(self) -> np.ndarray:
        """Which of `levels` are values, and stand somewhere."""
        return np.flatnonzero(~self.disguised & (self.counts > 0))

    @cached_property
    def numbers_the_rows(self) -> bool:
        """Whether it tells every row from every other, and nothing else: a number of the row, a key."""
        rows = len(self.codes)
        if rows < _FEWEST or len(self.levels) < rows or self.missing.any():
            return False
        if self.kind == "number":
            amounts = self.numbers
            whole = bool(np.isfinite(amounts).all() and (amounts == np.round(amounts)).all())
            return whole and bool(np.ptp(amounts) < _ID_SPREAD * rows)
        if self.kind != "name":
            return False
        some = [str(level) for level in self.levels[:: max(1, rows // _SAMPLE)]]
        (_, most), *_ = Counter(map(_outline, some)).most_common(1)
        figures = all(any(letter.isdigit() for letter in one) and " " not in one for one in some)
        return (figures and most > _MOSTLY * len(some)) or _are_keys(some)

    def rows_with(self, level: int) -> np.ndarray:
        """The rows on which one of `levels` stands."""
        return np.flatnonzero(self.codes == level)


def _outline(text: str) -> str:
    return "".join("9" if letter.isdigit() else "a" if letter.isalpha() else letter for letter in text)


def _are_keys(some: Sequence[str]) -> bool:
    # As hexadecimal keys are: all of one length, long, in one word.
    return len({len(one) for one in some}) == 1 and len(some[0]) >= 16 and not any(" " in one for one in some)  # noqa: PLR2004


def column_of(name: str, values: pd.Series) -> Column:
    """What the column `name` holds."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    kind = values.dtype.kind
    if kind in "iuf":
        plain = values.to_numpy() if isinstance(values.dtype, np.dtype) else values.to_numpy(float, na_value=np.nan)
        codes, levels = pd.factorize(plain)
        amounts = np.asarray(levels, float)
        return Column(name, "number" if len(levels) else "empty", codes.astype(np.int32), levels, None, amounts)
    if kind in "mM":
        codes, found = pd.factorize(values)
        return Column(name, "date" if len(found) else "empty", codes.astype(np.int32), list(found), None, None)
    codes, levels = _different(values)
    return _of_objects(name, codes, levels)


def _different(values: pd.Series) -> tuple[np.ndarray, list[Any]]:
    """Which of the different values stands on each row, and these. What is only spaces is missing."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    plain = values.to_numpy(object)
    if values.dtype == object or values.dtype.kind == "b":
        made = np.empty(len(plain), object)
        for at, value in enumerate(plain):
            # True == 1 == 1.0 for a table of hashes, but not for a person.
            as_text = isinstance(value, bool | np.bool_) or not (isinstance(value, str) or _can_be_hashed(value))
            made[at] = str(value) if as_text else value
        plain = made
    codes, found = pd.factorize(plain)
    levels = list(found)
    blank = np.array([isinstance(level, str) and not level.strip() for level in levels], bool)
    places = np.where(blank, -1, np.cumsum(~blank) - 1)
    codes = np.concatenate([places, [-1]])[codes].astype(np.int32)
    return codes, [level for level, gone in zip(levels, blank, strict=True) if not gone]


def _can_be_hashed(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _of_objects(name: str, codes: np.ndarray, levels: list[Any]) -> Column:
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    real = [at for at, level in enumerate(levels) if not absent(level)]
    if not real:
        return Column(name, "empty", codes, levels, None, None)
    some = real[:: max(1, len(real) // _SAMPLE)]
    if _share("number", some, counts, [form_of(levels[at]) for at in some]) >= _MOSTLY:
        written = [form_of(level) for level in levels]
        amounts = np.array([np.nan if form.amount is None else form.amount for form in written], float)
        return Column(name, "number", codes, levels, written, amounts)
    if _share("date", some, counts, [form_of(levels[at]) for at in some]) >= _MOSTLY:
        return Column(name, "date", codes, levels, [form_of(level) for level in levels], None)
    rows = int(counts[real].sum())
    words = sum(len(str(levels[at]).split()) * counts[at] for at in some) / max(1, counts[some].sum())
    kind: Kind = "category"
    if len(real) > _DIFFERENT * rows and len(real) > _FEWEST:
        kind = "text" if words >= _WORDS else "name"
    forms = [form_of(level) for level in levels] if kind == "category" else None
    return Column(name, kind, codes, levels, forms, None)


def _share(family: str, some: Sequence[int], counts: np.ndarray, forms: Sequence[Form]) -> float:
    units = Counter(form.unit for form in forms if form.unit)
    # Where nearly each has a unit of its own they are codes, as 12A and 7C are.
    codes = len(units) > _UNITS and NUMBER_AS_TEXT not in {form.words for form in forms}
    right = [form.family == family and not (codes and form.unit) for form in forms]
    weights = counts[list(some)]
    return float(weights[np.array(right, bool)].sum() / max(1, weights.sum()))
