"""Audit pictures: every file is looked at once, and what is suspect is ranked."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from nbdeploy import registry
from nbdeploy.core.finding import Finding
from nbdeploy.core.progress import track
from nbdeploy.data.doubtful import label_doubts, outliers
from nbdeploy.data.embed import embeddings
from nbdeploy.data.findings import Findings
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.likeness import COARSE, coarse, thumbnails
from nbdeploy.data.listing import list_folder
from nbdeploy.data.quality import quality_findings
from nbdeploy.data.records import count, shown
from nbdeploy.data.remembered import facts_of_all
from nbdeploy.data.twins import Entry, twin_findings
from nbdeploy.errors import DataError

_FEW = 0.1  # of the usual number of pictures of a class


def audit_pictures(
    images: ImageSet | str | os.PathLike[str], *, learn: Any = None, seed: int = 42, engine: str = "local"
) -> Findings:
    """What `nbdeploy.audit` says of pictures; its arguments and errors are those of `audit`."""
    measuring = registry.engines.load(engine)  # what cannot be is said before anything is looked at
    listed = _listed(images)
    paths = [path for path, _, _ in listed]
    with measuring() as measure:
        every = list(track(facts_of_all(paths, measure), "looking at pictures", total=len(paths)))
    found = list(quality_findings(paths, every))
    entries = [Entry(path, facts, label, split) for (path, label, split), facts in zip(listed, every, strict=True)]
    good = [entry for entry in entries if entry.facts.signature]
    deep = None if learn is None else embeddings(learn, [entry.path for entry in good])
    found += twin_findings(good, deep)
    labelled = [index for index, entry in enumerate(good) if entry.label]
    features = _thumbnails(good) if deep is None else deep
    doubts = label_doubts([good[index] for index in labelled], features[labelled], seed=seed)
    found += doubts.findings
    if deep is not None:
        found += outliers(good, deep, seed=seed)
    found += _small_classes(entries)
    return Findings.ranked(found, files=len(paths), remarks=doubts.remarks, guesses=doubts.guesses)


def _listed(images: ImageSet | str | os.PathLike[str]) -> list[tuple[Path, str, str]]:
    """(path, label, split) of every file, also of those that cannot be read."""
    if isinstance(images, ImageSet):
        # Without the sides of a folder or a column the split is nbdeploy's own, and still leaks near copies.
        files = [(file.path, file.label, str(file.split)) for file in images.files]
        return files + [(one.path, "", "") for one in images.set_aside]
    listing = list_folder(Path(images), loose=True)
    if not listing.candidates:
        raise DataError(f"No pictures in {shown(listing.root)}.", hint="Give a folder with pictures in it.")
    return [(one.path, one.label, one.split or "") for one in listing.candidates]


def _thumbnails(entries: Sequence[Entry]) -> np.ndarray:
    fine = thumbnails([entry.facts for entry in entries])
    return coarse(fine, np.float16).reshape(len(fine), COARSE * COARSE)


def _small_classes(entries: Sequence[Entry]) -> Iterator[Finding]:
    numbers = Counter(entry.label for entry in entries if entry.label)
    if not numbers:
        return
    usual = median(numbers.values())
    for label, number in numbers.items():
        if number < _FEW * usual:
            folder = next(entry.path for entry in entries if entry.label == label).parent
            evidence = f'"{label}" has {count(number, "picture")}, where a class usually has {usual:,.0f}'
            yield Finding(folder, "class_imbalance", 1 - number / usual, evidence)
