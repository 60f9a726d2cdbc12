"""Trials in words and numbers: what a table, a line and a plot of them say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbdeploy.core.numbers import milliseconds, percent, quantity, size
from nbdeploy.tuning.trial import Trial

UNITS = {"accuracy": percent, "size": size, "latency": milliseconds}
NONE = "–"
_STATES = {"complete": "done"}


def value(name: str, amount: Any) -> str:
    """A parameter's value: 0.0021, yes, resnet18."""
    if isinstance(amount, bool):
        return "yes" if amount else "no"
    if isinstance(amount, float):
        return quantity(amount)
    return NONE if amount is None else f"{amount:,}" if isinstance(amount, int) and name != "size" else str(amount)


def title(name: str) -> str:
    """A parameter's name over a column."""
    return {"lr": "learning rate", "arch": "network", "size": "side"}.get(name, name.replace("_", " "))


def params(trial: Trial, *, leave: Iterable[str] = ()) -> str:
    """``resnet18, learning rate 0.0021, epochs 4``."""
    names = [name for name in trial.params if name not in set(leave)]
    plain = {"arch", "recipe"}
    return ", ".join(
        value(name, trial.params[name]) if name in plain else f"{title(name)} {value(name, trial.params[name])}"
        for name in names
    )


def values(trial: Trial, objectives: Sequence[str]) -> list[str]:
    """Each objective with its unit; of a trial that did not end the last accuracy, in brackets."""
    if trial.values:
        return [UNITS[name](trial.values[name]) for name in objectives]
    last = f"({percent(trial.curve[max(trial.curve)])})" if trial.curve else NONE
    return [last if name == "accuracy" else NONE for name in objectives]


def beside(trial: Trial) -> str:
    """What the trained model itself took, in turns with the deployed one; empty where nothing was timed."""
    before = trial.figures.get("latency_original")
    return f"PyTorch {milliseconds(before)}" if before else ""


def state(trial: Trial) -> str:
    """How it ended, in a word or two."""
    if trial.state == "complete" and (failed := trial.figures.get("failed_checks")):
        return f"check failed: {failed[0]}"
    return _STATES.get(trial.state, trial.state)


def all_values(found: Mapping[str, float]) -> str:
    """``accuracy 97.2 %, size 2.3 MB``."""
    return ", ".join(f"{name} {UNITS[name](amount)}" for name, amount in found.items())


def counted(trials: Sequence[Trial]) -> str:
    """``12 trials: 9 done, 2 pruned, 1 failed``."""
    words = ("complete", "pruned", "failed", "stopped", "running")
    numbers = {word: sum(trial.state == word for trial in trials) for word in words}
    parts = [f"{number} {_STATES.get(word, word)}" for word, number in numbers.items() if number]
    return f"{len(trials)} trial{'' if len(trials) == 1 else 's'}: {', '.join(parts)}" if parts else "no trial yet"
