"""Texts that are nearly the same: found over their rarest letter sequences, so that not every pair is compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from nbdeploy.core.progress import track

ALIKE = 0.75
"""Cosine of two texts' letter sequences, weighted by rarity, from which the two are compared letter by letter."""
_SAME = 0.93  # share of letters, in order, from which two texts are nearly the same
_SEQUENCES = (3, 4)  # letters, within words
_FEATURES = 1 << 20
_PAIRS = 4_000_000  # compared at once, so that memory does not grow with the number of texts
_MOST_PAIRS = 1_000_000_000  # compared in all; beyond it the commonest sequences lead to no pair
_LONG = 2000  # letters from which words are compared instead
_NOT = frozenset(
    "not no never none cannot cant without dont doesnt didnt isnt wasnt wont couldnt hasnt havent hadnt".split()
)


def plain(text: str) -> str:
    """A text as far as copies go: without case, punctuation and repeated spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return " ".join(re.findall(r"\w+", folded))


def nearly_same(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(index, index, likeness 0..1) of the pairs of different `texts`, each already `plain`, that are nearly the same.

    A pair has nearly the same letters in the same order, the same figures, and denies neither more nor less. Two texts
    whose cosine is at least `ALIKE` share one of their rarest sequences, so only texts that do are compared:
    the rest of either is too light to reach it. (Bayardo, Ma and Srikant, "Scaling up all pairs similarity search".)
    """
    if len(texts) < 2:  # noqa: PLR2004 - a pair
        return
    rows = _weighted(texts)
    rare = _rarest(rows)
    if not rare.nnz:
        return
    turned = rare.T.tocsr()
    for start, stop in track(list(_blocks(rare)), "comparing texts", unit="block"):
        meets = (rare[start:stop] @ turned).tocoo()
        later = meets.col > meets.row + start
        one, other = meets.row[later] + start, meets.col[later]
        for at in range(0, len(one), 50_000):
            a, b = one[at : at + 50_000], other[at : at + 50_000]
            like = np.asarray(rows[a].multiply(rows[b]).sum(1)).ravel()
            for i in np.flatnonzero(like >= ALIKE).tolist():
                likeness = _letters(texts[a[i]], texts[b[i]])
                if likeness >= _SAME:
                    yield int(a[i]), int(b[i]), likeness


def _weighted(texts: Sequence[str]) -> Any:
    """(texts, sequences) sparse, of length 1 each; the rarest sequence in column 0."""
    import scipy.sparse as sp  # noqa: PLC0415 - slow to import
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415

    hashing = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=_SEQUENCES,
        n_features=_FEATURES,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    )
    found = hashing.transform(texts).tocsc()
    number = np.diff(found.indptr)
    order = np.argsort(number, kind="stable")
    order = order[number[order] > 0]
    rows = found[:, order].tocsr()
    rows.data = 1 + np.log(rows.data)
    rows = rows @ sp.diags((1 + np.log((len(texts) + 1) / (number[order] + 1))).astype(np.float32))
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel())
    rows = (sp.diags((1 / np.maximum(length, 1e-9)).astype(np.float32)) @ rows).tocsr()
    rows.sort_indices()
    return rows


def _rarest(rows: Any) -> Any:
    """Of each text the rarest sequences, without which its length is below `ALIKE`. Values are 1."""
    import scipy.sparse as sp  # noqa: PLC0415 - slow to import

    at = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    sums = np.concatenate([[0.0], np.cumsum(rows.data.astype(np.float64) ** 2)])
    rest = sums[rows.indptr[1:]][at] - sums[:-1]
    kept = rest >= ALIKE**2 - 1e-6
    rare = sp.csr_matrix((np.ones(int(kept.sum()), np.float32), (at[kept], rows.indices[kept])), shape=rows.shape)
    number = np.bincount(rare.indices, minlength=rare.shape[1]).astype(np.int64)
    order = np.argsort(number, kind="stable")
    affordable = order[np.cumsum(number[order] ** 2) <= _MOST_PAIRS]
    useful = np.zeros(rare.shape[1], bool)
    useful[affordable] = True
    useful &= number > 1
    return rare[:, np.flatnonzero(useful)]


def _blocks(rare: Any) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of texts that meet a bounded number of others."""
    number = np.bincount(rare.indices, minlength=rare.shape[1]).astype(np.int64)
    met = np.concatenate([[0], np.cumsum(number[rare.indices])])[rare.indptr]
    start = 0
    while start < rare.shape[0]:
        stop = max(start + 1, int(np.searchsorted(met, met[start] + _PAIRS, side="right")) - 1)
        yield start, stop
        start = stop


def _letters(one: str, other: str) -> float:
    words, others = one.split(), other.split()
    if _figures(words) != _figures(others) or len(_NOT.intersection(words)) != len(_NOT.intersection(others)):
        return 0.0
    if max(len(one), len(other)) > _LONG:
        return SequenceMatcher(None, words, others, autojunk=False).ratio()
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _figures(words: Sequence[str]) -> list[str]:
    return [word for word in words if any(letter.isdigit() for letter in word)]
