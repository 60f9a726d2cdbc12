"""Held-out rows and texts whose files are gone from the cache: written there again from the data, by content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbdeploy.core.inputs import Rows, text_bytes
from nbdeploy.core.reference import DataFile
from nbdeploy.core.signature import Signature
from nbdeploy.data.frames import Table as Read
from nbdeploy.data.kept import KeptFile
from nbdeploy.data.labelled import Labelled
from nbdeploy.data.rowset import row_contents
from nbdeploy.data.sources import kind_of, table_of
from nbdeploy.errors import UsageError


def written_again(signature: Signature, held_out: Sequence[DataFile], data: Any) -> tuple[DataFile, ...]:
    """`held_out` with the paths of those files that `data` (a Table, Texts, a DataFrame or a file of them) has.

    Raises UsageError for data of another kind, DataError or UnknownName for a table that does not fit.
    """
    wanted = {file.sha256 for file in held_out}
    at = {file.sha256: str(file.path) for file in _files(signature, data) if file.sha256 in wanted}
    return tuple(replace(file, path=at.get(file.sha256, file.path)) for file in held_out)


def _files(signature: Signature, data: Any) -> Iterator[KeptFile]:
    if isinstance(data, Labelled):
        yield from data.files
        return
    kind = kind_of(data)
    if kind == "pictures":
        raise UsageError(f"This model takes {signature.noun}s, not pictures.", hint="Give a table or texts.")
    read = table_of(Path(data) if isinstance(data, str) else data, kind, "", "")
    if isinstance(signature.given, Rows):
        columns = [(column.name, column.kind) for column in signature.given.columns]
        yield from (KeptFile(content, ".json", "") for content in row_contents(read, columns))
    else:
        yield from _texts(read)


def _texts(read: Read) -> Iterator[KeptFile]:
    """Every text of a table, in whichever column: what is no held-out text is not found by its content."""
    for name in read.frame.columns:
        for value in read.frame[name]:
            if isinstance(value, str):
                yield KeptFile(text_bytes(value), ".txt", "")
