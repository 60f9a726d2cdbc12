"""YAML as values that know the line they stand on. Duplicate keys and anything but plain data are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from nbdeploy.errors import UnknownName, UsageError

E = TypeVar("E", bound=UsageError)
_MOST = 20_000
"""Values of a file: a few lines of aliases can stand for millions."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A value and where it stands: a dict or list of Spots, or a plain value, with `text` as it was written."""

    value: Any
    source: str
    line: int
    text: str = ""

    @property
    def where(self) -> str:
        """``pipeline.yaml, line 4``."""
        return f"{self.source}, line {self.line}"

    @property
    def shown(self) -> str:
        """What stands there, in a few letters."""
        if isinstance(self.value, dict):
            return "a list of keys"
        if isinstance(self.value, list):
            return "a list"
        some = self.text[:60]
        return "nothing" if self.value is None else f'"{some}"' if isinstance(self.value, str) else some

    def wrong(self, message: str, hint: str = "") -> UsageError:
        """The error about this place."""
        return UsageError(f"{self.where}: {message}", hint=hint)

    def unknown(self, kind: str, name: str, known: Any) -> UnknownName:
        """The error about a name at this place, with "Did you mean"."""
        return self.told(UnknownName(kind, name, known))

    def told(self, error: E) -> E:
        """`error` with this place in front."""
        error.message = f"{self.where}: {error.message}"
        return error


def read_yaml(text: str, source: str) -> Spot:
    """The one document of `text`. Raises UsageError with the line where it is not YAML, or not plain data."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise UsageError(f"{source} is empty.", hint="nbdeploy init writes one; nbdeploy run --schema says all.")
        return _Reading(loader, source).spot(node, ())
    except yaml.YAMLError as error:
        raise _not_yaml(error, source, text) from error
    except RecursionError as error:
        raise UsageError(f"{source}: it is nested far deeper than a pipeline.", hint="Remove brackets.") from error
    finally:
        if loader:
            loader.dispose()


class _Reading:
    def __init__(self, loader: Any, source: str) -> None:
        self.loader, self.source, self.left = loader, source, _MOST
        self.flat: set[int] = set()
        """Nodes whose ``<<:`` is taken in already: by another alias of the same."""

    def spot(self, node: Any, above: tuple[int, ...]) -> Spot:
        line = node.start_mark.line + 1
        self.left -= 1
        if self.left < 0 or id(node) in above:
            raise UsageError(f"{self.source}, line {line}: more values than a pipeline has.", hint="Use fewer aliases.")
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return Spot(dict(self._pairs(node, above)), self.source, line)
        if isinstance(node, yaml.SequenceNode):
            return Spot([self.spot(one, above) for one in node.value], self.source, line)
        try:
            value = self.loader.construct_object(node)
        except ValueError as error:  # a date that is none, a number of thousands of digits
            why = str(error).partition(";")[0]
            raise UsageError(f"{self.source}, line {line}: {node.value[:60]} cannot be read ({why}).") from error
        if not isinstance(value, str | int | float | bool | None):
            value = node.value  # a date is a name here
        return Spot(value, self.source, line, str(node.value))

    def _pairs(self, node: Any, above: tuple[int, ...]) -> Iterator[tuple[str, Spot]]:
        if id(node) not in self.flat:
            self._take_in(node)
        for key, value in node.value:
            yield str(key.value), self.spot(value, above)

    def _take_in(self, node: Any) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                raise UsageError(f"{self.source}, line {line}: a key is a word.", hint="Type: key: value")
            if name in seen:
                raise UsageError(
                    f'{self.source}, line {line}: "{name}" stands twice, first in line {seen[name]}.',
                    hint="Remove one of the two.",
                )
            seen[name] = line
        self.loader.flatten_mapping(node)  # <<: *base
        self.flat.add(id(node))


def _not_yaml(error: Any, source: str, text: str) -> UsageError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{source}, line {mark.line + 1}" if mark else source
    if isinstance(error, yaml.reader.ReaderError):
        where = f"{source}, line {text.count(chr(10), 0, error.position) + 1}"
        return UsageError(f"{where}: U+{error.character:04X} is no letter that YAML takes.", hint="Remove it.")
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = mark.buffer.splitlines()[mark.line] if mark and mark.buffer and mark.line < mark.buffer.count("\n") else ""
    hint = "Look at the indents and the quotes there."
    if re.search(r":\s*>", line):  # YAML takes it for the beginning of a text of several lines
        hint = 'Put a comparison in quotes: accuracy: ">= 0.95"'
    elif line.lstrip(" ").startswith("\t"):
        hint = "Indent with spaces: YAML takes no tabs there."
    return UsageError(f"{where}: this is not YAML ({problem}).", hint=hint)
