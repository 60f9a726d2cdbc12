"""Screening: what the audit would find about a picture, said while it comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbdeploy.core.finding import KINDS
from nbdeploy.data.collect.items import Badge
from nbdeploy.data.facts import Facts
from nbdeploy.data.likeness import COARSE, coarse, thumbnails, turned
from nbdeploy.data.quality import quality_findings
from nbdeploy.data.scan import TINY

REFUSED = frozenset({"empty_file", "not_an_image", "unreadable", "truncated", "image_bomb"})
"""What cannot be trained on, so that it is not stored."""
_NOTES = frozenset({"alpha", "palette", "cmyk", "animated", "exif_rotated"})
_FELLOWS = 240  # of the newest pictures: what is usual now, at a bounded cost a picture
_ENOUGH = 20  # fellows from which on "usual" means something
# Before that, plain limits on pictures of more than 64 pixels, on the scales of Facts.
_DARK, _SOFT, _WHITE, _BRIGHT = 70.0, 0.025, 0.5, 200.0
_SMALL = 64
_CONTRAST = 2.0  # standard deviation in grey values below which a signature says nothing
_ALIKE, _SURELY = 0.94, 0.995  # cosines of signatures
_YOUNG = 0.98  # while there are too few to say what is usual: digits reach .97 without being copies
_NEIGHBOUR = 10
_CLOSER, _CLOSER_SMALL = 0.28, 0.15  # times as far as the tenth neighbour, at most
_SOFT_WORDS = "sharpness {:.2g} in its softest direction"


@dataclass(frozen=True, slots=True)
class Near:
    """A picture that another one nearly is."""

    key: str
    likeness: float
    """Cosine of the two signatures, in the best of eight orientations."""


class Screen:
    """What was seen so far, so that the next picture can be held against it."""

    def __init__(self) -> None:
        self._rows = np.zeros((0, COARSE * COARSE), np.float32)
        self._used = 0
        self._keys: list[str] = []
        self._facts: list[Facts] = []

    def add(self, key: str, facts: Facts) -> None:
        """Remember a picture that is kept; `key` is what `near` answers."""
        self._facts.append(facts)
        del self._facts[:-_FELLOWS]
        row = _row(facts)
        if row is None:
            return
        if self._used == len(self._rows):
            more = np.zeros((max(256, len(self._rows)), self._rows.shape[1]), np.float32)
            self._rows = np.concatenate([self._rows, more])
        self._rows[self._used] = row
        self._used += 1
        self._keys.append(key)

    def drop(self, keys: set[str]) -> None:
        """Forget pictures that were taken back."""
        stay = [index for index, key in enumerate(self._keys) if key not in keys]
        if len(stay) < len(self._keys):
            self._rows = self._rows[stay]
            self._keys = [self._keys[index] for index in stay]
            self._used = len(stay)

    def badges(self, name: str, facts: Facts) -> list[Badge]:
        """What is odd about a picture called `name`, the gravest first."""
        kind, reason = facts.refused
        if kind:
            return [Badge(kind, reason, "bad")]
        path = Path(name)
        fellows = list(self._facts)
        paths = [Path(f"{place}.") for place in range(len(fellows))]
        found = [one for one in quality_findings([*paths, path], [*fellows, facts]) if one.path == path]
        badges = [Badge(one.kind, one.evidence, "note" if one.kind in _NOTES else "warn") for one in found]
        if "tiny" in facts.notes and not any(badge.kind == "odd_size" for badge in badges):
            size = "{} x {} pixels".format(*facts.size)
            badges.append(Badge("odd_size", f"{size}: a side below {TINY}", "warn"))
        if len(fellows) < _ENOUGH and facts.measured and not any(badge.kind == "blank" for badge in badges):
            kinds = {badge.kind for badge in badges}
            badges += [badge for badge in _plainly(facts) if badge.kind not in kinds]
        order = list(KINDS)
        return sorted(badges, key=lambda badge: (badge.weight == "note", order.index(badge.kind)))

    def near(self, facts: Facts) -> Near | None:
        """The picture that this one nearly is, or None. It has to be far closer than its tenth neighbour."""
        row = _row(facts)
        if row is None or not self._used:
            return None
        likeness = self._likeness(row)
        best = int(likeness.argmax())
        like = min(1.0, float(likeness[best]))
        closer = _CLOSER_SMALL if max(facts.size) <= _SMALL else _CLOSER
        if like < _ALIKE or like < self._limit(likeness, closer):
            return None
        # It has to be out of the ordinary for the other one too.
        other = self._likeness(self._rows[best])
        return Near(self._keys[best], like) if like >= self._limit(other, closer) else None

    def _likeness(self, row: np.ndarray) -> np.ndarray:
        """Cosines with every picture, each in its best orientation."""
        return np.asarray((turned(row[None]) @ self._rows[: self._used].T).max(0))

    def _limit(self, likeness: np.ndarray, closer: float) -> float:
        """The likeness from which a picture is nearly the same as the one that `likeness` is of."""
        if self._used <= 2 * _NEIGHBOUR:
            return _YOUNG
        tenth = float(-np.partition(-likeness, _NEIGHBOUR)[_NEIGHBOUR])
        return min(max(1 - closer * (1 - tenth), _ALIKE), _SURELY)


def _plainly(facts: Facts) -> Iterator[Badge]:
    if max(facts.size) <= _SMALL:
        return
    if facts.bright < _DARK:
        yield Badge("dark", f"99 % of its pixels are below {facts.bright:.0f} of 255")
    if facts.saturated > _WHITE and facts.mean > _BRIGHT:
        yield Badge("overexposed", f"{facts.saturated:.0%} of its pixels are white")
    if facts.least < _SOFT:
        yield Badge("blurred", _SOFT_WORDS.format(facts.least))


def _row(facts: Facts) -> np.ndarray | None:
    if not facts.signature:
        return None
    row = coarse(thumbnails([facts])).ravel()
    row = row - row.mean()
    return None if row.std() <= _CONTRAST else row / np.linalg.norm(row)
