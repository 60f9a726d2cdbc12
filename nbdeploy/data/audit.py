"""audit(): look once at everything and say what is suspect."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbdeploy.data.findings import Findings
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.sources import kind_of, pictures_of, table_of
from nbdeploy.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def audit(
    data: ImageSet | str | os.PathLike[str] | pd.DataFrame | pd.Series | Sequence[str],
    *,
    label: str | Sequence[Any] = "",
    text: str | Sequence[str] | None = None,
    split: str | Sequence[Any] = "",
    learn: Any = None,
    seed: int = 42,
    engine: str = "local",
) -> Findings:
    """Look for what spoils training, in pictures, tables and texts. Nothing is changed.

    **Pictures**: an ImageSet, whose split shows leaks, or a folder, which need not be fit to train on; or an archive,
    or a CSV whose column ``path`` names pictures. Broken and odd files, poor pictures, copies, leaks, wrong labels,
    outliers. Labels are judged by a model of the pictures' own thumbnails, or, with a fastai Learner `learn`, of what
    its body makes of them; then outliers, crops and watermarked copies are found too. Every file is read and decoded
    once; what was measured is kept by content hash, so that a second audit reads only what changed. `engine` says where
    files are measured: ``local``, in processes on this machine, or ``ray``, on the Ray cluster that this process is
    connected to, else the one of RAY_ADDRESS, else one of this machine's cores; its machines have to see the files
    under the same paths.

    **Tables**: a DataFrame, or a .csv, .tsv, .jsonl or .parquet file. Missing values, also those written as ``?`` or
    -999, mixed types, misspelt categories, outliers, garbled letters; constant, repeated, row-numbering and leaking
    columns; equal rows. `label` names the column to predict: then labels that contradict one another or look wrong are
    found, and of an amount (a number with many values) those far from what the other columns say. `split` names the
    column that says train or valid (also test, true, false): then held-out rows that are trained on are found.

    **Texts**: a list or a Series of strings, a folder of .txt files (one folder a class), or columns of a table: those
    that `text` names, else those that hold sentences. Empty and garbled texts, copies and near copies, and with
    `label` and `split` (here also one value a text) labels that look wrong and leaks.

    `seed` decides the folds in which labels are judged. A bad file is a finding and stops nothing. Raises DataError
    for what holds no data, UnknownName for a column or an engine that is not there, UsageError for what does not fit,
    MissingExtra for an engine that is not installed.
    """
    kind = kind_of(data)
    if kind == "pictures":
        if text is not None:
            raise UsageError("These are pictures: text= is for tables.", hint="Leave text= out.")
        from nbdeploy.data.pictures import audit_pictures  # noqa: PLC0415 - loads Pillow

        images, remarks = pictures_of(data, label=label, split=split, seed=seed)
        seen = audit_pictures(images, learn=learn, seed=seed, engine=engine)
        return replace(seen, remarks=(*seen.remarks, *remarks))
    if learn is not None:
        raise UsageError("learn= judges pictures, and these are none.", hint="Leave learn= out.")
    from nbdeploy.data.tables import audit_table  # noqa: PLC0415 - pictures need none of it

    table = table_of(data, kind, label, split)
    # Values were taken into the table; a name says which of its columns.
    names = {name: value for name, value in (("label", label), ("split", split)) if isinstance(value, str)}
    return audit_table(table, **names, text=text, seed=seed)
