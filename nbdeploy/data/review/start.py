"""Begin a Review: read the data, audit it, find its journal."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.data.findings import Findings
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.journal import Journal
from nbdeploy.data.pictures import audit_pictures
from nbdeploy.data.records import shown
from nbdeploy.data.review.items import items_of
from nbdeploy.data.review.review import Review
from nbdeploy.errors import DataError, NbdeployWarning


@dataclass(frozen=True, slots=True)
class Source:
    """Where the pictures come from: an ImageSet as it was before decisions, or a folder that cannot be one yet."""

    images: ImageSet | None
    folder: Path
    """The folder, table or archive."""
    seed: int = 42
    problem: DataError | None = None
    """Why it is no ImageSet."""

    def decided(self, journal: Journal) -> ImageSet:
        """The ImageSet with the decisions in force. Raises DataError where the folder cannot be one."""
        if self.images is None:
            # What was missing may have come since.
            return ImageSet.from_folder(self.folder, seed=self.seed).apply(journal)
        return self.images.apply(journal)


def source_of(images: ImageSet | str | os.PathLike[str], *, seed: int) -> Source:
    """The ImageSet itself, that of a folder, or the folder where it is not fit to train on. Raises DataError."""
    if isinstance(images, ImageSet):
        return Source(images, Path(images.source), seed)
    folder = Path(os.path.abspath(images))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NbdeployWarning)  # the review shows what they say, one by one
            return Source(ImageSet.from_folder(folder, seed=seed), folder, seed)
    except DataError as problem:
        if not folder.is_dir():
            raise
        return Source(None, folder, seed, problem)


def begin(
    source: Source,
    *,
    learn: Any = None,
    findings: Findings | None = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    seed: int = 42,
) -> Review:
    """Audit unless `findings` are given, and read the decisions: of `journal`, else of those beside the data.

    Raises DataError.
    """
    base = None if source.images is None else source.images.original or source.images
    if findings is None:
        findings = audit_pictures(source.folder if base is None else base, learn=learn, seed=seed)
    if journal is None:
        journal = Journal(source.folder if source.folder.is_dir() else source.folder.parent)
    elif not isinstance(journal, Journal):
        journal = Journal(journal)
    return Review(items_of(source.folder if base is None else base, findings), findings, journal)


def cannot_write(journal: Journal) -> str:
    """Why decisions cannot be kept there, with what to type; empty where they can."""
    folder = journal.path.parent
    place = journal.path if journal.path.exists() else folder
    if folder.is_dir() and os.access(place, os.W_OK) and os.access(folder, os.W_OK):
        return ""
    why = "there is no such folder" if not folder.is_dir() else "it cannot be written to"
    return (
        f"Decisions cannot be kept in {shown(folder)}: {why}. "
        'Look around, or name a file of your own: nd.Cleaner(images, journal="decisions.jsonl").'
    )
