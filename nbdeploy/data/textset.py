"""Texts: texts with a label, fit to train a classifier on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nbdeploy.core.inputs import text_bytes
from nbdeploy.data.columns import column_of
from nbdeploy.data.frames import Table as Read
from nbdeploy.data.frames import from_frame
from nbdeploy.data.labelled import Labelled, check_label, divided, files_of
from nbdeploy.data.rowset import levels_of
from nbdeploy.data.sources import table_of
from nbdeploy.errors import DataError, UsageError
from nbdeploy.templates.python.rows import as_category

if TYPE_CHECKING:
    import pandas as pd

_TEXTUAL = ("text", "name")


@dataclass(frozen=True, kw_only=True, repr=False)
class Texts(Labelled):
    """Texts with a label, a split and a hash. Making one changes nothing on disk.

    Each is seen as the UTF-8 file that the deployed model is asked with.
    """

    noun: ClassVar[str] = "text"

    @classmethod
    def from_csv(
        cls,
        csv: str | os.PathLike[str],
        *,
        label: str,
        text: str | None = None,
        split: str | None = None,
        valid: float = 0.2,
        seed: int = 42,
    ) -> Texts:
        """Read a .csv (whatever its delimiter and encoding), .tsv, .jsonl or .parquet file; see `from_frame`."""
        from nbdeploy.data.delimited import read_table  # noqa: PLC0415 - pandas

        return _texts(read_table(Path(csv)), label=label, text=text, split=split, valid=valid, seed=seed)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        label: str,
        text: str | None = None,
        split: str | None = None,
        valid: float = 0.2,
        seed: int = 42,
    ) -> Texts:
        """The column `text` of a DataFrame (the one that holds texts, where there is one only), of which `label` names
        the class.

        The column `split` says train or valid; without it `valid`, a share 0..1 of each class, is held out by `seed`,
        where equal texts stay on one side. What is empty or has no label is passed over. Raises DataError, or
        UnknownName for a column that is not there.
        """
        return _texts(from_frame(frame), label=label, text=text, split=split, valid=valid, seed=seed)

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str], *, valid: float = 0.2, seed: int = 42) -> Texts:
        """Files .txt below `path`; the first folder is the label. ``train`` and ``valid`` above them decide the split.

        Raises DataError.
        """
        read = table_of(Path(path), "texts", "", "")
        if not read.label:
            raise DataError(f"The texts in {path} have no label.", hint="Put them into one sub-folder a class.")
        return _texts(read, label=read.label, text="text", split=read.split or None, valid=valid, seed=seed)

    def to_frame(self) -> pd.DataFrame:
        """One row each: text, label, is_valid."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [(file.content.decode(), file.label, file.split == "valid") for file in self.files]
        return pd.DataFrame(rows, columns=pd.Index(["text", "label", "is_valid"]))


def _texts(read: Read, *, label: str, text: str | None, split: str | None, valid: float, seed: int) -> Texts:
    check_label(read, label)
    text = read.need(text) if text else _found(read, {label, split})
    if text in {label, split}:
        raise UsageError("The label, the split and the text are three columns.", hint="Name another with text=.")
    contents = [
        text_bytes(value) if isinstance(value, str) and value.strip() else None for value in read.frame[text].tolist()
    ]
    answers = [as_category(level) or None for level in levels_of(column_of(label, read.frame[label]))]
    files, rows, skipped = files_of(read, contents, answers, ".txt")
    made, seeded = divided(read, files, rows, split=split, valid=valid, seed=seed)
    share = None if split else valid
    return Texts(files=made, skipped=skipped, source=str(read.path), seed=seeded, rows=tuple(rows), share=share)


def _found(read: Read, others: set[str | None]) -> str:
    """The one column that holds texts. Raises DataError where that is not clear."""
    columns = [column_of(name, read.frame[name]) for name in read.frame.columns if name not in others]
    texts = [column.name for column in columns if column.kind == "text" and not column.numbers_the_rows]
    texts = texts or [column.name for column in columns if column.kind in _TEXTUAL and not column.numbers_the_rows]
    if len(texts) != 1:
        said = f"the columns {', '.join(texts[:4])} hold texts" if texts else "no column holds texts"
        raise DataError(f"In {read.path.name} {said}.", hint='Name it: text="column" (--text COLUMN).')
    return texts[0]
