"""YAML that places read, and JSON that their tools print."""

from __future__ import annotations

import json
from typing import Any


def as_yaml(*documents: Any) -> str:
    """YAML of one or several documents, keys in the order given."""
    import yaml  # noqa: PLC0415 - only where a file is written

    class Dumper(yaml.SafeDumper):  # type: ignore[misc] # untyped
        """Texts of several lines as they are."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return str(yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000))


def from_json(said: str) -> Any:
    """The JSON that a tool printed; {} where it is none."""
    try:
        return json.loads(said)
    except ValueError:
        return {}
