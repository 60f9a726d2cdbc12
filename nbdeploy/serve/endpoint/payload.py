"""The pictures in a request: the body itself, multipart fields named file, or JSON with base64."""

from __future__ import annotations

import binascii
import json
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .pictures import TAKES
from .refusal import Refused

MOST = 32
"""Pictures in one request."""
FORM = "multipart/form-data"
# What curl says of --data-binary unless it is told otherwise, and what SageMaker's clients say of pictures.
_BYTES = {"", "application/octet-stream", "application/x-image", "application/x-www-form-urlencoded"}
_EXAMPLE = 'As JSON: {"instances": [{"b64": "<a picture\'s file in base64>"}]}.'


def pictures(content_type: str, body: bytes) -> list[bytes]:
    """The pictures' files, in order, 1 to `MOST`. Raises Refused where there is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        raise Refused(400, "empty_body", "The request has no body.", hint=TAKES)
    if kind.startswith("image/") or kind in _BYTES:
        return [body]
    if kind == FORM:
        return _some(form_files(content_type, body), 'fields named "file"')
    if kind == "application/json":
        return _some(_instances(read_json(body, values=10_000)), "instances")
    if kind.startswith("text/"):
        raise Refused(422, "takes_pictures", "This model takes pictures, not text.", hint=TAKES)
    raise Refused(415, "unsupported_type", f"The content type {kind[:80]} is not taken.", hint=f"{TAKES} {_EXAMPLE}")


def _some(found: list[bytes], what: str) -> list[bytes]:
    if not 1 <= len(found) <= MOST:
        raise Refused(422, "how_many", f"There are {len(found)} {what}; 1 to {MOST} are taken.", hint=TAKES)
    return found


def read_json(body: bytes, *, values: int, hint: str = _EXAMPLE) -> Any:
    """The JSON document. `values` bounds how many lists, objects and their parts it may have, before it is read: small
    text can be a lot of memory. Raises Refused.
    """
    if sum(map(body.count, (b"[", b"{", b","))) > values:
        raise Refused(
            413, "too_complex", f"The JSON has more than {values:,} values.", hint="Ask about fewer at a time."
        )
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "not_json", "The body is no JSON document in UTF-8.", hint=hint) from error


def _no_number(text: str) -> float:
    raise ValueError(text)


def _instances(document: Any) -> list[bytes]:
    rows = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(rows, list) or set(document) - {"instances", "parameters"}:
        raise Refused(422, "takes_pictures", "This model takes pictures, not rows or text.", hint=f"{TAKES} {_EXAMPLE}")
    if not isinstance(document.get("parameters", {}), dict):
        raise Refused(422, "wrong_parameters", '"parameters" is no object.', hint="Leave it out.")
    return [_file(row, number) for number, row in enumerate(rows)]


def _file(row: Any, number: int) -> bytes:
    if not isinstance(row, dict) or set(row) != {"b64"} or not isinstance(row["b64"], str):
        raise Refused(422, "wrong_instance", f'Instance {number} is not {{"b64": "..."}}.', hint=_EXAMPLE)
    return from_base64(row["b64"], f"Instance {number}")


def from_base64(text: str, what: str) -> bytes:
    """The bytes that `text` stands for. Raises Refused."""
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError) as error:
        raise Refused(422, "not_base64", f"{what} is no base64.", hint=_EXAMPLE) from error


def form_files(content_type: str, body: bytes) -> list[bytes]:
    """The contents of the fields named file of a multipart body, which is in memory already. Raises Refused."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    form = _Form()
    try:
        if not boundary:
            raise FormParserError("no boundary")
        parser = MultipartParser(boundary, form.callbacks(), max_size=len(body))  # type: ignore[arg-type] # its own type is narrower than what it calls
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _broken() from error
    if not form.whole:
        raise _broken()
    return form.files


def _broken() -> Refused:
    return Refused(
        400, "broken_form", "The multipart body is broken or cut off.", hint="Try: curl -F file=@photo.jpg URL"
    )


class _Form:
    """Gathers the parts named file; all else is passed over."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self.whole = False
        self._field, self._value, self._wanted = b"", b"", False
        self._parts: list[bytes] = []

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._field, self._value, self._wanted, self._parts = b"", b"", False, []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._wanted = options.get(b"name") == b"file"
        self._field, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted and len(self.files) <= MOST:
            self._parts.append(data[start:end])

    def _part_end(self) -> None:
        if self._wanted and len(self.files) <= MOST:
            self.files.append(b"".join(self._parts))

    def _end(self) -> None:
        self.whole = True
