"""Columns as numbers that a model can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.data.columns import Column

if TYPE_CHECKING:
    import pandas as pd

_LEVELS = 40  # of a category, the commonest, that have a feature of their own
_CLIP = 5.0  # spreads: one wild value does not decide
_WORDS, _LETTERS = (1, 2), (3, 4)
_TEXT_AXES = 256
_WORD = r"(?u)\b\w+\b"
_VOCABULARY = 30_000
_LEARNT_FROM = 30_000  # texts, drawn by the seed, whose axes hold for all


def as_amounts(columns: Sequence[Column], frame: pd.DataFrame) -> np.ndarray:
    """(rows, columns) float32 for trees: numbers as they are, categories by how common they are, NaN where missing."""
    made = np.full((len(frame), len(columns)), np.nan, np.float32)
    for at, column in enumerate(columns):
        if column.amounts is not None:
            values = column.numbers
        elif column.kind == "date":
            values = _days(frame[column.name])
        else:
            order = np.argsort(np.argsort(-column.counts, kind="stable"), kind="stable").astype(float)
            values = np.concatenate([np.where(column.disguised, np.nan, order), [np.nan]])[column.codes]
        made[:, at] = np.where(np.isfinite(values), values, np.nan)
    return made


def as_features(columns: Sequence[Column], amounts: np.ndarray) -> np.ndarray:
    """(rows, features) float32 for a linear model: numbers of one spread, one feature a category, one for missing."""
    parts: list[np.ndarray] = []
    for at, column in enumerate(columns):
        if column.amounts is None and column.kind != "date":
            common = np.argsort(-column.counts, kind="stable")[:_LEVELS]
            parts += [(column.codes == level).astype(np.float32) for level in common if not column.disguised[level]]
            continue
        values = amounts[:, at]
        there = np.isfinite(values)
        if not there.any():
            continue
        low, middle, high = np.quantile(values[there], (0.1, 0.5, 0.9))
        spread = (high - low) / 2.56 or values[there].std() or 1.0
        parts.append(np.where(there, np.clip((values - middle) / spread, -_CLIP, _CLIP), 0).astype(np.float32))
        if not there.all():
            parts.append((~there).astype(np.float32))
    rows = len(amounts)
    return np.stack(parts, axis=1) if parts else np.zeros((rows, 0), np.float32)


def text_features(texts: Sequence[str], *, seed: int) -> np.ndarray:
    """(texts, features) float32: words, pairs of words and letter sequences weighted by rarity, on their main axes."""
    import scipy.sparse as sp  # noqa: PLC0415 - slow to import
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    some = np.arange(len(texts))
    if len(texts) > _LEARNT_FROM:
        some = np.sort(np.random.default_rng(seed).choice(len(texts), _LEARNT_FROM, replace=False))
    parts: list[Any] = []
    for analyzer, lengths in (("word", _WORDS), ("char_wb", _LETTERS)):
        words = TfidfVectorizer(
            analyzer=analyzer,
            ngram_range=lengths,
            sublinear_tf=True,
            min_df=2,
            max_features=_VOCABULARY,
            token_pattern=_WORD if analyzer == "word" else None,
            dtype=np.float32,
        )
        try:
            parts.append(words.fit([texts[at] for at in some.tolist()]).transform(texts))
        except ValueError:  # no word stands in two texts
            continue
    if not parts:
        return np.zeros((len(texts), 0), np.float32)
    rows = sp.hstack(parts).tocsr()
    axes = min(_TEXT_AXES, rows.shape[1] - 1, len(some) - 1)
    if axes < 1:
        return np.asarray(rows.toarray(), np.float32)
    return np.asarray(TruncatedSVD(axes, random_state=seed).fit(rows[some]).transform(rows), np.float32)


def _days(values: pd.Series) -> np.ndarray:
    import pandas as pd  # noqa: PLC0415 - slow to import

    when = pd.to_datetime(values, errors="coerce", format="mixed", utc=True)
    return np.asarray((when - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1), float)
