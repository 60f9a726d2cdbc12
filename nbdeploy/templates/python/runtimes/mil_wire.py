"""Read protocol buffers (their wire format) without a library: what a Core ML package's program is written in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types
_LONGEST_VARINT = 10
_SIGN = 1 << 63


class Message:
    """One message: its fields by number, each a list of what was written under that number.

    A varint is an int, a nested message or a text the bytes of it, a fixed number its 4 or 8 bytes. Raises ValueError
    for bytes that are no message.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self._fields: dict[int, list[Any]] = {}
        for number, value in _fields(memoryview(data)):
            self._fields.setdefault(number, []).append(value)

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def every(self, number: int) -> list[Message]:
        """The nested messages of a repeated field."""
        return [Message(value) for value in self._fields.get(number, ())]

    def one(self, number: int) -> Message:
        """The nested message of a field; an empty one where it was not written, as protobuf has it."""
        written = self._fields.get(number)
        return Message(written[-1] if written else b"")

    def number(self, number: int) -> int:
        """A whole number, signed; 0 where it was not written."""
        value = int(self._fields.get(number, [0])[-1])
        return value - (_SIGN << 1) if value >= _SIGN else value

    def text(self, number: int) -> str:
        """A text; "" where it was not written."""
        return bytes(self._fields.get(number, [b""])[-1]).decode("utf-8")

    def texts(self, number: int) -> list[str]:
        """The texts of a repeated field."""
        return [bytes(value).decode("utf-8") for value in self._fields.get(number, ())]

    def raw(self, number: int) -> bytes:
        """The bytes of a field; none where it was not written."""
        return bytes(self._fields.get(number, [b""])[-1])

    def mapping(self, number: int) -> dict[str, Message]:
        """A map from texts to messages, which protobuf writes as a repeated pair of fields 1 and 2."""
        return {pair.text(1): pair.one(2) for pair in self.every(number)}

    def numbers(self, number: int, dtype: str) -> np.ndarray:
        """A repeated number, packed or not. `dtype` of fixed ones is as numpy's ("<f4"); "varint" for the others."""
        found: list[np.ndarray] = []
        for value in self._fields.get(number, ()):
            if isinstance(value, int):
                found.append(np.array([_signed(value)]))
            elif dtype == "varint":
                found.append(np.array([_signed(v) for v in _varints(value)], dtype=np.int64))
            else:
                found.append(np.frombuffer(value, dtype=dtype))
        return np.concatenate(found) if found else np.zeros(0)


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in {_FIXED32, _FIXED64}:
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"not a protocol buffer: wire type {kind}")
        if at + length > len(data):
            raise ValueError("a protocol buffer that ends too early")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _LONGEST_VARINT, 7):
        if at >= len(data):
            raise ValueError("a protocol buffer that ends too early")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says another byte follows
            return value, at
    raise ValueError("a number of a protocol buffer that does not end")


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _signed(value: int) -> int:
    return value - (_SIGN << 1) if value >= _SIGN else value
