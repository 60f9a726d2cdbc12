"""A set with what was decided about its pictures: how a folder is read that a person names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbdeploy.core.progress import step
from nbdeploy.data.journal import Journal
from nbdeploy.data.records import count, shown

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet


def journal_beside(images: ImageSet) -> Journal | None:
    """The Journal beside the data of `images`; None where no decision is in force there."""
    journal = Journal.beside(images) if images.source else None
    return journal if journal and journal.edits() else None


def decided(images: ImageSet) -> ImageSet:
    """`images` with the decisions beside them applied, which is said; itself where there are none."""
    journal = journal_beside(images)
    if journal is None:
        return images
    with step("applying your decisions") as note:
        made = images.apply(journal)
        note(_said(images, made))
    return made


def unapplied(images: ImageSet) -> str:
    """What to say of a set that decisions lie beside and were not applied to; empty where all is well."""
    journal = journal_beside(images) if images.original is None else None
    if journal is None:
        return ""
    return (
        f"{count(len(journal.edits()), 'decision')} in {shown(journal.path)} not applied. Type: "
        "images.apply(nd.Journal.beside(images)), or images.apply([]) to train without."
    )


def _said(before: ImageSet, after: ImageSet) -> str:
    labels = {(file.path, file.label) for file in before.files}
    parts = {
        "left out": len(before.files) - len(after.files),
        "relabelled": sum((file.path, file.label) not in labels for file in after.files),
        "turned": sum(bool(file.turn or file.by_exif) for file in after.files),
    }
    return ", ".join(f"{number:,} {what}" for what, number in parts.items() if number) or "nothing changed"
