"""The split of pictures that were captured in sessions: a session stays on one side where that can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nbdeploy.data.records import names, short
from nbdeploy.data.split import held_out

Row = tuple[str, str, str]
"""Label, group, sha256."""


def sides(files: Sequence[Row], *, valid: float, seed: int) -> tuple[list[str], frozenset[str], list[str]]:
    """The group of each file, the groups that are held out, and the labels whose only session was broken up.

    A class that was captured in one session can only be checked on pictures of that session: then each of its files
    is a group of its own, and the class is named.
    """
    groups = [group for _, group, _ in files]
    broken = _in_one_session(files)
    groups = _broken_up(files, groups, broken)
    held = held_out(_pairs(files, groups), valid=valid, seed=seed)
    # A session over several classes may leave a class with nothing to hold out.
    checked = {label for (label, _, _), group in zip(files, groups, strict=True) if group in held}
    unchecked = {label for label, several in _several(files, groups).items() if several and label not in checked}
    if unchecked:
        broken |= unchecked
        groups = _broken_up(files, groups, unchecked)
        held = held_out(_pairs(files, groups), valid=valid, seed=seed)
    return groups, held, sorted(broken)


def remark(broken: Sequence[str]) -> str:
    """What is to be said about classes whose only session is on both sides."""
    which = names(f'"{short(label)}"' for label in broken)
    return (
        f"Captured in one session only, so that it is on both sides and the accuracy reads too high: {which}. "
        "Capture a second session of it, elsewhere or later."
    )


def _in_one_session(files: Sequence[Row]) -> set[str]:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    hashes: defaultdict[str, set[str]] = defaultdict(set)
    for label, group, sha256 in files:
        seen[label].add(group)
        hashes[label].add(sha256)
    return {label for label, groups in seen.items() if len(groups) == 1 and len(hashes[label]) > 1}


def _several(files: Sequence[Row], groups: Sequence[str]) -> dict[str, bool]:
    """Label -> whether it has several different files, of which some are in a session."""
    hashes: defaultdict[str, set[str]] = defaultdict(set)
    captured: set[str] = set()
    for (label, _, sha256), group in zip(files, groups, strict=True):
        hashes[label].add(sha256)
        if group != sha256:
            captured.add(label)
    return {label: len(some) > 1 and label in captured for label, some in hashes.items()}


def _broken_up(files: Sequence[Row], groups: Sequence[str], labels: set[str]) -> list[str]:
    return [sha256 if label in labels else group for (label, _, sha256), group in zip(files, groups, strict=True)]


def _pairs(files: Sequence[Row], groups: Sequence[str]) -> list[tuple[str, str]]:
    return [(label, group) for (label, _, _), group in zip(files, groups, strict=True)]
