"""What is looked through: every file of a data set with its findings, also the files that cannot be read."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nbdeploy.core.finding import Finding, Guess
from nbdeploy.data.findings import Findings
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.listing import list_folder
from nbdeploy.data.pool import measure
from nbdeploy.data.remembered import facts_of_all
from nbdeploy.errors import DataError


@dataclass(frozen=True, slots=True)
class Item:
    """One file as it was before any decision."""

    path: Path
    label: str
    """Empty where no folder names a class."""
    split: str
    """``train``, ``valid``, or empty where nothing is held out yet."""
    sha256: str
    """Hex; empty where the bytes could not be read."""
    size: tuple[int, int]
    """Width, height in pixels as stored; (0, 0) where they are not known."""
    findings: tuple[Finding, ...] = ()
    """The most suspect first."""
    guess: Guess | None = None
    turn: int = 0
    """Degrees clockwise by which a manifest turns it, as a viewer shows it."""


def items_of(images: ImageSet | Path, findings: Findings) -> tuple[Item, ...]:
    """Every file of an ImageSet, set aside or not, or of a folder that is no ImageSet, sorted by path."""
    found: defaultdict[Path, list[Finding]] = defaultdict(list)
    for finding in findings.rows:
        found[finding.path].append(finding)
    listed = _of_set(images) if isinstance(images, ImageSet) else _of_folder(images)
    items = {
        path: Item(path, label, split, sha256, size, tuple(found[path]), findings.guesses.get(path), turn)
        for path, label, split, sha256, size, turn in listed
    }
    return tuple(items[path] for path in sorted(items, key=os.fsencode))


_Row = tuple[Path, str, str, str, tuple[int, int], int]


def _of_set(images: ImageSet) -> Iterable[_Row]:
    for file in images.files:
        yield file.path, file.label, file.split, file.sha256, file.size, file.turn
    aside = [one.path for one in images.set_aside if not one.path.is_dir()]
    labels = _labels_in(Path(images.source)) if aside else {}
    for path, facts in zip(aside, facts_of_all(aside, measure), strict=True):
        yield path, *labels.get(path, ("", "")), facts.sha256, facts.size, 0


def _of_folder(folder: Path) -> Iterable[_Row]:
    labels = _labels_in(folder)
    paths = list(labels)
    for path, facts in zip(paths, facts_of_all(paths, measure), strict=True):
        yield path, *labels[path], facts.sha256, facts.size, 0


def _labels_in(folder: Path) -> dict[Path, tuple[str, str]]:
    """Path -> (label, split) of what lies in a folder; nothing where it is no folder."""
    try:
        listing = list_folder(folder, loose=True)
    except DataError:
        return {}
    return {one.path: (one.label, one.split or "") for one in listing.candidates}
