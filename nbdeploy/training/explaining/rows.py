"""Held-out rows as they were given, and which columns the model goes by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbdeploy.core.look import Html, details, joined, table, tag
from nbdeploy.core.progress import step
from nbdeploy.training import asking
from nbdeploy.training.explaining import Explanation
from nbdeploy.training.explaining.importance import Importance, Measured, measure

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 8
"""Columns of a row in sight, the most important ones; the rest opens."""
_MOST = 80
"""Letters of a value."""
_BATCH = 4096
_FIGURES = 6
"""Significant figures of a number that was normalised and is told back."""


@dataclass(frozen=True, slots=True)
class Row:
    """A held-out row."""

    name: str
    cells: Mapping[str, Any]
    """Column -> number, text or None, the most important column first."""

    def to_dict(self) -> dict[str, Any]:
        """Its cells."""
        return {"cells": dict(self.cells)}

    def html(self) -> Html:
        """``column: value`` pairs."""
        pairs = [(f"{name}:", _shown(value)) for name, value in self.cells.items()]
        rest = pairs[_SHOWN:]
        more = details(f"{len(rest)} more", table(rest, "ht", css="nbd-bare")) if rest else ""
        return tag("div", "nbd-values", joined(table(pairs[:_SHOWN], "ht", css="nbd-bare"), more))

    def told(self) -> str:
        """Nothing: what columns matter is known of the model, not of a row."""
        return ""


class RowExplainer:
    """By permutation importance."""

    noun = "row"

    def __init__(self, learn: Any) -> None:
        self.learn, self.dls = learn, learn.dls

    def labels(self) -> Sequence[str] | None:
        """See `Explainer`."""
        return getattr(self.dls, "vocab", None) if len(self.dls.y_names) == 1 else None

    def explain(self, which: Sequence[int], classes: Sequence[int]) -> Explanation:
        """See `Explainer`; `classes` make no difference."""
        with step("shuffling one column after another"):
            importance = self.importance()
        order = [row.column for row in importance.columns]
        note = "Each row as it was given, its most important columns first."
        return Explanation(tuple(self._given(which, order)), note, importance)

    def importance(self) -> Importance:
        """Of each column that a person gives."""
        dataset = self.dls.valid_ds

        def measured(frame: pd.DataFrame) -> Measured:
            dl = self.dls.valid.new(dataset.new(frame), bs=_BATCH)
            probabilities, truth = asking.answers(self.learn, dl=dl)
            return asking.losses(probabilities, truth), probabilities.argmax(1) == truth

        return measure(dataset.items, self._parts(), measured)

    def _parts(self) -> dict[str, tuple[str, ...]]:
        """Column -> what the model has of it: a number may bring a flag that says whether it was missing."""
        filling = next((proc for proc in self.dls.procs.fs if hasattr(proc, "na_dict")), None)
        flagged = {str(name) for name in getattr(filling, "flagged", getattr(filling, "na_dict", ()))}
        flags = {name: f"{name}_na" for name in flagged if f"{name}_na" in self.dls.cat_names}
        names = [str(name) for name in (*self.dls.cat_names, *self.dls.cont_names)]
        return {name: (name, flags[name]) if name in flags else (name,) for name in names if name not in flags.values()}

    def _given(self, which: Sequence[int], order: Sequence[str]) -> list[Row]:
        items, made_of = self.dls.valid_ds.items.iloc[list(which)], getattr(self.dls, "table", None)
        if made_of is None:  # a tabular_learner of the person's own: told back from what the model takes
            parts, told = self._parts(), self.dls.valid_ds.new(items).decode().items
            return [
                Row(f"row {at}", {name: _told(*(told[part].iloc[place] for part in parts[name])) for name in order})
                for place, at in enumerate(told.index)
            ]
        rows = [(made_of.rows[at], json.loads(made_of.files[at].content)) for at in items.index]
        return [Row(f"row {at}", {name: values[name] for name in order}) for at, values in rows]


def _told(value: Any, gone: Any = False) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if str(gone) == "True" or value != value or value == "#na#":  # noqa: PLR0124 - only NaN differs from itself
        return None
    if isinstance(value, float):  # what float32 held, without what it added
        value = float(f"{value:.{_FIGURES}g}")
        return int(value) if value.is_integer() else value
    return value


def _shown(value: Any) -> str:
    if value is None:
        return tag("span", "nbd-quiet", "missing")
    text = str(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
