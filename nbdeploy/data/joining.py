"""What is joined by pairs, directly or over others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def joined(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The groups that pairs of numbers make, each in order, in the order of their first ones."""
    above: dict[int, int] = {}

    def top(one: int) -> int:
        while (parent := above.setdefault(one, one)) != one:
            above[one] = above[parent]
            one = parent
        return one

    for one, other in pairs:
        above[top(other)] = top(one)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for one in sorted(above):
        groups[top(one)].append(one)
    return list(groups.values())
