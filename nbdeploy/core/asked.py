"""What a bundle or an endpoint is asked about, as the raw file that it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdeploy.core.signature import Signature
from nbdeploy.errors import DataError, UsageError

Asked = str | Path | bytes | Mapping[str, Any]
"""A path, the bytes of a file, a row, or where the model takes texts a text."""

_TYPE = {
    "image": 'bundle.predict("photo.jpg")',
    "table": 'bundle.predict({"column": 1.5, ...}) or bundle.predict("row.json")',
    "text": 'bundle.predict("a text") or bundle.predict(Path("text.txt"))',
}
_GIVE = {
    "image": "Give a JPEG or PNG file.",
    "table": 'Give a JSON object, {"column": value, ...}.',
    "text": "Give a text in UTF-8.",
}
_SHOWN = 60
_ENDING = ".txt"


_NOUNS = {"image": "picture", "table": "row", "text": "text"}


def raw(source: Asked, kind: str) -> tuple[str, Path | bytes]:
    """What it is called, and the path or the bytes of the raw file; `kind` is that of a Signature.

    Raises UsageError or DataError.
    """
    if isinstance(source, bytes):
        return "(bytes)", source
    if kind == "table" and isinstance(source, Mapping):
        return "(row)", _json(source)
    if isinstance(source, str) and kind == "text" and not _names_a_file(source):
        return _short(source), source.encode("utf-8", "replace")
    if not isinstance(source, str | Path):
        takes = "a picture's path or the bytes of its file" if kind == "image" else f"a {_NOUNS[kind]}"
        raise UsageError(f"predict takes {takes}, not {type(source).__name__}.", hint=f"Type: {_TYPE[kind]}")
    if not Path(source).is_file():
        path = "Give the path of a picture." if kind == "image" else f"Type: {_TYPE[kind]}"
        raise DataError(f"There is no file {source}.", hint=path)
    return str(source), Path(source)


def unreadable(name: str, signature: Signature, error: BaseException) -> DataError:
    """What to raise where the host code cannot read it."""
    return DataError(f"{name} cannot be read as a {signature.noun} ({error}).", hint=_GIVE[signature.kind])


def _names_a_file(text: str) -> bool:
    try:
        return text.lower().endswith(_ENDING) and Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a null
        return False


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _json(row: Mapping[str, Any]) -> bytes:
    """A row as JSON; numbers of NumPy and pandas as plain ones, what is not a number as null."""
    plain = {str(name): _plain(value) for name, value in row.items()}
    try:
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "backslashreplace")
    except (TypeError, ValueError) as error:
        raise UsageError(f"The row holds what JSON cannot ({error}).", hint="Give numbers, texts and None.") from error


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    missing = isinstance(value, float) and value != value  # noqa: PLR0124 - only NaN differs from itself
    return None if missing or type(value).__name__ in {"NAType", "NaTType"} else value
