"""Files of a model that are gone, found again in the data by content; rows and texts are written to the cache again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.inputs import Rows, text_bytes
from nbdeploy.core.reference import DataFile, Reference, spread
from nbdeploy.core.signature import Signature
from nbdeploy.data.frames import Table as Read
from nbdeploy.data.kept import KeptFile
from nbdeploy.data.labelled import Labelled
from nbdeploy.data.rowset import row_contents
from nbdeploy.data.sources import kind_of, table_of
from nbdeploy.errors import UsageError

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet


def found_again(reference: Reference, images: ImageSet, calibration_files: int | None, seed: int) -> Reference:
    """`reference` with the paths of its files replaced by those in `images` that have the same content.

    Where more `calibration_files` are wanted than it names, training files of `images` are added.
    """
    # What is left out by now may have been held out then.
    at = {file.sha256: str(file.path) for file in (images.original or images).files}
    held_out, calibration = _moved(reference.held_out, at), _moved(reference.calibration, at)
    lacking = max(0, (calibration_files or 0) - len(calibration))
    if lacking:
        named = {file.sha256 for file in (*held_out, *calibration)}
        train = (DataFile(str(file.path), file.sha256, file.label) for file in images.train)
        others = [file for file in train if file.sha256 not in named]
        calibration += tuple(others[index] for index in spread(others, lacking, seed))
    return replace(reference, held_out=held_out, calibration=calibration)


def written_again(signature: Signature, held_out: Sequence[DataFile], data: Any) -> tuple[DataFile, ...]:
    """`held_out` with the paths of those files that `data` (a Table, Texts, a DataFrame or a file of them) has.

    Raises UsageError for data of another kind, DataError or UnknownName for a table that does not fit.
    """
    wanted = {file.sha256 for file in held_out}
    at = {file.sha256: str(file.path) for file in _files(signature, data) if file.sha256 in wanted}
    return _moved(held_out, at)


def _moved(files: Sequence[DataFile], at: Mapping[str, str]) -> tuple[DataFile, ...]:
    """`files` with the paths that `at` has for their hashes."""
    return tuple(replace(file, path=at.get(file.sha256, file.path)) for file in files)


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
