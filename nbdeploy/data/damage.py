"""Text that was garbled on its way: read in the wrong encoding, letters lost, HTML left in it, signs nobody typed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.data.columns import Column
from nbdeploy.data.frames import MOST, Table
from nbdeploy.data.records import count, short

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LOST = re.compile(r"\ufffd")
_UNSEEN = re.compile(r"[\ufeff\u200b\u2060\u00ad]")
_ODD = re.compile(r"[^\t\n\r -~]|&[#A-Za-z]")
_AROUND = 24  # letters shown before and after the damage


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a text, and the text as it may have been."""

    what: str
    at: int
    """The first letter that is damaged."""
    mended: str
    score: float


def damage_of(text: str) -> Damage | None:  # noqa: PLR0911 - one return a kind of damage
    """The damage of a text; None where there is none. Curly quotes, accents and emoji are no damage."""
    if not _ODD.search(text):
        return None
    if found := _LOST.search(text):
        return Damage("letters were lost", found.start(), text, 1.0)
    import ftfy  # noqa: PLC0415 - only text with other letters than ASCII needs it

    mended = text if text.isascii() else ftfy.fix_encoding(text)
    if mended != text:
        at = next((i for i, (a, b) in enumerate(zip(text, mended, strict=False)) if a != b), 0)
        return Damage("read in the wrong encoding", at, mended, 1.0)
    if found := _CONTROL.search(text):
        return Damage("signs that control a terminal", found.start(), _CONTROL.sub("", text), 0.9)
    if (found := _ENTITY.search(text)) and html.unescape(text) != text:
        return Damage("HTML left in it", found.start(), html.unescape(text), 0.8)
    if found := _UNSEEN.search(text.replace("\u00ad", "") if text.count("\u00ad") < 2 else text):  # noqa: PLR2004 - one may be meant
        return Damage("signs that cannot be seen", found.start(), _UNSEEN.sub("", text), 0.5)
    return None


def encoding_damage(table: Table, column: Column) -> Iterator[Finding]:
    """encoding_damage for each different text of a column that is damaged."""
    if column.kind in {"number", "empty"}:
        return
    listed = 0
    for level, text in enumerate(column.levels):
        damage = damage_of(text) if isinstance(text, str) else None
        if damage is None:
            continue
        listed += 1
        if listed > MOST:
            return
        rows = column.rows_with(level) if len(column.levels) < len(column.codes) else np.array([_row(column, level)])
        before, after = excerpt(text, damage.at), excerpt(damage.mended, damage.at)
        shown = f"{before!a}" if damage.what.startswith("signs") else f'"{before}"'
        evidence = f"{damage.what}: {shown}" + (f' → "{after}"' if damage.mended != text else "")
        evidence += f", in {count(len(rows), 'row')}" if len(rows) > 1 else ""
        suggest = f"replace:{damage.mended}" if damage.mended != text and damage.mended.isprintable() else "look"
        cells = ((column.name, before), *([("mended", after)] if damage.mended != text else []))
        yield table.finding(
            "encoding_damage",
            damage.score,
            evidence,
            row=int(rows[0]),
            column=column.name,
            rows=rows[1:MOST],
            suggest=suggest,
            cells=cells,
        )


def _row(column: Column, level: int) -> int:
    return int(np.argmax(column.codes == level))


def excerpt(text: str, at: int = 0) -> str:
    """The text around the letter `at`, on one line."""
    start = max(0, at - _AROUND)
    some = text[start : at + 2 * _AROUND]
    return short(
        ("…" if start else "")
        + " ".join(some.split(" ")).replace("\n", " ")
        + ("…" if at + 2 * _AROUND < len(text) else ""),
        120,
    )
