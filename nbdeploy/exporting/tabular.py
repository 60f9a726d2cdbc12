"""From a tabular Learner of fastai to a module that takes one row: filling, flags and normalising inside the graph."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from nbdeploy.core.inputs import CATEGORY, NUMBER, RowColumn, Rows, row_bytes
from nbdeploy.core.reference import DataFile
from nbdeploy.core.signature import Signature
from nbdeploy.data.kept import KeptFile
from nbdeploy.data.rowset import Table
from nbdeploy.errors import DataError, ExportError, UnsupportedTransform
from nbdeploy.exporting.parts import act_of, activation_for, copied
from nbdeploy.exporting.pipeline import labels_of, name_of
from nbdeploy.exporting.rows import Readied, chosen, given
from nbdeploy.templates.python.rows import as_category

if TYPE_CHECKING:
    import pandas as pd

_REPEATED = ("Categorify", "FillMissing", "Normalize")
_FIGURES = 7
"""Significant figures of a number that fastai keeps as float32."""


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """How a Learner prepares its rows, read off its procs."""

    categories: tuple[str, ...]
    """Columns of the model's first input, in order, the flags among them."""
    numbers: tuple[str, ...]
    """Of its second."""
    classes: Mapping[str, Sequence[Any]]
    """What each code of a category stands for; 0 is missing."""
    fills: Mapping[str, float]
    means: Mapping[str, float]
    deviations: Mapping[str, float]

    @property
    def flags(self) -> dict[str, str]:
        """Column that says whether a number is missing -> that number's column."""
        own = {f"{name}_na": name for name in self.numbers if name in self.fills}
        return {flag: own[flag] for flag in self.categories if flag in own}

    def columns(self, order: Sequence[str]) -> tuple[RowColumn, ...]:
        """What a person gives, in that order."""
        return tuple(
            RowColumn(name=name, kind=NUMBER)
            if name in self.numbers
            else RowColumn(name=name, kind=CATEGORY, categories=self.texts(name))
            for name in order
        )

    def texts(self, name: str) -> tuple[str, ...]:
        """The categories of a column as a person writes them. Raises ExportError where two look the same."""
        texts = tuple(as_category(value) for value in list(self.classes[name])[1:])
        if len(set(texts)) != len(texts):
            raise ExportError(f'Two categories of the column "{name}" look the same.', hint="Rename one of them.")
        return texts


