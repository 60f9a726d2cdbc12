"""Pairs of pictures that are nearly the same: in one of eight orientations, or one laid on the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nbdeploy.data.aligned import edges_apart, fit
from nbdeploy.data.facts import SIGNATURE, SMALL, Facts
from nbdeploy.data.nearest import Nearest, nearest

ALIKE = 0.94
"""Cosine of two 16 x 16 thumbnails, each with zero mean, from which pictures may be nearly the same."""
COARSE = 16
"""Side of the thumbnails that are compared each with every other."""
_EMBEDDED = 0.90  # cosine of two embeddings from which a pair is looked at again ...
_ALIKE_TOO = 0.85  # ... and is nearly the same from this cosine of the thumbnails on
_COPIES = 32  # neighbours in which copies are looked for
_NEIGHBOUR = 10
_CLOSER = 0.28  # times as far as the tenth neighbour, at most
_CLOSER_SMALL = 0.15  # of small pictures: what differs can be too fine to be seen
_SURELY = 0.995  # nearly the same wherever
_CONTRAST = 2.0  # standard deviation in grey values below which a thumbnail says nothing
_LAID = 8  # neighbours, as they lie, that are laid on a picture
_STRANGER = 5  # place among these of one that is taken for a stranger: so many copies may be nearer
_LAID_CLOSER = 0.3  # times as far as the stranger, at most, to be looked at in detail
_LAID_ALONE = 0.05  # where there are no strangers: of the variance
_EDGES, _EDGES_CLOSER = 0.36, 0.36  # crops and turns of hands reach .35, the same hand in another pose begins at .33
_EDGES_SMALL, _EDGES_CLOSER_SMALL = 0.2, 0.25  # the same of handwritten digits: .10 and .17
_FIRST_STEPS, _ROUGH_STEPS, _FINE_STEPS = 1, 3, 5
_WORTH = 0.65  # times as far as the stranger after the first steps, at most, to be fitted on
_AT_ONCE = 32  # pictures, with all that is laid on them: what a processor's cache holds
_EACH = 4096

Pair = tuple[int, int, float]
"""Two pictures, the lower number first, and their likeness, at most 1."""


def thumbnails(every: Sequence[Facts]) -> np.ndarray:
    """The signatures of `every`, (files, 32, 32) uint8."""
    raw = b"".join(facts.signature for facts in every)
    return np.frombuffer(raw, np.uint8).reshape(-1, SIGNATURE, SIGNATURE)


def coarse(fine: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    """Thumbnails of half the side, (files, 16, 16), as mean grey values."""
    out: np.ndarray = np.empty((len(fine), COARSE, COARSE), dtype)
    for start in range(0, len(fine), _EACH):  # the sums of a million at once would fill the memory
        some = fine[start : start + _EACH].astype(np.uint16)
        rows = some[:, ::2] + some[:, 1::2]
        out[start : start + _EACH] = (rows[:, :, ::2] + rows[:, :, 1::2]) / np.float32(4)
    return out


def alike(every: Sequence[Facts], embeddings: np.ndarray | None = None) -> list[Pair]:
    """The pairs among `every`, which all have signatures. `embeddings` is (files, features)."""
    if len(every) < 2:  # noqa: PLR2004 - of which there is no pair
        return []
    fine = thumbnails(every)
    rows = _unit(coarse(fine).reshape(len(fine), -1))
    told = np.flatnonzero(rows.any(1))
    rows, fine = rows[told], fine[told]
    small = np.array([max(every[index].size) <= SMALL for index in told.tolist()], dtype=np.bool_)
    found: dict[tuple[int, int], float] = {}
    one_sided: dict[tuple[int, int], float] = {}
    for block in nearest(rows, turned, number=_COPIES, few=_LAID):
        for one, other, likeness in _copies(block, small):
            if (other, one) in one_sided:  # a likeness has to be out of the ordinary for both
                found[min(one, other), max(one, other)] = likeness
            one_sided[one, other] = likeness
        for one, other, likeness in _parts(block, fine, small):
            found.setdefault((min(one, other), max(one, other)), likeness)
    if embeddings is not None:
        for one, other, likeness in _meant_alike(rows, embeddings[told]):
            found.setdefault((one, other), likeness)
    return [(int(told[one]), int(told[other]), likeness) for (one, other), likeness in sorted(found.items())]


def turned(rows: np.ndarray) -> np.ndarray:
    """The rows in their eight orientations, (8 x rows, cells), as they lie first."""
    square = rows.reshape(-1, COARSE, COARSE)
    sides = (square, square.transpose(0, 2, 1))
    every = [side[:, ::up, ::across] for side in sides for up in (1, -1) for across in (1, -1)]
    return np.concatenate([one.reshape(len(rows), -1) for one in every])


def _unit(rows: np.ndarray) -> np.ndarray:
    """Zero mean and length 1; all zeros where nothing is to be seen."""
    rows -= rows.mean(1, keepdims=True)
    rows[rows.std(1) <= _CONTRAST] = 0
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows


def _copies(block: Nearest, small: np.ndarray) -> Iterator[Pair]:
    """Those of a block that are alike in one orientation, each as seen from the first of the two.

    Where all pictures are alike, as handwritten digits are, the usual limit would name half of them: a pair has to be
    far more alike than the picture is to its tenth neighbour.
    """
    count, number = block.likeness.shape
    limits = np.full(count, ALIKE, np.float32)
    if number > _NEIGHBOUR and len(small) > 2 * _NEIGHBOUR:
        closer = np.where(small[block.start : block.start + count], _CLOSER_SMALL, _CLOSER)
        limits = np.clip(1 - closer * (1 - block.likeness[:, _NEIGHBOUR - 1]), ALIKE, _SURELY)
    for row, place in np.argwhere(block.likeness >= limits[:, None]).tolist():
        likeness = min(1.0, float(block.likeness[row, place]))
        yield block.start + row, int(block.index[row, place]), likeness


def _parts(block: Nearest, fine: np.ndarray, small: np.ndarray) -> Iterator[Pair]:
    """Those of a block that lie on one another: crops, small turns, watermarks."""
    for start in range(0, len(block.straight), _AT_ONCE):
        others = block.straight[start : start + _AT_ONCE]
        own = block.start + start + np.arange(len(others))
        yield from _laid(own, others, fine, small)


def _laid(own: np.ndarray, others: np.ndarray, fine: np.ndarray, small: np.ndarray) -> Iterator[Pair]:
    count, few = others.shape
    first, second = coarse(fine[np.repeat(own, few)]), coarse(fine[others.ravel()])
    rough = fit(first, second, steps=_FIRST_STEPS)
    distance, warp = rough.distance.reshape(count, few), rough.warp.reshape(count, few, -1)
    strangers = few > _STRANGER and len(fine) > 2 * _NEIGHBOUR
    far = np.argsort(distance, axis=1)[:, min(_STRANGER, few - 1)]
    usual = distance[np.arange(count), far] if strangers else np.full(count, _LAID_ALONE / _LAID_CLOSER)
    worth = np.nonzero(distance < _WORTH * usual[:, None])
    chosen = np.ravel_multi_index(worth, distance.shape)
    rough = fit(first[chosen], second[chosen], steps=_ROUGH_STEPS, warp=rough.warp[chosen])
    distance[worth], warp[worth] = rough.distance, rough.warp
    row, place = np.nonzero(distance < _LAID_CLOSER * usual[:, None])
    if not len(row):
        return

    def in_detail(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, second = (fine[which].astype(np.float32) for which in (own[row], others[row, at]))
        found = fit(first, second, steps=_FINE_STEPS, warp=warp[row, at] * (SIGNATURE / COARSE))
        return found.distance, edges_apart(first, second, found.warp)

    left, apart = in_detail(place)
    apart_usually = in_detail(far[row])[1] if strangers else np.ones(len(row))
    tiny = small[own[row]] | small[others[row, place]]
    same = (apart < np.where(tiny, _EDGES_SMALL, _EDGES)) & np.isfinite(left)
    same &= apart < apart_usually * np.where(tiny, _EDGES_CLOSER_SMALL, _EDGES_CLOSER)
    for at in np.flatnonzero(same).tolist():
        yield int(own[row[at]]), int(others[row[at], place[at]]), max(0.0, 1 - float(left[at]))


def _meant_alike(rows: np.ndarray, embeddings: np.ndarray) -> Iterator[Pair]:
    """Those whose embeddings are close, and whose thumbnails do not speak against it."""
    # What all pictures share says nothing about two of them.
    deep = (embeddings - embeddings.mean(0)).astype(np.float32)
    deep /= np.maximum(np.linalg.norm(deep, axis=1, keepdims=True), 1e-9)
    for block in nearest(deep, lambda some: some, number=_LAID, few=1):
        row, place = np.nonzero(block.likeness >= _EMBEDDED)
        for start in range(0, len(row), _EACH):
            one, other = block.start + row[start : start + _EACH], block.index[row, place][start : start + _EACH]
            cosines = np.einsum("onc,nc->on", turned(rows[one]).reshape(8, len(one), -1), rows[other]).max(0)
            for at in np.flatnonzero(cosines >= _ALIKE_TOO).tolist():
                pair = sorted((int(one[at]), int(other[at])))
                yield pair[0], pair[1], min(1.0, float(cosines[at]))
