"""What a call was given, as parameters of a run and as the line of Python that does it again."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from nbdeploy.core.bundle import Bundle
from nbdeploy.core.calls import Code, images_call, python_call

_SIMPLE = (str, int, float, bool, os.PathLike)


def bound(function: Callable[..., Any], values: tuple[Any, ...], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Every argument of the call by its name, defaults too. Raises TypeError where `function` does not take them."""
    found = inspect.signature(function).bind(*values, **keywords)
    found.apply_defaults()
    return dict(found.arguments)


def parameters(arguments: Mapping[str, Any], *, leave: Collection[str]) -> dict[str, Any]:
    """Those of the arguments that are plain values, without `leave` and without what was not given."""
    kept: dict[str, Any] = {}
    for name, value in arguments.items():
        simple = value if isinstance(value, _SIMPLE) else getattr(value, "name", None)  # a Recipe by its name
        if name not in leave and (isinstance(simple, _SIMPLE) or _is_plain_list(value)):
            kept[name] = value if _is_plain_list(value) else simple
    return kept


def call_of(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """``nd.train("data/digits", epochs=3)``: the first argument, and what differs from the defaults."""
    (first, _), *others = inspect.signature(function).parameters.items()
    given = {
        key: _text(key, arguments[key])
        for key, about in others
        if not _is_default(arguments[key], about.default) and not _is_empty(arguments[key])
    }
    return python_call(name, _text(first, arguments[first]), **given)


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, _SIMPLE) for one in value)


def _is_empty(value: Any) -> bool:
    return isinstance(value, tuple | list | dict) and not value


def _text(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, Mapping):  # settings of a provider may be secrets
        return Code("{" + ", ".join(f'"{key}": ...' for key in value) + "}")
    if _is_plain_list(value):
        return list(value) if isinstance(value, list) else Code(f"({', '.join(map(json.dumps, value))})")
    if isinstance(value, list | tuple):
        return Code(f"[{', '.join(type(one).__name__ + '()' for one in value)}]")
    return Code(_object_text(name, value))


def _object_text(name: str, value: Any) -> str:
    if isinstance(value, Bundle):
        return python_call("nd.Bundle.load", str(value.path))
    if hasattr(value, "fingerprint") and hasattr(value, "source"):
        return _data_text(name, value)
    return {"Learner": "learn", "Program": "program"}.get(type(value).__name__, name)


def _data_text(name: str, images: Any) -> str:
    """The line that makes a set of pictures again; its name where that is not known."""
    source = str(images.source or "")
    if not source or type(images).__name__ != "ImageSet":
        return name
    settings: dict[str, Any] = {}
    share = images.share or (round(len(images.valid) / len(images), 2) if len(images) else 0.2)
    if images.seed is not None:
        settings = {key: value for key, value in (("valid", share), ("seed", images.seed)) if value not in {0.2, 42}}
    _, call = images_call(source, settings)
    if images.edits:
        place = source if Path(source).is_dir() else str(Path(source).parent)
        call += f".apply({python_call('nd.Journal', place)})"
    return call


def name_of(value: Any) -> str:
    """What a model or data is called by people; "" where it has no name."""
    if isinstance(value, str | os.PathLike):
        return Path(value).name
    named = getattr(value, "name", "")
    source = getattr(value, "source", "")
    return named if isinstance(named, str) and named else Path(source).name if isinstance(source, str) else ""
