"""The key of a step: a hash of all that decides what comes of it. And in words, what changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from nbdeploy.core.versions import installed
from nbdeploy.pipeline.hashes import Hashes, digest
from nbdeploy.pipeline.state import Record
from nbdeploy.pipeline.steps import Step

_SHOWN = 3


def made_of(step: Step, records: Mapping[str, Record], hashes: Hashes) -> dict[str, Any]:
    """What decides what comes of `step`, as plain data. The steps before it are in `records`."""
    inputs = step.inputs(hashes)
    return {
        "settings": json.loads(json.dumps(step.settings())),
        # Of what came out before, not of how: where the same comes out again, later steps stand.
        "after": {name: records[name].digest for name in step.after},
        "inputs": {"files": len(inputs), "sha256": digest(inputs)},
        "tools": {name: _version(name) for name in ("nbdeploy", *step.tools)},
    }


def key_of(made: Mapping[str, Any]) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def why_anew(record: Record, made: Mapping[str, Any]) -> str:
    """What is no longer as it was when `record` was written."""
    return "; ".join(_differences(record.made_of, made)) or "its key changed"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    was_set, is_set = _flat(old.get("settings", {})), _flat(new["settings"])
    if changed := [name for name in sorted({*was_set, *is_set}) if was_set.get(name) != is_set.get(name)]:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        yield f"changed: {', '.join(changed[:_SHOWN])}{more}"
    if old.get("inputs") != new["inputs"]:
        was, are = old.get("inputs", {}).get("files"), new["inputs"]["files"]
        yield "its files changed" if was == are else f"its files changed: {was}, now {are}"
    before = old.get("after", {})
    yield from (f"{name} came to something else" for name, came in new["after"].items() if before.get(name) != came)
    tools = old.get("tools", {})
    yield from (
        f"{name} {tools.get(name) or 'none'}, now {installed or 'none'}"
        for name, installed in new["tools"].items()
        if tools.get(name) != installed
    )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return flat


@cache
def _version(distribution: str) -> str:
    return installed(distribution).get(distribution, "")
