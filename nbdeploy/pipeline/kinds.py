"""What a key of a pipeline takes: how it is read, said in words, and written in a JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbdeploy.errors import UsageError
from nbdeploy.pipeline.spots import Spot


class Kind(Protocol):
    """What a key takes."""

    @property
    def words(self) -> str:
        """``a whole number of at least 1``."""

    def read(self, spot: Spot, name: str) -> Any:
        """The value at `spot`. Raises UsageError with the line."""

    def schema(self) -> dict[str, Any]:
        """The same as a JSON Schema."""


def _refuse(kind: Kind, spot: Spot, name: str) -> UsageError:
    return spot.wrong(f"{name} takes {kind.words}, not {spot.shown}.")


@dataclass(frozen=True, slots=True)
class Text:
    """A text; a number that stands for one is taken as it is written, so that 1.10 stays 1.10."""

    words: str = "a text"

    def read(self, spot: Spot, name: str) -> str:
        if isinstance(spot.value, dict | list) or spot.value is None or not spot.text.strip() or "\0" in spot.text:
            raise _refuse(self, spot, name)
        return spot.text

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "number"]}


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `low` to `high`, ends included unless `inside`."""

    words: str
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    inside: bool = False

    def read(self, spot: Spot, name: str) -> Any:
        value = spot.value
        try:
            if isinstance(value, str):  # YAML takes 1e-3 for a text
                value = float(value)
            plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        except (ValueError, OverflowError):  # no number; more than a float can be
            plain = False
        fits = plain and (self.low < value < self.high if self.inside else self.low <= value <= self.high)
        if not fits or (self.whole and value != int(value)):
            over = isinstance(value, int | float) and self.whole and value > self.high
            raise spot.wrong(f"{name} takes {self.words}, not {spot.shown}.", f"At most {self.high:,}." if over else "")
        return int(value) if self.whole else float(value)

    def schema(self) -> dict[str, Any]:
        low, high = ("exclusiveMinimum", "exclusiveMaximum") if self.inside else ("minimum", "maximum")
        bounds = {key: bound for key, bound in ((low, self.low), (high, self.high)) if math.isfinite(bound)}
        return {"type": "integer" if self.whole else "number", **bounds}


def whole(least: int) -> Number:
    """A whole number of at least `least`, and small enough for what counts with 32 bits."""
    return Number(f"a whole number of at least {least}", low=least, high=2**32 - 1, whole=True)


@dataclass(frozen=True, slots=True)
class Yes:
    """true or false."""

    words: str = "true or false"

    def read(self, spot: Spot, name: str) -> bool:
        if not isinstance(spot.value, bool):
            raise _refuse(self, spot, name)
        return spot.value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Off:
    """What another kind takes, or false."""

    inner: Kind

    @property
    def words(self) -> str:
        return f"{self.inner.words}, or false"

    def read(self, spot: Spot, name: str) -> Any:
        return False if spot.value is False else self.inner.read(spot, name)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.inner.schema(), {"const": False}]}


@dataclass(frozen=True, slots=True)
class YesOr:
    """true or false, or keys with values."""

    inner: Kind

    @property
    def words(self) -> str:
        return f"true, false, or {self.inner.words}"

    def read(self, spot: Spot, name: str) -> Any:
        if isinstance(spot.value, bool):
            return spot.value
        if not isinstance(spot.value, dict):
            raise _refuse(self, spot, name)
        return self.inner.read(spot, name)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, self.inner.schema()]}


@dataclass(frozen=True, slots=True)
class OrWord:
    """What another kind takes, or one word, where `taken` says that it is taken."""

    inner: Kind
    word: str
    taken: Callable[[], bool]

    @property
    def words(self) -> str:
        return f"{self.inner.words}, or {self.word}" if self.taken() else self.inner.words

    def read(self, spot: Spot, name: str) -> Any:
        if spot.value == self.word and self.taken():
            return self.word
        try:
            return self.inner.read(spot, name)
        except UsageError:
            raise _refuse(self, spot, name) from None

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.inner.schema(), {"const": self.word}]} if self.taken() else self.inner.schema()


