"""Files that are copies of one another, byte for byte or nearly, and what follows: other labels, a leaking split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.core.progress import track
from nbdeploy.data.facts import SIGNATURE, Facts
from nbdeploy.data.records import names, short, shown

ALIKE = 0.94
"""Cosine of two 16 x 16 signatures, each with zero mean, from which pictures may be nearly the same."""
_EMBEDDED = 0.90  # cosine of two embeddings from which a pair is looked at again ...
_ALIKE_TOO = 0.85  # ... and is nearly the same from this cosine of the signatures on: crops, watermarks, small turns
_NEIGHBOUR = 10
_CLOSER = 0.28  # times as far as the tenth neighbour, at most
_SMALL, _CLOSER_SMALL = 64, 0.15  # sides in pixels: so small, what differs can be too fine to be seen
_SURELY = 0.995  # nearly the same wherever
_CONTRAST = 2.0  # standard deviation in grey values below which a signature says nothing
_CELLS = 8_000_000  # of one block of cosines (float32), so that memory does not grow with the number of files


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as far as twins go. `split` is empty where nothing is held out yet."""

    path: Path
    facts: Facts
    label: str
    split: str


def twin_findings(entries: Sequence[Entry], embeddings: np.ndarray | None = None) -> Iterator[Finding]:
    """exact_duplicate, near_duplicate, cross_class_duplicate and split_leak. `embeddings` is (files, features)."""
    copies: defaultdict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        if not entry.facts.refused[0]:
            copies[entry.facts.sha256].append(index)
    for same in copies.values():
        if len(same) > 1:
            yield from _exact([entries[index] for index in same])
    first = [same[0] for same in copies.values()]
    pairs = _near(entries, first, embeddings)
    for group in _groups(pairs):
        members = [index for at in group for index in copies[entries[at].facts.sha256]]
        likeness = {at: max(like for one, other, like in pairs if at in {one, other}) for at in group}
        yield from _nearly(entries, group, members, likeness)


def _exact(same: list[Entry]) -> Iterator[Finding]:
    keep, *others = sorted(same, key=lambda entry: (entry.split != "train", str(entry.path)))
    for entry in others:
        related = (keep.path, *(other.path for other in others if other is not entry))
        evidence = f"the same bytes as {_name(keep.path)}"
        yield Finding(entry.path, "exact_duplicate", 1.0, evidence, related, "merge", entry.facts.sha256)
    yield from _consequences(same, "the same bytes", 1.0)


def _nearly(
    entries: Sequence[Entry], group: list[int], members: list[int], likeness: dict[int, float]
) -> Iterator[Finding]:
    # The one with the most pixels is kept; of these the largest file, which was compressed the least.
    keep, *others = sorted(group, key=lambda at: _worth(entries[at]))
    paths = [entries[at].path for at in (keep, *others)]
    for at in others:
        entry = entries[at]
        evidence = f"nearly the same picture as {_name(entries[keep].path)} (likeness {likeness[at]:.3f})"
        related = tuple(path for path in paths if path != entry.path)
        yield Finding(entry.path, "near_duplicate", likeness[at], evidence, related, "merge", entry.facts.sha256)
    exact = {entries[at].facts.sha256 for at in group}
    if len(exact) > 1:
        lowest = min(likeness.values())
        yield from _consequences([entries[at] for at in members], "nearly the same picture", lowest)


def _worth(entry: Entry) -> tuple[int, int, str]:
    width, height = entry.facts.size
    try:
        length = entry.path.stat().st_size
    except OSError:
        length = 0
    return -width * height, -length, str(entry.path)


def _consequences(same: list[Entry], how: str, score: float) -> Iterator[Finding]:
    labels = sorted({entry.label for entry in same if entry.label})
    for entry in same if len(labels) > 1 else ():
        others = [other for other in same if other.label and other.label != entry.label]
        if not entry.label:
            continue
        said = names(f'"{short(label)}"' for label in labels if label != entry.label)
        evidence = f'labelled "{short(entry.label)}"; {how} is labelled {said} too'
        related = tuple(other.path for other in others)
        yield Finding(entry.path, "cross_class_duplicate", score, evidence, related, "look", entry.facts.sha256)
    trained = [entry for entry in same if entry.split == "train"]
    for entry in same if trained else ():
        if entry.split == "valid":
            evidence = f"held out, and {how} is trained on: {_name(trained[0].path)}"
            related = tuple(other.path for other in trained)
            yield Finding(entry.path, "split_leak", score, evidence, related, "exclude", entry.facts.sha256)


