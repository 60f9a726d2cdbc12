"""Texts -> trained fastai Learner: words and parts of words that were seen in training, no download and no spaCy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.losses import LabelSmoothingCrossEntropyFlat
from fastai.metrics import accuracy

from nbdeploy.core.inputs import Words
from nbdeploy.core.progress import step
from nbdeploy.data.textset import Texts
from nbdeploy.templates.python.words import Reader, tokens
from nbdeploy.training.fitting import check, epochs_for, fit
from nbdeploy.training.seeds import seeded
from nbdeploy.training.textnet import TextNet

PARTS = (3, 4)
"""Letters of parts of words."""
MOST_TOKENS = 20_000
MOST_LENGTH = 512
_RATE = 1e-2
_DECAY = 0.1
_STEPS, _MOST_EPOCHS = 800, 20
_FEW = 2_000
"""Texts up to which a token counts that was seen once."""


class Encoded:
    """Texts as the network takes them: pairs of ids int64 [length] and the number of the label."""

    def __init__(self, texts: Sequence[str], labels: Sequence[int], words: Words, vocab: Sequence[str]) -> None:
        self.words, self.vocab = words, list(vocab)
        reader = Reader(words.host())
        self.ids = (
            np.stack([reader.encode(text) for text in texts]) if len(texts) else np.zeros((0, words.length), "i4")
        )
        self.labels = list(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, at: int) -> tuple[np.ndarray, int]:
        return self.ids[at], self.labels[at]

    def new_empty(self) -> Encoded:
        """What ``learn.export`` keeps: no text."""
        return Encoded([], [], self.words, self.vocab)


def batch_of(pairs: Sequence[tuple[np.ndarray, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of some texts, as wide as the longest of them needs, and their labels."""
    ids = np.stack([ids for ids, _ in pairs])
    width = max(1, int((ids > 0).sum(1).max()))
    return torch.from_numpy(ids[:, :width]).long(), torch.tensor([label for _, label in pairs])


def train_texts(
    texts: Texts,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    keep: str = "last",
    seed: int = 42,
    cbs: Iterable[Any] = (),
) -> Learner:
    """Train a classifier of texts: the mean of vectors of words, pairs of words and parts of words.

    The 20,000 most frequent of the training texts are learned. By default batches of 16 to 128, and as many epochs as
    make about 800 steps, from 5 to 20. See `nbdeploy.train` for the rest.
    """
    check(epochs=epochs, lr=lr, batch_size=batch_size)
    count = len(texts.train)
    batch = min(batch_size or min(128, max(16, count // 16)), count)
    with step("reading words"):
        words = vocabulary([file.content.decode() for file in texts.train])
    with seeded(seed):
        dls = dataloaders(texts, words, batch_size=batch)
        net = TextNet(len(words.vocabulary), len(texts.labels))
        learn = Learner(dls, net, loss_func=LabelSmoothingCrossEntropyFlat(), metrics=accuracy)
        many = epochs or epochs_for(count, batch, steps=_STEPS, most=_MOST_EPOCHS)
        fit(learn, epochs=many, rate=lr or _RATE, weight_decay=_DECAY, keep=keep, cbs=cbs)
    return learn


def vocabulary(texts: Sequence[str]) -> Words:
    """The tokens that are learned, the most frequent first, and how many of them of a text are looked at."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(set(tokens(text, PARTS, pairs=True)))
    least = 1 if len(texts) <= _FEW else 2
    ranked = sorted((token for token, times in seen.items() if times >= least), key=lambda token: (-seen[token], token))
    kept = tuple(ranked[:MOST_TOKENS])
    known = set(kept)
    lengths = [sum(token in known for token in tokens(text, PARTS, pairs=True)) for text in texts]
    length = int(np.quantile(lengths, 0.995)) if lengths else 1
    return Words(length=min(MOST_LENGTH, max(16, -(-length // 16) * 16)), vocabulary=kept, parts=PARTS, pairs=True)


def dataloaders(texts: Texts, words: Words, *, batch_size: int) -> DataLoaders:
    """DataLoaders of fastai, whose ``texts`` are those that they were made of; `vocab` is ``texts.labels``."""
    at = {label: number for number, label in enumerate(texts.labels)}
    sides = [
        Encoded([file.content.decode() for file in side], [at[file.label] for file in side], words, texts.labels)
        for side in (texts.train, texts.valid)
    ]
    loaders = [
        DataLoader(side, bs=size, shuffle=training, drop_last=training, num_workers=0, create_batch=batch_of)
        for side, size, training in zip(sides, (batch_size, 2 * batch_size), (True, False), strict=True)
    ]
    dls = DataLoaders(*loaders)
    dls.c, dls.texts = len(texts.labels), texts
    return dls
