"""Pictures that belong together: copies of one another, and the one of them that is worth keeping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbdeploy.data.facts import Facts
from nbdeploy.data.joining import joined
from nbdeploy.data.pool import measure
from nbdeploy.data.remembered import facts_of_all
from nbdeploy.data.review.items import Item

_LOSSLESS = frozenset({"PNG", "BMP", "TIFF", "PPM", "TGA"})


@dataclass(frozen=True, slots=True)
class Group:
    """Places of items in their order of worth, the one to keep first."""

    members: tuple[int, ...]
    why: str
    """What makes the first the best, in words."""
    score: float
    """The likeness of the pair that is most alike, 0..1."""


def groups_of(items: Sequence[Item], kinds: Collection[str], *, trained_first: bool = False) -> tuple[Group, ...]:
    """The groups that findings of some `kinds` make, those under several labels first, then by likeness.

    With `trained_first` the copy that is trained on is the one to keep, whatever the others are worth.
    """
    places = {item.path: place for place, item in enumerate(items)}
    scores: defaultdict[int, float] = defaultdict(float)
    pairs: list[tuple[int, int]] = []
    for place, item in enumerate(items):
        for finding in item.findings:
            if finding.kind in kinds:
                scores[place] = max(scores[place], finding.score)
                pairs += [(place, places[path]) for path in finding.related if path in places]
    every = [members for members in joined(pairs) if len(members) > 1]
    facts = _facts(items, every)
    made = [
        _group(items, members, facts, max(scores[one] for one in members), trained_first=trained_first)
        for members in every
    ]
    return tuple(sorted(made, key=lambda group: (-_labels(items, group.members), -group.score, group.members)))


def _labels(items: Sequence[Item], members: Sequence[int]) -> bool:
    return len({items[one].label for one in members if items[one].label}) > 1


def _facts(items: Sequence[Item], every: Sequence[Sequence[int]]) -> dict[Path, Facts]:
    paths = [items[one].path for members in every for one in members]
    return dict(zip(paths, facts_of_all(paths, measure), strict=True))


def _group(
    items: Sequence[Item], members: Sequence[int], facts: Mapping[Path, Facts], score: float, *, trained_first: bool
) -> Group:
    mixed = _labels(items, members)

    def worth(one: int) -> dict[str, float]:
        item, seen = items[one], facts[items[one].path]
        guess = item.guess
        return {
            "trained on": trained_first and item.split == "train",
            "its label is the likeliest": round(guess.given, 3) if mixed and guess else 0,
            "the most pixels": item.size[0] * item.size[1],
            "stored without loss": seen.format in _LOSSLESS,
            "the sharpest": round(seen.sharpness, 2),
            "the largest file": _length(item.path),
            "on the training side": item.split == "train",
        }

    worths = {one: worth(one) for one in members}
    order = sorted(members, key=lambda one: ([-value for value in worths[one].values()], one))
    first, second = (worths[one] for one in order[:2])
    why = next((words for words, value in first.items() if value > second[words]), "all are equally good")
    return Group(tuple(order), why, score)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
