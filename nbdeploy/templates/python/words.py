"""Texts as the model takes them: the ids of their words and parts of words. Beside predict.py; needs numpy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

MAX_BYTES = 10_000_000
_MOST_LETTERS = 20_000
"""Of a text: what follows is not looked at."""
WORD = re.compile(r"\w+|[^\w\s]")
_LONGEST = 64
"""Letters of a word whose parts are looked at: what is longer is no word, or of a script without spaces."""


class Reader:
    """From a text to int32 [1, length]: the id of each known token, then 0. `host` is the manifest's own."""

    def __init__(self, host: dict[str, Any]) -> None:
        self.length: int = host["length"]
        self.parts: list[int] = list(host["parts"])
        self.pairs: bool = host["pairs"]
        self._ids = {token: number for number, token in enumerate(host["vocabulary"], 1)}

    def __call__(self, source: str | Path | bytes) -> np.ndarray:
        """A file's path, or its bytes. Raises OSError or ValueError where it is no text in UTF-8."""
        return self.encode(decode(source))[None]

    def encode(self, text: str) -> np.ndarray:
        """int32 [length] of a text in memory."""
        ids = np.zeros(self.length, dtype=np.int32)
        known = (self._ids[token] for token in tokens(text, self.parts, pairs=self.pairs) if token in self._ids)
        for place, number in zip(range(self.length), known, strict=False):
            ids[place] = number
        return ids


def decode(source: str | Path | bytes) -> str:
    """The text in a file or in its bytes. Raises OSError or ValueError."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    if len(data) > MAX_BYTES:
        raise ValueError(f"the text has more than {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 ({error.reason} at byte {error.start:,})") from error
    if not text.strip():
        raise ValueError("the text is empty")
    return text


def tokens(text: str, parts: list[int] | tuple[int, ...], *, pairs: bool) -> Iterator[str]:
    """The tokens of a text: first its words, then pairs of neighbours, then parts of words of so many letters.

    Case and the way in which accents are stored make no difference. ``<`` and ``>`` stand at the ends of a word, so
    that a part tells whether it begins or ends one.
    """
    words = [f"<{word}>" for word in WORD.findall(unicodedata.normalize("NFKC", text[:_MOST_LETTERS]).casefold())]
    yield from words
    if pairs:
        yield from (f"{one} {other}" for one, other in pairwise(words))
    for word in words:
        for size in parts:
            yield from (word[at : at + size] for at in range(min(len(word), _LONGEST) - size + 1) if size < len(word))
