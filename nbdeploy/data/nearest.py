"""The rows most like each row: by all cosines, block by block, or for many rows by an index."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nbdeploy.core.progress import track
from nbdeploy.errors import MissingExtra, NbdeployWarning

MANY = 50_000
"""Above so many rows an index is asked (the package usearch, of the extra ``large``)."""
_CELLS = 8_000_000  # of one block of cosines (float32), so that memory does not grow with the number of rows
_ASKED = 1024  # rows at a time of an index
_BREADTH = 64  # of the search in an index

Turn = Callable[[np.ndarray], np.ndarray]
"""Rows -> their orientations one after the other, (orientations x rows, features), as they lie first."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The neighbours of some rows, without the rows themselves."""

    start: int
    """The first of the rows, which follow one another."""
    index: np.ndarray
    """(rows, number): the most alike in their best orientation, the likest first."""
    likeness: np.ndarray
    """(rows, number) float32: their cosines, below -1 where there is none."""
    straight: np.ndarray
    """(rows, few): the most alike as they lie, the likest first."""


def nearest(rows: np.ndarray, turn: Turn, *, number: int, few: int) -> Iterator[Nearest]:
    """The `number` rows most like each of `rows`, which are (rows, features) of length 1, and the `few` as they lie.

    By all cosines up to `MANY` rows, and beyond by an index, which may overlook a neighbour that is not very near.
    Where there is no index, by all cosines too, with an NbdeployWarning that says what would be faster.
    """
    number, few = min(number, len(rows) - 1), min(few, len(rows) - 1)
    if number < 1:
        return iter(())
    if len(rows) > MANY:
        try:
            return _by_index(rows, turn, number, few)
        except MissingExtra as error:
            warnings.warn(
                f"Comparing {len(rows):,} pictures, each with every other, takes long. {error.hint} (an index of them)",
                NbdeployWarning,
                stacklevel=2,
            )
    return _by_all(rows, turn, number, few)


def _by_all(rows: np.ndarray, turn: Turn, number: int, few: int) -> Iterator[Nearest]:
    step = max(1, _CELLS // (len(turn(rows[:1])) * len(rows)))
    for start in track(range(0, len(rows), step), "comparing pictures", unit="block"):
        some = rows[start : start + step]
        every = (turn(some) @ rows.T).reshape(-1, len(some), len(rows))
        own = np.arange(len(some))
        every[:, own, start + own] = -np.inf
        straight, _ = _largest(every[0], few)
        yield Nearest(start, *_largest(every.max(0), number), straight)


def _largest(values: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and values of the `number` largest of each row, the largest first."""
    places = np.argpartition(values, values.shape[1] - number, axis=1)[:, -number:]
    found = np.take_along_axis(values, places, 1)
    order = np.argsort(-found, axis=1, kind="stable")
    return np.take_along_axis(places, order, 1), np.take_along_axis(found, order, 1)


def _by_index(rows: np.ndarray, turn: Turn, number: int, few: int) -> Iterator[Nearest]:
    try:
        from usearch.index import Index  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra("Comparing many pictures quickly", "usearch", "large") from error
    index = Index(ndim=rows.shape[1], metric="ip", dtype="f16", expansion_search=_BREADTH)
    return _asked(index, rows, turn, number, few)


def _asked(index: object, rows: np.ndarray, turn: Turn, number: int, few: int) -> Iterator[Nearest]:
    starts = range(0, len(rows), _ASKED)
    for start in track(starts, "indexing pictures", unit="block"):
        some = rows[start : start + _ASKED]
        index.add(np.arange(start, start + len(some)), some)  # type: ignore[attr-defined]
    for start in track(starts, "comparing pictures", unit="block"):
        some = rows[start : start + _ASKED]
        found = index.search(turn(some), max(number, few) + 1)  # type: ignore[attr-defined]
        keys = found.keys.astype(np.int64).reshape(-1, len(some), max(number, few) + 1)
        likeness = (1 - found.distances).astype(np.float32).reshape(keys.shape)
        own = np.arange(start, start + len(some))[:, None]
        likeness[keys == own] = -np.inf  # a row is no neighbour of its own, in no orientation
        straight = np.take_along_axis(keys[0], np.argsort(-likeness[0], axis=1, kind="stable")[:, :few], 1)
        yield Nearest(start, *_merged(keys, likeness, number), straight)


def _merged(keys: np.ndarray, likeness: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The best of all orientations, each neighbour once."""
    keys, likeness = (np.concatenate(list(values), axis=1) for values in (keys, likeness))
    order = np.argsort(-likeness, axis=1, kind="stable")
    keys, likeness = np.take_along_axis(keys, order, 1), np.take_along_axis(likeness, order, 1)
    by_key = np.argsort(keys, axis=1, kind="stable")  # the likest of each key stays the first of it
    again = np.zeros(keys.shape, bool)
    in_order = np.take_along_axis(keys, by_key, 1)
    np.put_along_axis(again, by_key[:, 1:], in_order[:, 1:] == in_order[:, :-1], 1)
    likeness = np.where(again, -np.inf, likeness)
    order = np.argsort(-likeness, axis=1, kind="stable")[:, :number]
    return np.take_along_axis(keys, order, 1), np.take_along_axis(likeness, order, 1)
