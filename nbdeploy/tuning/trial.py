"""One trial as plain data, and which of many are the best: dominated by none, and by a rule of thumb the winner."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

State = Literal["running", "complete", "pruned", "failed", "stopped"]
OBJECTIVES: Mapping[str, int] = {"accuracy": 1, "size": -1, "latency": -1}
"""What can be asked for, and whether more (1) or less (-1) of it is better."""


@dataclass(frozen=True)
class Trial:
    """One way to train that was tried."""

    number: int
    state: State
    params: Mapping[str, Any]
    """Only what is tuned."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Objective -> accuracy 0..1 on the tuning split, size in bytes, latency in ms (p50, one thread)."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What else is known: ``valid_loss latency_ms_original failed_checks ...``."""
    why: str = ""
    """Why it failed, was pruned or stopped."""
    seconds: float = 0.0
    curve: Mapping[int, float] = field(default_factory=dict)
    """Share of the training, in eighths -> accuracy then."""

    @property
    def good(self) -> bool:
        """Whether it came to its end with no failed check."""
        return self.state == "complete" and not self.figures.get("failed_checks")

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """How a trial ended, as what ran it says it; plain enough for a pipe."""

    state: State
    values: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    seconds: float = 0.0
    error: Any = None
    """What no other trial would be spared: (class name, message, hint) of the error that ends the tuning."""


def front(trials: Iterable[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Those that no other beats: as good in every objective and better in one. Best in the first objective first."""
    good = [trial for trial in trials if trial.good and not trial.figures.get("same_as")]
    found = [trial for trial in good if not any(_beats(other, trial, objectives) for other in good)]
    return sorted(found, key=lambda trial: [-_worth(trial, name) for name in objectives])


def winner(trials: Iterable[Trial], objectives: Sequence[str], files: int) -> Trial | None:
    """The trial to train anew; None where none came to its end.

    With one objective the best. With several, of those that no other beats: whose accuracy is within one standard
    error (of `files` pictures) of the best, the one whose other figures multiplied are the least, since a difference
    that small may be chance while bytes and milliseconds are not.
    """
    best = front(trials, objectives)
    if not best or len(objectives) == 1:
        return best[0] if best else None
    top = max(trial.values["accuracy"] for trial in best)
    share = (top * files + 1) / (files + 2)  # all right of ten is not sure either
    error = math.sqrt(share * (1 - share) / max(files, 1))
    near = [trial for trial in best if trial.values["accuracy"] >= top - error]
    others = [name for name in objectives if name != "accuracy"]
    return min(near, key=lambda trial: (sum(math.log(max(trial.values[name], 1e-9)) for name in others), trial.number))


def _worth(trial: Trial, name: str) -> float:
    return OBJECTIVES[name] * trial.values[name]


def _beats(one: Trial, other: Trial, objectives: Sequence[str]) -> bool:
    pairs = [(_worth(one, name), _worth(other, name)) for name in objectives]
    if all(a == b for a, b in pairs):
        return one.number < other.number and len(objectives) == 1
    return all(a >= b for a, b in pairs)
