"""How a training stands after an epoch: plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """How a training stands after an epoch; epochs of the head alone count too."""

    done: int
    planned: int
    valid_loss: float
    accuracy: float
    """Of the held-out files, 0..1."""
