"""How a training stands after an epoch: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbdeploy.training.seeds import seeded


@dataclass(frozen=True, slots=True)
class Epoch:
    """How a training stands after an epoch; epochs of the head alone count too."""

    done: int
    planned: int
    valid_loss: float
    accuracy: float
    """Of the held-out files, 0..1."""


def last_figures(learn: Any) -> dict[str, float]:
    """``train_loss valid_loss accuracy ...`` after the last epoch of a Learner, as its Recorder has them."""
    recorder = learn.recorder
    return dict(zip(recorder.metric_names[1:], map(float, recorder.values[-1]), strict=False))


def validated(learn: Any) -> dict[str, float]:
    """``valid_loss accuracy ...`` of a Learner as it is now, on its held-out files."""
    recorder = learn.recorder
    before = {**vars(recorder), "values": list(recorder.values)}
    with seeded(0), learn.no_bar(), learn.no_logging():
        found = list(learn.validate())
    vars(recorder).update(before, values=type(recorder.values)(before["values"]))  # it counts it among the epochs
    return dict(zip(("valid_loss", *(metric.name for metric in learn.metrics)), map(float, found), strict=False))
