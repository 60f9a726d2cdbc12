"""Grad-CAM: which part of a picture an answer came from (R. R. Selvaraju and others, 2017).

The last map of features that still has places is weighed by how much each of its channels moves the answer. Networks
that turn a picture into tokens (ViT, Swin) have no such map, and it is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

NO_MAP = "This network ends in tokens, not in a convolutional map of features, so there is no Grad-CAM picture."


@dataclass(frozen=True, slots=True)
class Heat:
    """Heat of some pictures."""

    maps: np.ndarray
    """float32 [pictures, height, width], 0..1, as large as what the network saw."""
    fields: tuple[int, int]
    """Rows and columns of the map of features itself: what is finer was interpolated."""


@dataclass
class _Seen:
    """What ran, in order."""

    conv: Tensor | None = None
    last: Tensor | None = None
    tokens: bool = False
    """Whether rows of tokens came after the last convolution with places."""
    hooks: list[Any] = field(default_factory=list)


def grad_cam(model: nn.Module, pictures: Tensor, classes: Sequence[int]) -> Heat | None:
    """Where in `pictures` (float NCHW, as the model takes them) the score of each one's class comes from.

    None where the network has no map of features (see `NO_MAP`). The model is left as it was.
    """
    was_training = model.training
    pixels = pictures.detach().as_subclass(Tensor).clone().requires_grad_()
    try:
        with torch.enable_grad(), _watched(model.eval()) as seen:
            scores = model(pixels)
            found = _map_of(seen)
            if found is None:
                return None
            wanted = scores[torch.arange(len(classes)), torch.tensor(list(classes), device=scores.device)].sum()
            (gradient,) = torch.autograd.grad(wanted, found, allow_unused=True)
    finally:
        model.train(was_training)
    if gradient is None:
        return None
    weights = gradient.mean((2, 3), keepdim=True)
    heat = F.relu((weights * found.detach()).sum(1, keepdim=True)).float()
    heat = heat / heat.amax((2, 3), keepdim=True).clamp_min(1e-12)
    fine = F.interpolate(heat, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
    return Heat(fine[:, 0].cpu().numpy(), (int(found.shape[2]), int(found.shape[3])))


@contextmanager
def _watched(model: nn.Module) -> Iterator[_Seen]:
    seen = _Seen()

    def note(part: nn.Module, _: Any, out: Any) -> None:
        if not isinstance(out, Tensor):
            return
        places = out.dim() == 4 and min(out.shape[-2:]) > 1  # noqa: PLR2004 - NCHW
        if places and isinstance(part, nn.Conv2d):
            seen.conv, seen.tokens = out, False
        if places:
            seen.last = out
        elif out.dim() == 3 and seen.conv is not None:  # noqa: PLR2004 - pictures, tokens, channels
            seen.tokens = True

    hooks = [part.register_forward_hook(note) for part in model.modules()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _map_of(seen: _Seen) -> Tensor | None:
    """The last map, where it is one of the last convolution's places; channels last (Swin) is not."""
    if seen.conv is None or seen.last is None or seen.tokens:
        return None
    return seen.last if seen.last.shape[-2:] == seen.conv.shape[-2:] else None
