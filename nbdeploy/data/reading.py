"""Whether data is rows or texts to train on, and the Table or the Texts in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nbdeploy.data.labelled import Labelled
from nbdeploy.data.rowset import Table
from nbdeploy.data.sources import kind_of
from nbdeploy.data.textset import Texts
from nbdeploy.errors import UsageError


def is_labelled(data: Any, label: str | None, text: str | None) -> bool:
    """Whether to train on rows or texts: a `label` or a `text` column is named, or `data` is a folder of .txt files."""
    if isinstance(data, Labelled) or label is not None or text is not None:
        return True
    return isinstance(data, str | os.PathLike) and Path(data).is_dir() and kind_of(data) == "texts"


def labelled_from(
    data: Any, *, label: str | None, text: str | None, valid: float = 0.2, seed: int = 42
) -> Table | Texts:
    """A Table, or Texts where `text` names their column. Raises UsageError, DataError, UnknownName."""
    if isinstance(data, Table | Texts):
        if label is not None or text is not None:
            raise UsageError(f"{type(data).__name__} has its label already.", hint="Leave label= and text= out.")
        return data
    path = Path(data) if isinstance(data, str | os.PathLike) else None
    if path is not None and path.is_dir():
        if label is not None or text is not None:
            raise UsageError(f"{path} is a folder, whose sub-folders are the labels.", hint="Leave label= out.")
        return Texts.from_folder(path, valid=valid, seed=seed)
    if label is None:
        raise UsageError("Which column is the label?", hint='Type: label="column" (--label COLUMN).')
    how: dict[str, Any] = {"label": label, "valid": valid, "seed": seed}
    if text is not None:
        return Texts.from_frame(data, text=text, **how) if path is None else Texts.from_csv(path, text=text, **how)
    return Table.from_frame(data, **how) if path is None else Table.from_csv(path, **how)
