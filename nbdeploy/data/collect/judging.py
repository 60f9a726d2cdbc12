"""What is to become of a picture that came in: refused, a copy of one that is there, or kept; and what to look at."""

from __future__ import annotations

from dataclasses import replace

from nbdeploy.data.collect.contents import Contents
from nbdeploy.data.collect.items import CAPTURES, Badge, Item
from nbdeploy.data.collect.place import ENDINGS
from nbdeploy.data.collect.screen import Near
from nbdeploy.data.facts import Facts
from nbdeploy.data.records import short


def judged(item: Item, name: str, facts: Facts, size: int, contents: Contents) -> Item:
    """`item` with its status, badges and group, beside the `contents` of its folder. Nothing is stored by this.

    `name` is what the picture is called, `size` its bytes; of a copy `file` is the one that is there.
    """
    item = replace(item, sha256=facts.sha256, size=facts.size)
    badges = contents.screen.badges(name, facts)
    if not facts.refused[0] and facts.format not in ENDINGS:
        badges = [Badge("unreadable", f"{facts.format}, which folders of pictures do not take: save it as PNG", "bad")]
    if any(badge.weight == "bad" for badge in badges):
        return replace(item, badges=tuple(badges))
    if same := contents.same(facts.sha256, size):
        return replace(item, status="copy", file=same, badges=(_copy_badge(item, same, contents),))
    group = item.session if item.source.kind in CAPTURES else item.group
    if near := contents.screen.near(facts):
        badges.insert(0, _near_badge(item, near, contents))
        group = group or contents.files[near.key].group or contents.files[near.key].sha256
    return replace(item, status="kept", group=group or facts.sha256, badges=tuple(badges))


def _copy_badge(item: Item, same: str, contents: Contents) -> Badge:
    other = contents.files[same].label
    if other == item.label:
        return Badge("exact_duplicate", f"the same bytes as {same}, so not stored again", "warn")
    return Badge("cross_class_duplicate", f'the same bytes as {same}: it stays in "{short(other)}" only', "warn")


def _near_badge(item: Item, near: Near, contents: Contents) -> Badge:
    other = contents.files[near.key]
    words = f"nearly the same picture as {near.key} (likeness {near.likeness:.3f})"
    if other.label != item.label:
        return Badge("cross_class_duplicate", f'{words}, which is in "{short(other.label)}"', "warn")
    # A recording resembles itself, and stays on one side of the split; elsewhere it is worth a look.
    within = item.session and other.group == item.session
    return Badge("near_duplicate", words, "note" if within else "warn")
