"""By what a pipeline's data is known: the files that it is read from, and one hash of what is in a set."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbdeploy.data.labelled import Labelled
from nbdeploy.pipeline.hashes import digest
from nbdeploy.pipeline.spec import Spec
from nbdeploy.pipeline.subjects import PICTURES


def files_of(spec: Spec) -> Iterator[Path]:
    """The files that the data is read from; what a person writes beside them is none of them."""
    place = spec.place
    if place.is_dir():
        from nbdeploy.data.listing import list_folder  # noqa: PLC0415

        if spec.subject is not PICTURES:
            yield from (one.path for one in list_folder(place, exts=["txt"], loose=True).candidates)
            return
        yield from (one.path for one in list_folder(place).candidates)
        yield from (note for note in [place / "collected.jsonl"] if note.exists())  # sessions decide the split
        return
    yield place
    if spec.subject is PICTURES and place.suffix.lower() == ".csv" and place.is_file():
        from nbdeploy.data.table import list_table  # noqa: PLC0415

        names = {f"{key}_column": spec.data.get(key, key) for key in ("path", "label")}
        listing = list_table(place, **names, split_column=spec.data.get("split"), root=None)
        yield from sorted({one.path for one in listing.candidates})


def digest_of(images: Any) -> str:
    """One hash of a set: of pictures their files, labels, turns and sides; of rows and texts their contents, labels and
    sides, in their order, and the columns that are learned from.
    """
    if isinstance(images, Labelled):
        about = [type(images).__name__, getattr(images, "label", ""), getattr(images, "columns", ())]
        lines = [json.dumps(about), *(json.dumps([file.sha256, file.label, file.split]) for file in images)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    rows = {str(file.path): f"{file.sha256} {file.label} {file.split} {file.turn} {file.by_exif}" for file in images}
    root = os.path.commonpath(list(rows)) if rows else ""
    return digest({os.path.relpath(path, root): row for path, row in rows.items()})