def _name(path: Path) -> str:
    return shown(f"{path.parent.name}/{path.name}")


Pair = tuple[int, int, float]


def _near(entries: Sequence[Entry], some: Sequence[int], embeddings: np.ndarray | None) -> list[Pair]:
    """(index, index, likeness) of pictures that are nearly the same in one of eight orientations."""
    signed = [index for index in some if entries[index].facts.signature]
    if not signed:
        return []
    cells = SIGNATURE * SIGNATURE
    raw = np.frombuffer(b"".join(entries[index].facts.signature for index in signed), np.float16)
    rows = raw.reshape(-1, cells).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    told = rows.std(1) > _CONTRAST
    rows, at = rows[told], np.asarray(signed)[told]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    deep = None if embeddings is None else _unit(embeddings[at])
    small = np.array([max(entries[index].facts.size) <= _SMALL for index in at])
    closer = np.where(small, _CLOSER_SMALL, _CLOSER).astype(np.float32)
    pairs: list[Pair] = []
    for start, likeness in _blocks(rows):
        limit = _limits(likeness, closer[start : start + len(likeness)])
        found = likeness >= limit[:, None]
        if deep is not None:
            close = deep[start : start + len(likeness)] @ deep.T >= _EMBEDDED
            found |= close & (likeness >= _ALIKE_TOO)
        for one, other in np.argwhere(found).tolist():
            if other != one + start:
                like = min(1.0, float(likeness[one, other]))
                pairs.append((int(at[start + one]), int(at[other]), like))
    both = {(one, other) for one, other, _ in pairs}
    # A likeness has to be out of the ordinary for both.
    return [(one, other, like) for one, other, like in pairs if one < other and (other, one) in both]


def _blocks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The best cosine over eight orientations of some rows with every row, and the number of the first of the some."""
    step = max(1, _CELLS // max(1, 8 * len(rows)))
    for start in track(range(0, len(rows), step), "comparing pictures", unit="block"):
        some = rows[start : start + step]
        yield start, (_turned(some) @ rows.T).reshape(8, len(some), -1).max(0)


def _limits(likeness: np.ndarray, closer: np.ndarray) -> np.ndarray:
    """The likeness from which another picture is nearly the same as one of these.

    Where all pictures are alike, as handwritten digits are, the usual limit would name half of them: a pair has to be
    far more alike than the picture is to its tenth neighbour.
    """
    limits = np.full(len(likeness), ALIKE, np.float32)
    if likeness.shape[1] > 2 * _NEIGHBOUR:
        tenth = -np.partition(-likeness, _NEIGHBOUR, axis=1)[:, _NEIGHBOUR]
        limits = np.clip(1 - closer * (1 - tenth), ALIKE, _SURELY)
    return limits


def _turned(rows: np.ndarray) -> np.ndarray:
    """The rows in their eight orientations, (8 x rows, cells)."""
    square = rows.reshape(-1, SIGNATURE, SIGNATURE)
    sides = (square, square.transpose(0, 2, 1))
    turned = [side[:, ::up, ::across] for side in sides for up in (1, -1) for across in (1, -1)]
    return np.concatenate([one.reshape(len(rows), -1) for one in turned])


def _unit(rows: np.ndarray) -> np.ndarray:
    # What all pictures share says nothing about two of them.
    centred = (rows - rows.mean(0)).astype(np.float32)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9))


def _groups(pairs: Sequence[Pair]) -> list[list[int]]:
    """Pictures joined by pairs, directly or over others."""
    above: dict[int, int] = {}

    def top(one: int) -> int:
        while (parent := above.setdefault(one, one)) != one:
            above[one] = above[parent]
            one = parent
        return one

    for one, other, _ in pairs:
        above[top(one)] = top(other)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for one in sorted(above):
        groups[top(one)].append(one)
    return list(groups.values())
