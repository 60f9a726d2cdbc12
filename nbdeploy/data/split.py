"""Which files are held out: seeded, stratified, and with identical files on one side."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable


def held_out(files: Iterable[tuple[str, str]], *, valid: float, seed: int) -> frozenset[str]:
    """The groups that are held out, of (label, group) pairs, one a file. `valid` is the share of files, 0..1.

    The answer depends on labels, groups and seed alone: neither the order nor the place of the files matters, and a
    file that is added moves few others. Each class gives `valid` of its files, rounded, at least one and never all,
    in the order of a hash of seed and group. A class of one group gives none. A group under several labels
    (contradictory copies) is trained on, unless a class has nothing else to hold out and every class keeps a group to
    train on; where even that is impossible the class has none held out.
    """
    sizes: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    labels_of: defaultdict[str, set[str]] = defaultdict(set)
    for label, group in files:
        sizes[label][group] += 1
        labels_of[group].add(label)
    order = {group: hashlib.sha256(f"{seed}:{group}".encode()).digest() for group in labels_of}
    chosen: set[str] = set()
    for groups in sizes.values():
        own = {group: size for group, size in groups.items() if len(labels_of[group]) == 1}
        chosen |= _of_one_class(own, order, valid=valid, alone=len(own) == len(groups))
    for label in sorted(sizes):
        if not chosen & sizes[label].keys():
            chosen |= _shared(label, sizes, labels_of, order, chosen)
    return frozenset(chosen)


def _of_one_class(groups: dict[str, int], order: dict[str, bytes], *, valid: float, alone: bool) -> set[str]:
    """The held-out groups of one class; `alone`: no other group of the class stays for training."""
    if len(groups) <= int(alone):
        return set()
    total = sum(groups.values())
    target = min(max(1, int(valid * total + 0.5)), total - int(alone))
    chosen: set[str] = set()
    room = target
    for group in sorted(groups, key=order.__getitem__):
        if groups[group] <= room:
            chosen.add(group)
            room -= groups[group]
    # Only large sets of copies: the smallest of them is held out, which leaves the others for training.
    return chosen or {min(groups, key=lambda group: (groups[group], order[group]))}


def _shared(
    label: str,
    sizes: defaultdict[str, defaultdict[str, int]],
    labels_of: defaultdict[str, set[str]],
    order: dict[str, bytes],
    chosen: set[str],
) -> set[str]:
    for group in sorted(sizes[label], key=order.__getitem__):
        if all(sizes[other].keys() - chosen - {group} for other in labels_of[group]):
            return {group}
    return set()
