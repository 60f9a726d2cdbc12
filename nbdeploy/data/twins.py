"""Files that are copies of one another, byte for byte or nearly, and what follows: other labels, a leaking split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.data.facts import Facts
from nbdeploy.data.joining import joined
from nbdeploy.data.likeness import alike
from nbdeploy.data.records import names, short, shown


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
    first = [same[0] for same in copies.values() if entries[same[0]].facts.signature]
    deep = None if embeddings is None else embeddings[first]
    pairs = [(first[one], first[other], like) for one, other, like in alike([entries[at].facts for at in first], deep)]
    highest: defaultdict[int, float] = defaultdict(float)
    for one, other, like in pairs:
        highest[one], highest[other] = max(highest[one], like), max(highest[other], like)
    for group in joined((one, other) for one, other, _ in pairs):
        members = [index for at in group for index in copies[entries[at].facts.sha256]]
        likeness = {at: highest[at] for at in group}
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