@dataclass(frozen=True, slots=True)
class Named:
    """A name from a table: `names` lists it, `check` gives the name itself or raises UnknownName."""

    words: str
    names: Callable[[], Iterable[str]]
    check: Callable[[str], str]

    def read(self, spot: Spot, name: str) -> str:
        if not isinstance(spot.value, str):
            raise _refuse(self, spot, name)
        try:
            return self.check(spot.value)
        except UsageError as error:
            raise spot.told(error) from None

    def schema(self) -> dict[str, Any]:
        return {"enum": sorted(self.names())}


@dataclass(frozen=True, slots=True)
class Several:
    """A list of what `inner` takes, or one of it; never empty."""

    inner: Kind

    @property
    def words(self) -> str:
        return f"{self.inner.words}, or a list of them"

    def read(self, spot: Spot, name: str) -> list[Any]:
        spots = spot.value if isinstance(spot.value, list) else [spot]
        if not spots:
            raise spot.wrong(f"{name} is an empty list.", "Leave it out, or name at least one.")
        return [self.inner.read(one, name) for one in spots]

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.inner.schema(), {"type": "array", "minItems": 1, "items": self.inner.schema()}]}


@dataclass(frozen=True, slots=True)
class Each:
    """Names of the user's or of a table, with a value each."""

    inner: Kind
    names: Kind = field(default_factory=Text)

    @property
    def words(self) -> str:
        return f"keys with {self.inner.words} each"

    def read(self, spot: Spot, name: str) -> dict[str, Any]:
        if not isinstance(spot.value, dict):
            raise _refuse(self, spot, name)
        at = {key: Spot(key, one.source, one.line, key) for key, one in spot.value.items()}
        return {
            self.names.read(at[key], f"a key of {name}"): self.inner.read(one, f"{name}: {key}")
            for key, one in spot.value.items()
        }

    def schema(self) -> dict[str, Any]:
        names = {} if isinstance(self.names, Text) else {"propertyNames": self.names.schema()}
        return {"type": "object", **names, "additionalProperties": self.inner.schema()}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it takes and what it is for. `default` is for people; empty where there is none to tell."""

    name: str
    takes: Kind
    about: str
    default: str = ""
    required: bool = False


def _none(_: str) -> Kind | None:
    return None


@dataclass(frozen=True, slots=True)
class Section:
    """Keys of a table. A plain value stands for the key `short`, where there is one.

    `more` gives the kind of a key that the table does not name, or None; `others` lists those keys.
    """

    keys: tuple[Key, ...]
    short: str = ""
    more: Callable[[str], Kind | None] = _none
    others: Callable[[], Iterable[str]] = tuple

    words: str = "keys with values"

    def read(self, spot: Spot, name: str) -> dict[str, Any]:
        if self.short and isinstance(spot.value, str):
            spot = Spot({self.short: spot}, spot.source, spot.line)
        known = {key.name: key.takes for key in self.keys}
        if not isinstance(spot.value, dict):
            raise spot.wrong(f"{name} takes {self.words}, not {spot.shown}.", f"Its keys: {', '.join(known)}.")
        read: dict[str, Any] = {}
        for key, one in spot.value.items():
            kind = known.get(key) or self.more(key)
            if kind is None:
                raise one.unknown(f"key of {name}", key, {*known, *self.others()})
            read[key] = kind.read(one, key)
        for needed in (key.name for key in self.keys if key.required and key.name not in read):
            raise spot.wrong(f"{needed} is missing in {name}.", f"nbdeploy run --schema says what {name} takes.")
        return read

    def schema(self) -> dict[str, Any]:
        properties = {
            key.name: {**key.takes.schema(), "description": f"{key.about}{f' ({key.default})' if key.default else ''}"}
            for key in self.keys
        }
        required = [key.name for key in self.keys if key.required]
        whole_ = {"type": "object", "additionalProperties": False, "properties": properties}
        whole_ |= {"required": required} if required else {}
        return {"anyOf": [{"type": "string"}, whole_]} if self.short else whole_
