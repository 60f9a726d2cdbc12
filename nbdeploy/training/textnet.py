"""The network for texts: the mean of what the tokens mean, and a linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TextNet(nn.Module):
    """Ids int64 or int32 [n, length], filled with 0, to scores [n, classes].

    The sum of the vectors of the known tokens is divided by the root of their number: a long text may be surer than a
    short one, but not as many times surer as it is longer.
    """

    def __init__(self, vocabulary: int, classes: int, *, width: int = 64, drop: float = 0.2) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary + 1, width, padding_idx=0)
        nn.init.normal_(self.embed.weight, std=0.1)
        with torch.no_grad():
            self.embed.weight[0] = 0
        self.drop = nn.Dropout(drop)
        self.out = nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores, before softmax."""
        known = (ids > 0).to(torch.float32).sum(1, keepdim=True).clamp_min(1.0)
        scores: Tensor = self.out(self.drop(self.embed(ids).sum(1) / known.sqrt()))
        return scores