class RowIn(nn.Module):
    """float32 [1, columns] in, probabilities out: filling, flags, normalising, the model and softmax in one module."""

    number_at: Tensor
    category_at: Tensor
    flagged: Tensor
    order: Tensor
    fill: Tensor
    mean: Tensor
    deviation: Tensor
    present: Tensor
    absent: Tensor
    largest: Tensor

    def __init__(self, prepared: Prepared, order: Sequence[str], model: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.model, self.activation = model, activation
        flags = prepared.flags
        plain = [name for name in prepared.categories if name not in flags]
        # The model's order of categories, from the plain ones with the flags behind them.
        places = {name: at for at, name in enumerate([*plain, *flags])}

        def long(values: Sequence[int]) -> Tensor:
            return torch.tensor(list(values), dtype=torch.int64)

        self.register_buffer("number_at", long([order.index(name) for name in prepared.numbers]))
        self.register_buffer("category_at", long([order.index(name) for name in plain]))
        largest = [float(len(prepared.classes[name]) - 1) for name in plain]
        self.register_buffer("largest", torch.tensor(largest, dtype=torch.float32))
        self.register_buffer("flagged", long([prepared.numbers.index(name) for name in flags.values()]))
        self.register_buffer("order", long([places[name] for name in prepared.categories]))
        codes = [_flag_codes(prepared.classes[flag]) for flag in flags]
        self.register_buffer("present", long([code[0] for code in codes]))
        self.register_buffer("absent", long([code[1] for code in codes]))

        def of_numbers(values: Mapping[str, float], otherwise: float) -> Tensor:
            return torch.tensor([values.get(name, otherwise) for name in prepared.numbers], dtype=torch.float32)

        means = of_numbers(prepared.means, 0.0)
        fills = [prepared.fills.get(name, prepared.means.get(name, 0.0)) for name in prepared.numbers]
        self.register_buffer("fill", torch.tensor(fills, dtype=torch.float32))
        self.register_buffer("mean", means)
        self.register_buffer("deviation", of_numbers(prepared.deviations, 1.0))

    def forward(self, row: Tensor) -> Tensor:
        """float32 [1, columns] to float32 [1, classes]."""
        numbers = row.index_select(1, self.number_at)
        missing = numbers != numbers  # noqa: PLR0124 - only NaN differs from itself
        filled = (torch.where(missing, self.fill, numbers) - self.mean) / self.deviation
        given = row.index_select(1, self.category_at)
        # What is no code of the column counts as missing: no caller can make the table of vectors be read past its end.
        fits = (given >= 0) & (given <= self.largest)
        codes = torch.where(fits, given, torch.zeros_like(given)).long()
        if len(self.flagged):
            gone = missing.index_select(1, self.flagged)
            codes = torch.cat([codes, torch.where(gone, self.absent, self.present)], dim=1)
        probabilities: Tensor = self.activation(self.model(codes.index_select(1, self.order), filled))
        return probabilities


def _flag_codes(classes: Sequence[Any]) -> tuple[int, int]:
    """The codes of False and True; what training never saw is 0."""
    at = {str(value): code for code, value in enumerate(classes)}
    return at.get("False", 0), at.get("True", 0)


def ready_table(learn: Any, data: Any, *, activation: nn.Module | None, most: int, seed: int) -> Readied:
    """What a tabular Learner takes and does. Raises ExportError, or UnsupportedTransform for procs of another kind."""
    dls = learn.dls
    prepared = prepared_by(dls)
    labels = labels_of(dls)
    known = {*prepared.numbers, *prepared.categories} - set(prepared.flags)

    def read(path: Path) -> Table:
        kinds = {name: NUMBER if name in prepared.numbers else CATEGORY for name in known}
        return Table.from_csv(path, label=str(dls.y_names[0]), columns=kinds, seed=seed)

    table = given(data, Table, read) or getattr(dls, "table", None)
    if isinstance(table, Table):
        order = [name for name, _ in table.columns if name in known]
        if lacking := sorted(known - set(order)):
            raise DataError(
                f'The table has no column "{lacking[0]}", which the model takes.', hint="Give the same data."
            )
        held_out = [_only(file, order) for file in table.valid]
    else:
        order = [*(name for name in prepared.categories if name in known), *prepared.numbers]
        held_out = _decoded(dls, prepared, order, labels)
    activation = activation or activation_for(learn)
    signature = Signature(
        labels=labels,
        task="table_classification",
        input_name="row",
        given=Rows(columns=prepared.columns(order)),
        graph=(*_words(prepared), "the network", type(activation).__name__.lower()),
    )
    module = RowIn(prepared, order, copied(learn.model), activation)

    def ask(files: Sequence[DataFile]) -> np.ndarray:
        frame = _frame([json.loads(Path(file.path).read_bytes()) for file in files], prepared, order)
        with learn.no_bar(), learn.no_logging():
            outputs = learn.get_preds(dl=dls.test_dl(frame), act=act_of(activation))[0]
        return np.asarray(outputs.detach().cpu().float(), dtype=np.float32)

    return Readied(signature, module, chosen(held_out, labels, most=most, seed=seed), ask)


def prepared_by(dls: Any) -> Prepared:
    """How rows are prepared. Raises ExportError for a regression, UnsupportedTransform for procs of another kind."""
    procs = {name_of(proc).split(" ")[0]: proc for proc in dls.procs.fs}
    if "RegressionSetup" in procs or len(dls.y_names) != 1:
        raise ExportError(
            "This Learner predicts an amount, or several things; nbdeploy deploys classifiers.",
            hint="Train with y_block=CategoryBlock() and one y_names, on classes.",
        )
    for proc in dls.procs.fs:
        if not {kind.__name__ for kind in type(proc).__mro__} & {*_REPEATED, "Categorize"}:
            raise UnsupportedTransform(
                f"The proc {name_of(proc)} cannot be repeated by the deployed model.",
                hint=f"nbdeploy repeats {', '.join(_REPEATED)}; do other changes beforehand, on the table.",
            )
    found = {kind: _of_kind(dls.procs.fs, kind) for kind in _REPEATED}
    categories, numbers = tuple(map(str, dls.cat_names)), tuple(map(str, dls.cont_names))
    if categories and found["Categorify"] is None:
        raise ExportError("This Learner has categories and no Categorify.", hint="Train with procs=[Categorify, ...].")
    fills, normal = getattr(found["FillMissing"], "na_dict", {}), found["Normalize"]
    return Prepared(
        categories,
        numbers,
        {name: list(dls.classes[name]) for name in categories},
        {str(name): float(value) for name, value in fills.items()},
        {str(name): float(value) for name, value in getattr(normal, "means", {}).items()},
        {str(name): float(value) for name, value in getattr(normal, "stds", {}).items()},
    )


def _of_kind(procs: Sequence[Any], kind: str) -> Any:
    return next((proc for proc in procs if kind in {one.__name__ for one in type(proc).__mro__}), None)


def _words(prepared: Prepared) -> list[str]:
    """What the graph does, in words."""
    words = []
    if prepared.numbers:
        words.append("put the usual number where one is missing (NaN)")
    if prepared.flags:
        words.append(f"note whether it was missing, for {', '.join(prepared.flags.values())}")
    if prepared.means:
        words.append("subtract the mean of each number and divide by its deviation")
    if prepared.categories:
        words.append("look up each category")
    return words


def _only(file: KeptFile, order: Sequence[str]) -> KeptFile:
    """The row with those columns alone."""
    row = json.loads(file.content)
    return (
        file if list(row) == list(order) else dataclasses.replace(file, content=row_bytes({n: row[n] for n in order}))
    )


def _decoded(dls: Any, prepared: Prepared, order: Sequence[str], labels: Sequence[str]) -> list[KeptFile]:
    """The held-out rows as they were before the Learner prepared them."""
    frame = dls.valid_ds.items
    flag_of = {name: flag for flag, name in prepared.flags.items()}
    texts = {name: ("", *prepared.texts(name)) for name in order if name not in prepared.numbers}
    answers = [labels[int(code)] for code in frame[dls.y_names[0]]] if len(frame) else []
    files = []
    for at, label in enumerate(answers):
        row: dict[str, Any] = {}
        for name in order:
            value = frame[name].iloc[at]
            if name in texts:
                row[name] = texts[name][int(value)] or None
                continue
            flag = flag_of.get(name)
            gone = flag is not None and int(frame[flag].iloc[at]) == _flag_codes(prepared.classes[flag])[1]
            row[name] = None if gone else _original(float(value), prepared, name)
        files.append(KeptFile(row_bytes(row), ".json", label, "valid"))
    return files


def _original(value: float, prepared: Prepared, name: str) -> float | int | None:
    value = value * prepared.deviations.get(name, 1.0) + prepared.means.get(name, 0.0)
    if not math.isfinite(value):
        return None
    value = float(f"{value:.{_FIGURES - 1}g}")  # what float32 held, without what it added
    return int(value) if value.is_integer() else value


def _frame(rows: Sequence[Mapping[str, Any]], prepared: Prepared, order: Sequence[str]) -> pd.DataFrame:
    """Raw rows as the Learner's own pipeline takes them: categories as the values that it was trained with."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    columns: dict[str, Any] = {}
    for name in order:
        values = [row.get(name) for row in rows]
        if name in prepared.numbers:
            columns[name] = pd.Series(values, dtype=float)
        else:
            known = {as_category(value): value for value in list(prepared.classes[name])[1:]}
            columns[name] = pd.Series([known.get(as_category(value)) for value in values], dtype=object)
    return pd.DataFrame(columns)
