"""Read a Core ML package (.mlpackage): its program in MIL, operator by operator, with the weights as they lie in it.

The numbers of fields and types are those of Core ML's published format (MIL.proto, Model.proto, and the blob file that
holds the weights). Only what a program of one function and one block needs is read; the rest is a ValueError.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from .mil_wire import Message

FLOAT16, FLOAT32, STRING, BOOL = 10, 11, 2, 1
DTYPES: dict[int, str] = {
    BOOL: "?", FLOAT16: "<f2", FLOAT32: "<f4", 12: "<f8",
    21: "i1", 22: "<i2", 23: "<i4", 24: "<i8", 31: "u1", 32: "<u2", 33: "<u4", 34: "<u8",
}  # fmt: skip
"""MIL's data types as numpy's."""
PACKED = {25: 4, 35: 4, 36: 2, 37: 1, 38: 6, 39: 3}
"""MIL's data types of less than a byte, packed from the lowest bit up: bits of each."""
_SIGNED4 = 25
_SENTINEL, _HEAD = 0xDEADBEEF, 64  # what every blob begins with, and the bytes of its head
_SPACES = {10: 1, 20: 3, 30: 3}  # gray, red-green-blue, blue-green-red: channels
BGR = 30


@dataclass(frozen=True)
class Kind:
    """The declared type of a value: MIL's data type and shape; `data` is 0 for a list or a dictionary."""

    data: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One step: `inputs` are names of values, or constants; one argument may be a list of them."""

    type: str
    inputs: dict[str, Any]
    outputs: tuple[tuple[str, Kind], ...]


@dataclass(frozen=True)
class Name:
    """A reference to the value of that name."""

    text: str


@dataclass(frozen=True)
class Package:
    """What a package holds: the picture it takes, the steps, and the names of what it gives."""

    width: int
    height: int
    channels: int
    bgr: bool
    input_name: str
    operations: tuple[Operation, ...]


def read_package(path: str | Path) -> Package:
    """Read the .mlpackage folder at `path`. Raises OSError or ValueError where it is none, or of another kind."""
    root = Path(path)
    items = json.loads((root / "Manifest.json").read_text(encoding="utf-8"))
    entry = items["itemInfoEntries"][items["rootModelIdentifier"]]["path"]
    file = root / "Data" / _inside(entry)
    model = Message(file.read_bytes())
    if 502 not in model:  # noqa: PLR2004 - Model.mlProgram
        raise ValueError("not an ML program")
    description, program = model.one(2), model.one(502)
    feature = description.every(1)[0]
    image = feature.one(3).one(4)
    space = image.number(3)
    if space not in _SPACES:
        raise ValueError("the input is not a picture")
    function = program.mapping(2)["main"]
    block = function.mapping(3)[function.text(2)]
    blobs = _Blobs(file.parent)
    return Package(
        width=image.number(1),
        height=image.number(2),
        channels=_SPACES[space],
        bgr=space == BGR,
        input_name=feature.text(1),
        operations=tuple(_operation(raw, blobs) for raw in block.every(3)),
    )


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} is outside the package")
    return path


def _operation(raw: Message, blobs: _Blobs) -> Operation:
    attributes = raw.mapping(5)
    outputs = tuple((named.text(1), _kind(named.one(2))) for named in raw.every(3))
    inputs: dict[str, Any] = {}
    for argument, bound in raw.mapping(2).items():
        bindings = bound.every(1)
        values = [Name(b.text(1)) if 1 in b else _value(b.one(2), blobs) for b in bindings]
        inputs[argument] = values[0] if len(values) == 1 else values
    if "val" in attributes:
        inputs["val"] = _value(attributes["val"], blobs)
    # The operators that hold compressed weights keep what they need among the attributes.
    if raw.text(1).startswith("constexpr_"):
        inputs |= {key: _value(value, blobs) for key, value in attributes.items() if key != "name"}
    return Operation(raw.text(1), inputs, outputs)


def _kind(raw: Message) -> Kind:
    if 1 not in raw:
        return Kind(0, ())
    tensor = raw.one(1)
    return Kind(tensor.number(1), tuple(dim.one(1).number(1) for dim in tensor.every(3)))


def _value(raw: Message, blobs: _Blobs) -> Any:
    """A constant: an array, a number, a text, or a list of texts."""
    kind = _kind(raw.one(2))
    if 5 in raw:  # noqa: PLR2004 - Value.blobFileValue
        return blobs.read(raw.one(5), kind)
    immediate = raw.one(3)
    if 3 in immediate:  # noqa: PLR2004 - ImmediateValue.list
        return [_value(item, blobs) for item in immediate.one(3).every(1)]
    values = _immediate(immediate.one(1), kind)
    if isinstance(values, list):
        return values if kind.shape else values[0]
    return values.reshape(kind.shape) if kind.shape else values.reshape(-1)[0]


def _immediate(raw: Message, kind: Kind) -> np.ndarray | list[str]:
    if kind.data == STRING:
        return raw.one(4).texts(1) or [""]
    if 7 in raw:  # noqa: PLR2004 - TensorValue.bytes
        return _unpacked(raw.one(7).raw(1), kind.data, _count(kind.shape))
    for number, dtype in ((1, "<f4"), (2, "varint"), (3, "varint"), (5, "varint"), (6, "<f8")):
        if number in raw:
            found = raw.one(number).numbers(1, dtype)
            # Zeros at the end are left out by some writers.
            whole = np.zeros(_count(kind.shape), dtype=DTYPES[kind.data])
            whole[: len(found)] = found
            return whole
    return np.zeros(_count(kind.shape), dtype=DTYPES[kind.data])


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _unpacked(data: bytes, kind: int, count: int) -> np.ndarray:
    """`count` values of MIL's data type `kind`, which may take less than a byte each."""
    if kind not in PACKED:
        return np.frombuffer(data, dtype=DTYPES[kind], count=count)
    values = from_bits(np.frombuffer(data, dtype=np.uint8), PACKED[kind], count)
    return (values ^ 8).astype(np.int8) - np.int8(8) if kind == _SIGNED4 else values  # two's complement of four bits


def from_bits(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """uint8 ``[count]`` of numbers of `bits` bits each, which fill bytes from the lowest bit up."""
    each = np.unpackbits(packed, bitorder="little", count=bits * count).reshape(count, bits)
    return np.packbits(each, axis=1, bitorder="little")[:, 0]


class _Blobs:
    """The files of weights of a package; every blob has a head that says where its data is and how long."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, bytes] = {}

    def read(self, raw: Message, kind: Kind) -> np.ndarray:
        name, at = raw.text(1).removeprefix("@model_path/"), raw.number(2)
        if name not in self._files:
            self._files[name] = (self._folder / _inside(name)).read_bytes()
        data = self._files[name]
        if not 0 <= at <= len(data) - _HEAD:
            raise ValueError(f"{name} ends before its weights do")
        sentinel, _, size, start = struct.unpack_from("<IIQQ", data, at)  # the second is the blob's own type
        count = _count(kind.shape)
        bits = PACKED.get(kind.data) or 8 * np.dtype(DTYPES[kind.data]).itemsize
        if sentinel != _SENTINEL or start + size > len(data) or size != -(-count * bits // 8):
            raise ValueError(f"{name} does not hold {count} weights at {at}")
        return _unpacked(data[start : start + size], kind.data, count).reshape(kind.shape)
