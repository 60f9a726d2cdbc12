"""Held-out texts, and which of their words spoke for an answer.

Each word is left out in turn: what the answer's probability falls by is what the word spoke for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbdeploy.core.look import Html, html, joined, tag
from nbdeploy.core.numbers import points
from nbdeploy.data.textset import Texts
from nbdeploy.errors import DataError
from nbdeploy.templates.python.words import WORD
from nbdeploy.training import asking
from nbdeploy.training.explaining import Explanation
from nbdeploy.training.texts import Encoded

MOST_WORDS = 200
"""Of a text that are left out, from its beginning."""
_SHOWN, _BEFORE = 400, 120
"""Letters of a text in sight; of these before the word that matters most, where that lies far inside."""
_TOLD = 3
_LEAST = 0.01
"""A change of the probability that is marked."""
_FAINTEST, _STRONGEST = 10, 32
"""Per cent of colour behind a word: the text on it can still be read."""
_NOTE = (
    "Marked: words without which the answer's probability changes by a point or more. A tint over a straight line: the "
    "word spoke for the answer, the stronger the more. A wavy line: it spoke against it."
)


@dataclass(frozen=True, slots=True)
class Word:
    """``text[start:end]``, and by how much the probability of the answer falls without it; below 0: it rises."""

    start: int
    end: int
    change: float


@dataclass(frozen=True, slots=True)
class Text:
    """A held-out text with those of its words that were left out, in order."""

    name: str
    text: str
    words: tuple[Word, ...]

    def to_dict(self) -> dict[str, Any]:
        """The text, and of each word its place, itself and the change."""
        words = [{"word": self.text[word.start : word.end], **asdict(word)} for word in self.words]
        return {"text": self.text, "words": words}

    def html(self) -> Html:
        """The text, or the part of it that matters most, with marks."""
        ranked = self._ranked()
        start, end = self._part(ranked)
        before = _aside(f"{start:,} letters before … ") if start else ""
        after = _aside(f" … {len(self.text) - end:,} more letters") if end < len(self.text) else ""
        return tag("div", "nbd-text", before, self._marked(start, end, ranked), after)

    def told(self) -> str:
        """The strongest words for and against the answer."""
        ranked, sides = self._ranked(), (("For the answer", 1), ("against it", -1))
        named = [f"{title}: {words}" for title, side in sides if (words := self._strongest(ranked, side))]
        return "; ".join(named) or "No word alone changes the answer by a point"

    def _ranked(self) -> list[Word]:
        marked = (word for word in self.words if abs(word.change) >= _LEAST)
        return sorted(marked, key=lambda word: -abs(word.change))

    def _part(self, ranked: Sequence[Word]) -> tuple[int, int]:
        """From where to where it is shown."""
        if len(self.text) <= _SHOWN:
            return 0, len(self.text)
        first = ranked[0] if ranked else None
        start = max(0, first.start - _BEFORE) if first and first.end > _SHOWN else 0
        start = max(start, self.text.find(" ", start, first.start) + 1) if first and start else 0
        if start + _SHOWN >= len(self.text):
            return start, len(self.text)
        end = self.text.rfind(" ", start + _SHOWN - _BEFORE, start + _SHOWN)
        return start, end if end > 0 else start + _SHOWN

    def _marked(self, start: int, end: int, ranked: Sequence[Word]) -> Html:
        parts: list[str] = []
        at = start
        for word in sorted(ranked, key=lambda word: word.start):
            if not start <= word.start < word.end <= end:
                continue
            share = abs(word.change / ranked[0].change)
            tint = round(_FAINTEST + (_STRONGEST - _FAINTEST) * share)
            css = f'class="nbd-for" style="--nbd-heat:{tint}%"' if word.change > 0 else 'class="nbd-against"'
            text = html(self.text[word.start : word.end])
            parts += [
                self.text[at : word.start],
                Html(f'<mark {css} title="{points(word.change)}">{text}</mark>'),
            ]
            at = word.end
        return joined(*parts, self.text[at:end])

    def _strongest(self, ranked: Sequence[Word], side: int) -> str:
        words = [word for word in ranked if word.change * side > 0][:_TOLD]
        return ", ".join(f"“{self.text[word.start : word.end]}” {points(word.change)}" for word in words)


class TextExplainer:
    """By leaving out one word after another."""

    noun = "text"

    def __init__(self, learn: Any) -> None:
        self.learn, self.dls = learn, learn.dls

    def labels(self) -> Sequence[str] | None:
        """See `Explainer`."""
        vocab: list[str] = self.dls.valid_ds.vocab
        return vocab

    def explain(self, which: Sequence[int], classes: Sequence[int]) -> Explanation:
        """See `Explainer`. Raises DataError where the texts themselves are not known."""
        texts = getattr(self.dls, "texts", None)
        if not isinstance(texts, Texts):
            raise DataError("This Learner does not know its texts, only their numbers.", hint="Train with nd.train.")
        held_out = [at for at, file in enumerate(texts.files) if file.split == "valid"]
        found, where = [], "text" if Path(texts.source).is_dir() else "row"
        for n, answer in zip(which, classes, strict=True):
            text = texts.files[held_out[n]].content.decode()
            found.append(Text(f"{where} {texts.rows[held_out[n]]}", text, self._words(text, answer)))
        return Explanation(tuple(found), _NOTE if found else "")

    def _words(self, text: str, answer: int) -> tuple[Word, ...]:
        places = [found.span() for found in WORD.finditer(text)][:MOST_WORDS]
        without = [f"{text[:start]} {text[end:]}" for start, end in places]
        asked = Encoded([text, *without], [answer] * (1 + len(places)), self.dls.valid_ds.words, self.dls.vocab)
        whole, *others = asking.answers(self.learn, dl=self.dls.valid.new(asked))[0][:, answer].tolist()
        return tuple(Word(start, end, whole - other) for (start, end), other in zip(places, others, strict=True))


def _aside(text: str) -> Html:
    return tag("span", "nbd-quiet", text)
