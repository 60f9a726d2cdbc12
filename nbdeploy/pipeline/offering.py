"""What may stand where the cursor is in a pipeline's text: keys by their indent, and names from tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbdeploy.pipeline.kinds import Each, Kind, Named, Off, Section, Several, Yes
from nbdeploy.pipeline.schema import PIPELINE

_LINE = re.compile(r"^( *(?:- +)*)([\w-]*)(:?)")


def offered_keys(text: str) -> tuple[list[str], str]:
    """The words that fit at the end of `text`, and the part of one that stands there already."""
    *above, last = text.split("\n")
    found = _LINE.match(last)
    assert found is not None
    place, key, colon = len(found[1]), found[2], found[3]
    section = _section(above, place)
    if not colon and found.end() == len(last):
        return ([one.name for one in section.keys] if section else []), key
    kind = next((one.takes for one in section.keys if one.name == key), None) if section else None
    begun = re.split(r"[\s,\[]", last)[-1]
    return list(_values(kind)), begun


def _section(above: list[str], place: int) -> Section | None:
    """The section whose keys are indented by `place`."""
    path: list[str] = []
    for line in reversed(above):
        found = _LINE.match(line)
        if found and found[2] and found[3] and len(found[1]) < place:
            path.append(found[2])
            place = len(found[1])
    section: Section | None = PIPELINE
    for name in reversed(path):
        kind = next((key.takes for key in section.keys if key.name == name), None) if section else None
        kind = kind.inner if isinstance(kind, Several) else kind
        section = kind if isinstance(kind, Section) else None
    return section


def _values(kind: Kind | None) -> Iterable[str]:
    if isinstance(kind, Several | Off):
        return _values(kind.inner)
    if isinstance(kind, Each):
        return _values(kind.names)
    if isinstance(kind, Named):
        return sorted(kind.names())
    return ("true", "false") if isinstance(kind, Yes) else ()
