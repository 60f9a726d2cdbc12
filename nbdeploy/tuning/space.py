"""What may be tuned, and over which values: a list is a choice, a pair a range, a plain value stays as it is."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbdeploy.errors import UnknownName, UsageError

_SIZE_STEP = 32
"""The networks halve the picture five times, so sides are multiples of 32 pixels."""
_KNOBS: Mapping[str, str] = {
    "arch": "choice",
    "size": "side",
    "lr": "rate",
    "epochs": "whole",
    "augment": "choice",
    "batch_size": "scale",
    "flip": "choice",
    "freeze_epochs": "whole",
    "pretrained": "choice",
    "recipe": "choice",
}
"""What is usually tuned, and what a pair of numbers means there: a rate and a scale are drawn on a log scale."""
_OWN = frozenset({"images", "seed", "workers", "cbs", "resume", "log", "metrics", "label", "text"})
"""Keywords of nd.train that a tuning has for itself, gives to every trial, or has no use for."""
_USUAL: Mapping[str, Any] = {"arch": "resnet18", "epochs": 5, "augment": True, "flip": True, "pretrained": True}
_USUAL_RATE = {True: 2e-3, False: 5e-3}
_RATES = {True: (1e-4, 1e-2), False: (1e-3, 3e-2)}
"""Fine-tuning, and from scratch."""
_MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; `step` None: any number between them, else whole numbers."""

    low: float
    high: float
    log: bool = False
    step: int | None = None

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{' (log)' if self.log else ''}"

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or (value - self.low) % self.step == 0


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.values))

    def __contains__(self, value: object) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Space:
    """What is tuned (`open`) and what every trial shares (`fixed`), by the keywords of nd.train, and ``recipe``."""

    open: Mapping[str, Range | Choice]
    fixed: Mapping[str, Any]

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Space:
        """The space that was asked for; what was not named of lr, epochs and augment is tuned over its usual values.

        Raises UnknownName and UsageError.
        """
        known = [*_KNOBS, *(name for name in _of_train() if name not in _KNOBS)]
        for name in asked:
            if name not in known or name in _OWN:
                raise UnknownName("parameter", name, [name for name in known if name not in _OWN])
        given = {name: value for name, value in asked.items() if value is not None}
        scratch = given.get("pretrained", True) in (False, [False])
        usual: dict[str, Any] = {"lr": _RATES[not scratch], "epochs": (2, 8), "augment": [True, False]}
        read = {name: _read(name, value) for name, value in {**usual, **given}.items()}
        read = in_order(read)
        open_ = {name: value for name, value in read.items() if isinstance(value, Range | Choice)}
        if not open_:
            raise UsageError(
                "Every parameter has one value, so there is nothing to tune.",
                hint='Give a list of choices or a pair of ends: arch=["resnet18", "resnet34"], lr=(1e-4, 1e-2).',
            )
        return cls(open_, {name: value for name, value in read.items() if name not in open_})

    def first(self, side: int | None = None) -> dict[str, Any]:
        """What nd.train does when it is told nothing, as far as this space holds it: where a tuning begins."""
        pretrained = bool(self.fixed.get("pretrained", True))
        usual = {**_USUAL, "lr": _USUAL_RATE[pretrained], "batch_size": 64, "freeze_epochs": 1, "size": side}
        return {name: usual[name] for name, values in self.open.items() if name in usual and usual[name] in values}

    def every(self) -> Iterator[dict[str, Any]] | None:
        """Every combination; None where there are too many to count."""
        lists = [_listed(values) for values in self.open.values()]
        counted = [values for values in lists if values is not None]
        if len(counted) < len(lists) or math.prod(map(len, counted)) > _MOST_COUNTED:
            return None
        return (dict(zip(self.open, one, strict=True)) for one in itertools.product(*counted))

    def distributions(self) -> dict[str, Any]:
        """The same in Optuna's words."""
        from optuna.distributions import (  # noqa: PLC0415 - a second
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        def one(values: Range | Choice) -> Any:
            if isinstance(values, Choice):
                return CategoricalDistribution(values.values)
            if values.step is None:
                return FloatDistribution(values.low, values.high, log=values.log)
            return IntDistribution(int(values.low), int(values.high), log=values.log, step=values.step)

        return {name: one(values) for name, values in self.open.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain data: what two tunings of one name have to share."""
        tuned = {
            name: [*values.values] if isinstance(values, Choice) else {"low": values.low, "high": values.high}
            for name, values in self.open.items()
        }
        return {"tuned": tuned, "fixed": {name: str(value) for name, value in self.fixed.items()}}


def in_order(values: Mapping[str, Any]) -> dict[str, Any]:
    """The network first, then what is usually asked about it, then all others."""
    order = {name: place for place, name in enumerate(_KNOBS)}
    return {name: values[name] for name in sorted(values, key=lambda name: order.get(name, len(order)))}


def _of_train() -> list[str]:
    from nbdeploy.training.images import train  # noqa: PLC0415 - only where something is tuned

    return list(inspect.signature(train).parameters)


def _read(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return _choice(name, value)
    if not isinstance(value, tuple):
        return value
    kind = _KNOBS.get(name)
    numbers = [end for end in value if isinstance(end, int | float) and not isinstance(end, bool)]
    if len(value) != 2 or len(numbers) != 2 or kind in {None, "choice"}:  # noqa: PLR2004 - two ends
        raise UsageError(
            f"{name}={value!r} is no range.", hint=f"Choices are a list: {name}={[*value]!r}. A range is (low, high)."
        )
    low, high = numbers
    if not 0 < low < high < math.inf and not (name == "freeze_epochs" and 0 <= low < high):
        raise UsageError(f"{name}={value!r} is no range.", hint="Type the lower end first; both must be above 0.")
    if kind == "rate":
        return Range(float(low), float(high), log=True)
    if int(low) != low or int(high) != high:
        raise UsageError(f"{name}={value!r} is no range.", hint=f"{name} takes whole numbers.")
    if kind == "side":
        high = low + (high - low) // _SIZE_STEP * _SIZE_STEP
        return Range(low, high, step=_SIZE_STEP) if high > low else low
    return Range(low, high, log=kind == "scale", step=1)


def _choice(name: str, values: list[Any]) -> Any:
    if odd := [value for value in values if not isinstance(value, bool | int | float | str | None)]:
        raise UsageError(
            f"{name} cannot be chosen from {type(odd[0]).__name__}s.",
            hint="A choice is a text, a number or True/False.",
        )
    different = list(dict.fromkeys(values))
    if not different:
        raise UsageError(f"{name} has no choices.", hint=f"Leave {name} out, or give a list of values.")
    return Choice(tuple(different)) if len(different) > 1 else different[0]


def _listed(values: Range | Choice) -> list[Any] | None:
    if isinstance(values, Choice):
        return list(values.values)
    return None if values.step is None else list(range(int(values.low), int(values.high) + 1, values.step))
