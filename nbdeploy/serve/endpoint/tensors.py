"""Tensors of the Open Inference Protocol, in JSON and in its binary extension."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .payload import MOST, from_base64, read_json
from .refusal import Refused

LENGTH = "inference-header-content-length"
DATATYPES = {"uint8": "UINT8", "float32": "FP32", "int32": "INT32"}
"""The protocol's names."""
_NUMPY = {"UINT8": "<u1", "FP32": "<f4", "INT32": "<i4"}
_MOST_VALUES = 2_000_000  # numbers in JSON that are read at all


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: as the model takes it, pictures as uint8 ``[n, height, width, channels]``, or as raw files."""

    values: np.ndarray | None
    files: list[bytes]
    binary: bool
    """Whether the answer's tensor is wanted in binary form."""
    ident: str | None


def read(body: bytes, length: str | None, *, input: dict[str, Any], output: str) -> Asked:  # noqa: A002 - the protocol's word
    """Read the body of an infer request; `length` is what its header says of the JSON part. Raises Refused."""
    if length is not None and not (length.isdecimal() and len(length) < 12 and int(length) <= len(body)):  # noqa: PLR2004 - digits
        raise _wrong(f"{LENGTH} is no length of a part of the body.")
    end = len(body) if length is None else int(length)
    document = _document(body[:end], elements=int(np.prod(input["shape"])))
    given, ident = document.get("inputs"), document.get("id")
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        raise _wrong(f'"inputs" has to hold one tensor, {input["name"]}.')
    if given[0].get("name") != input["name"]:
        raise _wrong(f"There is no input of that name; it is {input['name']}.")
    if ident is not None and not isinstance(ident, str):
        raise _wrong('"id" is no text.')
    binary = _wants_binary(document, output)
    tensor, raw, shape = given[0], _raw(given[0], body[end:]), given[0].get("shape")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise _wrong('"shape" is no list of whole numbers.')
    own = DATATYPES[input["dtype"]]
    if tensor.get("datatype") == own:
        return Asked(_values(tensor, shape, raw, input["shape"][1:], own), [], binary, ident)
    if tensor.get("datatype") == "BYTES":
        return Asked(None, _files(tensor, shape, raw, packed=own == "UINT8"), binary, ident)
    what = "UINT8 (pixels) or BYTES (files of pictures)" if own == "UINT8" else f"{own} or BYTES (what is in a file)"
    raise _wrong(f"The input's datatype is {what}.")


def _document(text: bytes, *, elements: int) -> dict[str, Any]:
    document = read_json(text, values=min(MOST * elements, _MOST_VALUES) + 10_000)
    if not isinstance(document, dict):
        raise _wrong("The request is no object.")
    return document


def _raw(tensor: dict[str, Any], rest: bytes) -> bytes | None:
    """The tensor's bytes after the JSON part; None where its data is in JSON."""
    size = _parameters(tensor).get("binary_data_size")
    if size is None and rest:
        raise _wrong("There are bytes after the JSON part, and no binary_data_size.")
    if size is not None and (type(size) is not int or size != len(rest)):
        raise _wrong("binary_data_size is not the number of bytes after the JSON part.")
    return None if size is None else rest


def _values(tensor: dict[str, Any], shape: list[int], raw: bytes | None, one: list[int], own: str) -> np.ndarray:
    if shape[1:] != one or not shape or not 1 <= shape[0] <= MOST:
        what = "pictures" if own == "UINT8" else "of them"
        raise _wrong(f"The shape has to be {[-1, *one]}, with 1 to {MOST} {what}.")
    if raw is not None:
        if len(raw) % np.dtype(_NUMPY[own]).itemsize:
            raise _wrong("The bytes are no whole number of values.")
        values = np.frombuffer(raw, dtype=_NUMPY[own])
    elif own == "UINT8":
        values = np.frombuffer(_numbers(tensor.get("data")), dtype=np.uint8)
    else:
        values = _plain(tensor.get("data"), own)
    if values.size != int(np.prod(shape)):
        raise _wrong(f"There are {values.size} values; the shape says {int(np.prod(shape))}.")
    return values.reshape(shape)


def _numbers(data: Any) -> bytes:
    """Whole numbers from 0 to 255, in a list or in lists of lists."""
    rows = data if isinstance(data, list) else []
    for _ in range(3):
        if rows and set(map(type, rows)) == {list}:
            rows = list(itertools.chain.from_iterable(rows))
    if not rows or set(map(type, rows)) != {int}:
        raise _wrong('"data" has to hold whole numbers from 0 to 255.')
    try:
        return bytes(rows)
    except (ValueError, OverflowError) as error:
        raise _wrong('"data" has to hold whole numbers from 0 to 255.') from error


def _plain(data: Any, own: str) -> np.ndarray:
    """Numbers, in a list or in lists of lists; null is NaN where the model takes that."""
    some = data if isinstance(data, list) else []
    rows = list(itertools.chain.from_iterable(row if isinstance(row, list) else [row] for row in some))
    kinds = {int} if own == "INT32" else {int, float, type(None)}
    if not rows or not set(map(type, rows)) <= kinds:
        raise _wrong('"data" has to hold numbers.')
    try:
        return np.array(rows, dtype=_NUMPY[own])
    except (ValueError, OverflowError) as error:
        raise _wrong('"data" holds a number that is too large.') from error


def _files(tensor: dict[str, Any], shape: list[int], raw: bytes | None, *, packed: bool) -> list[bytes]:
    """Raw files; in JSON as base64 where they are `packed`, else as they are."""
    if len(shape) not in {1, 2} or shape[1:] not in ([], [1]):
        raise _wrong("The shape of files is [n] or [n, 1].")
    if not 1 <= shape[0] <= MOST:
        raise _wrong(f"1 to {MOST} files are taken.")
    if raw is not None:
        files = _unpacked(raw)
    else:
        data = tensor.get("data")
        rows = data if isinstance(data, list) else []
        rows = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]
        if not all(isinstance(row, str) for row in rows):
            raise _wrong(f'"data" has to hold {"files in base64" if packed else "texts"}.')
        files = [from_base64(row, f"File {number}") if packed else row.encode() for number, row in enumerate(rows)]
    if len(files) != shape[0]:
        raise _wrong(f"There are {len(files)} files; the shape says {shape[0]}.")
    return files


def _unpacked(raw: bytes) -> list[bytes]:
    """Files that each have four bytes of length, little end first, before them."""
    files: list[bytes] = []
    at = 0
    while at < len(raw) and len(files) <= MOST:
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        if at + 4 > len(raw) or end > len(raw):
            raise _wrong("A file is shorter than its length says.")
        files.append(raw[at + 4 : end])
        at = end
    return files


def _wants_binary(document: dict[str, Any], output: str) -> bool:
    wanted = document.get("outputs", [])
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise _wrong('"outputs" is no list of objects.')
    if any(one.get("name") != output for one in wanted):
        raise _wrong(f"There is no output of that name; it is {output}.")
    if any(_parameters(one).get("classification") for one in wanted):
        raise _wrong("The extension classification is not offered.", hint="The labels are in the model's metadata.")
    default = bool(_parameters(document).get("binary_data_output", False))
    return bool(_parameters(wanted[0]).get("binary_data", default)) if wanted else default


def _parameters(of: dict[str, Any]) -> dict[str, Any]:
    found = of.get("parameters", {})
    if not isinstance(found, dict):
        raise _wrong('"parameters" is no object.')
    return found


def _wrong(message: str, *, hint: str = "GET /v2/models/NAME says what the model takes.") -> Refused:
    return Refused(400, "wrong_tensor", message, hint=hint)
