"""Categories that are one and the same, written in several ways."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from nbdeploy.core.finding import Finding
from nbdeploy.data.columns import Column
from nbdeploy.data.frames import MOST, Table, shown_value
from nbdeploy.data.records import count

_MOST_LEVELS = 20_000
_RARER = 10  # times as rare as its neighbour, at least: two frequent words are two words
_LETTERS = 4  # shorter words have too many neighbours
_SINGLE = 100  # rows from which a category that stands there once is odd
_FEW_LEVELS = 30
_JOINED = re.compile(r"(?<=[^\W\d_])[\s\-_./']+(?=[^\W\d_])")


def suspicious_categories(table: Table, column: Column) -> Iterator[Finding]:
    """suspicious_category: what differs by case, spaces, Unicode form, accents, signs or one letter; and rarities."""
    if column.kind != "category" or len(column.real) > _MOST_LEVELS:
        return
    texts = {int(level): str(column.levels[level]) for level in column.real if isinstance(column.levels[level], str)}
    told: set[int] = set()
    for odd, usual, how, score in (*_variants(texts, column.counts), *_typos(texts, column.counts)):
        if odd not in told:
            told.add(odd)
            yield _spelt(table, column, (odd, usual), how, score)
    yield from _rarities(table, column, {level: text for level, text in texts.items() if level not in told})


def _spelt(table: Table, column: Column, pair: tuple[int, int], how: str, score: float) -> Finding:
    odd, usual = pair
    rows = column.rows_with(odd)
    text, other = str(column.levels[odd]), str(column.levels[usual])
    evidence = (
        f"{_quoted(text)} ({table.rows_at(rows)}) beside {_quoted(other)} "
        f"({count(int(column.counts[usual]), 'row')}): {how}"
    )
    suggest = f"relabel:{other}" if column.name == table.label else f"replace:{other}"
    return table.finding(
        "suspicious_category",
        score,
        evidence,
        row=int(rows[0]),
        column=column.name,
        rows=rows[1:MOST],
        suggest=suggest,
        cells=((column.name, shown_value(text)),),
    )


def _quoted(text: str) -> str:
    return f'"{text}"' if text == text.strip() and text.isprintable() else ascii(text)


def _key(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold()
    folded = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return _JOINED.sub("", " ".join(folded.split()))


def _variants(texts: dict[int, str], counts: np.ndarray) -> Iterator[tuple[int, int, str, float]]:
    same: defaultdict[str, list[int]] = defaultdict(list)
    for level, text in texts.items():
        same[_key(text)].append(level)
    for levels in same.values():
        # The commonest is kept; of equals the one without spaces at its ends.
        usual, *others = sorted(levels, key=lambda at: (-counts[at], texts[at] != texts[at].strip(), texts[at]))
        for odd in others:
            yield odd, usual, _how(texts[odd], texts[usual]), 0.95


def _accentless(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("spaces", lambda text: " ".join(text.split())),
    ("upper and lower case", str.casefold),
    ("Unicode form", lambda text: unicodedata.normalize("NFKC", text)),
    ("accents", _accentless),
    ("signs between words", lambda text: _JOINED.sub("", text)),
)


def _how(odd: str, usual: str) -> str:
    """The fewest differences that explain two spellings."""
    for number in range(1, len(_STEPS) + 1):
        for some in combinations(_STEPS, number):
            one, other = odd, usual
            for _, step in some:
                one, other = step(one), step(other)
            if one == other:
                return f"differs by {' and '.join(name for name, _ in some)}"
    return "differs by signs"


def _typos(texts: dict[int, str], counts: np.ndarray) -> Iterator[tuple[int, int, str, float]]:
    """Rare words one letter away from a frequent one, found over what is left of both when a letter is left out."""
    words = {level: text.casefold() for level, text in texts.items() if len(text) >= _LETTERS}
    near: defaultdict[str, list[int]] = defaultdict(list)
    for level, word in words.items():
        for left in {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}:
            near[left].append(level)
    best: dict[int, int] = {}
    for levels in near.values():
        usual = max(levels, key=lambda at: (counts[at], -at))
        for odd in levels:
            rarer = counts[odd] * _RARER <= counts[usual]
            if rarer and _one_letter(words[odd], words[usual]) and counts[usual] > counts[best.get(odd, odd)]:
                best[odd] = usual
    for odd, usual in sorted(best.items()):
        yield odd, usual, "one letter differs", 0.5 + 0.4 * (1 - _RARER * counts[odd] / counts[usual])


def _one_letter(one: str, other: str) -> bool:
    """Whether one letter was changed, added, left out or exchanged with the next. Figures are never a slip."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    changed = one[at : at + 1] + other[at : at + 1]
    if any(not letter.isalpha() for letter in changed):
        return False
    swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    return swapped or one[at + 1 :] in {other[at + 1 :], other[at:]} or one[at:] == other[at + 1 :]


def _rarities(table: Table, column: Column, texts: dict[int, str]) -> Iterator[Finding]:
    rows = int(column.counts[column.real].sum())
    others = [int(column.counts[level]) for level in column.real]
    if rows < _SINGLE or len(others) > _FEW_LEVELS or column.name == table.label:
        return
    for level, text in texts.items():
        number = int(column.counts[level])
        if number > max(1, rows // 1000) or any(number < other < _RARER * number for other in others):
            continue
        where = column.rows_with(level)
        evidence = f"{_quoted(text)} stands in {count(number, 'row')} of {rows:,} ({table.rows_at(where)})"
        yield table.finding(
            "suspicious_category", 0.3, evidence, row=int(where[0]), column=column.name, rows=where[1:MOST]
        )
