"""Lines of Python that do again what was asked for: for a person to copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    """Python text that is shown as it stands: a variable's name, a call inside a call."""

    text: str


def python_call(function: str, *values: Any, **keywords: Any) -> str:
    """The line of Python that does the same: ``nd.deploy(learn, target="tflite")``."""
    shown = [*map(_shown, values), *(f"{name}={_shown(value)}" for name, value in keywords.items())]
    return f"{function}({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Call:
    """A method that is to be called, and with what."""

    method: str
    values: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def on(self, thing: Any) -> Any:
        """What the method of `thing` gives."""
        return getattr(thing, self.method)(*self.values, **self.keywords)

    def after(self, line: str) -> str:
        """The line of Python that calls it on what `line` gives."""
        return python_call(f"{line}.{self.method}", *self.values, **self.keywords)


def _shown(value: Any) -> str:
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


_READERS = {".csv": "from_csv", **dict.fromkeys((".zip", ".tar", ".tar.gz", ".tgz"), "from_zip")}


def images_call(path: str, settings: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the ImageSet constructor that reads `path`, and the line of Python that calls it."""
    name = "from_folder"
    if not Path(path).is_dir():
        name = next((made for end, made in _READERS.items() if path.lower().endswith(end)), name)
    return name, python_call(f"nd.ImageSet.{name}", path, **settings)
