"""Exporting Learners of rows and texts: what fastai's own pipeline answers, the Program answers on raw files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nbdeploy as nd
from nbdeploy.core.inputs import Rows, Words
from nbdeploy.core.signature import Signature
from nbdeploy.errors import BundleError, DataError, ExportError, UnsupportedTransform, UsageError
from nbdeploy.model import as_program
from nbdeploy.templates.python.predict import reader
from tests.rowdata import plants, program_of, sayings


def learner(frame: pd.DataFrame, y: str = "kind", **how: Any) -> Any:
    """A tabular Learner as a user of fastai makes it."""
    from fastai.tabular.all import Categorify, FillMissing, Normalize, TabularDataLoaders, tabular_learner

    how = {"procs": [Categorify, FillMissing, Normalize], "cat_names": ["soil", "wild"], **how}
    dls = TabularDataLoaders.from_df(
        frame, cont_names=["height cm", "leaves"], y_names=y, valid_idx=list(range(0, len(frame), 4)), bs=16, **how
    )
    learn = tabular_learner(dls, layers=[8])
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    return learn


def test_a_users_own_learner_is_exported_with_its_raw_rows_found_again() -> None:
    frame = plants()
    learn = learner(frame)
    program = nd.export(learn)
    with learn.no_bar(), learn.no_logging():
        own = learn.get_preds()[0].numpy()
    assert np.abs(own - program.reference.probabilities).max() < 1e-5
    rows = [json.loads(Path(file.path).read_bytes()) for file in program.reference.held_out]
    heights = [row["height cm"] for row in rows]
    expected = [None if np.isnan(value) else value for value in frame["height cm"].iloc[::4]]
    assert expected == heights


@pytest.mark.parametrize("procs", ["none", "no filling", "categories first"])
def test_other_orders_and_fewer_procs_are_read_off(procs: str) -> None:
    from fastai.tabular.all import Categorify, FillMissing, Normalize

    frame = plants()
    if procs != "categories first":
        frame["height cm"] = frame["height cm"].fillna(5.0)
    chosen = {
        "none": [Categorify],
        "no filling": [Categorify, Normalize],
        "categories first": [Categorify, FillMissing(add_col=False), Normalize],
    }
    program = nd.export(learner(frame, procs=chosen[procs]))
    assert (1, 4) == program.signature.shape


def test_regressions_and_procs_of_ones_own_are_refused() -> None:
    from fastai.tabular.all import Categorify, FillMissing, TabularProc

    class Doubled(TabularProc):  # type: ignore[misc]
        order = 3

        def encodes(self, to: Any) -> None:
            to["leaves"] = to["leaves"] * 2

    with pytest.raises(ExportError, match="predicts an amount"):
        nd.export(learner(plants().assign(y=lambda frame: frame["leaves"] * 1.5), y="y"))
    with pytest.raises(UnsupportedTransform, match="Doubled"):
        nd.export(learner(plants(), procs=[Categorify, FillMissing, Doubled]))


@pytest.mark.parametrize("kind", ["table", "text"])
def test_programs_and_their_signatures_survive_saving(kind: str, tmp_path: Path) -> None:
    program = program_of(kind)
    program.save(tmp_path / "p")
    again = nd.Program.load(tmp_path / "p")
    assert program.signature == again.signature
    assert kind == again.signature.kind
    assert ("row" if kind == "table" else "text") in repr(again)
    assert "does itself" in again._repr_html_()


def test_what_no_column_has_is_answered_and_never_read_past_the_end() -> None:
    run, signature = program_of("table").runner(), program_of("table").signature
    read = reader(signature.to_dict())
    nothing = run(read(b"{}"))
    assert np.isfinite(nothing).all()
    assert np.array_equal(nothing, run(np.array([[np.nan, np.nan, 0, 0]], np.float32)))
    wild = run(np.array([[1e30, -1e30, 9999, -5]], np.float32))
    assert (3,) == wild.shape
    texts = program_of("text")
    assert np.isfinite(texts.runner()(np.full(texts.signature.shape, 2**30, np.int32))).all()


def test_rows_are_read_with_words_for_what_is_wrong() -> None:
    read = reader(program_of("table").signature.to_dict())
    assert [[1.5, 2.0, 0.0, 2.0]] == read(b'{"height cm": "1.5", "leaves": 2, "soil": "never", "wild": true}').tolist()
    for row, why in (
        (b'{"heigth cm": 1}', 'did you mean "height cm"'),
        (b'{"leaves": "many"}', "no number"),
        (b'{"leaves": 1e39}', "too large"),
        (b'{"leaves": [1]}', "single values"),
        (b"[1]", "JSON object"),
        (b"{", "no JSON"),
    ):
        with pytest.raises(ValueError, match=why):
            read(row)


def test_a_signature_whose_parts_do_not_fit_is_refused() -> None:
    raw = program_of("table").signature.to_dict()
    columns = raw["host"]["columns"]
    for broken in (columns[:1], [columns[0], columns[0], *columns[2:]], [{**columns[0], "kind": "date"}, *columns[1:]]):
        with pytest.raises(BundleError):
            Signature.from_dict({**raw, "host": {"columns": broken}})
    assert isinstance(program_of("table").signature.given, Rows)
    assert isinstance(program_of("text").signature.given, Words)


def test_held_out_files_are_found_again_by_content_when_the_cache_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plants().to_csv(tmp_path / "plants.csv", index=False)
    sayings().to_csv(tmp_path / "sayings.csv", index=False)
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "other"))
    for kind, given in (("table", tmp_path / "plants.csv"), ("text", tmp_path / "sayings.csv")):
        program = as_program(program_of(kind), images=given)
        assert all(str(tmp_path) in file.path for file in program.reference.held_out)
        assert all(Path(file.path).is_file() for file in program.reference.held_out)


def test_data_of_another_kind_is_refused() -> None:
    from tests.rowdata import table_learner

    with pytest.raises(UsageError, match="takes an nd.Table"):
        nd.export(table_learner(), images=nd.Texts.from_frame(sayings(), label="topic"))
    with pytest.raises(DataError, match="labels that the model does not know"):
        nd.export(
            table_learner(), images=nd.Table.from_frame(plants().assign(kind=lambda f: f["kind"] + "?"), label="kind")
        )


def test_a_text_learner_of_fastai_is_refused_with_what_to_do() -> None:
    from fastai.text.all import CategoryBlock, ColReader, DataBlock, Learner, TextBlock, WordTokenizer
    from torch import nn

    class Spaces(WordTokenizer):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

        def __call__(self, items: Any) -> Any:
            return (str(item).split() for item in items)

    frame = sayings(6)
    block = DataBlock(
        blocks=(TextBlock.from_df("said", tok=Spaces(), seq_len=8), CategoryBlock),
        get_x=ColReader("text"),
        get_y=ColReader("topic"),
    )
    dls = block.dataloaders(frame, bs=4)
    with pytest.raises(ExportError, match="spaCy"):
        nd.export(Learner(dls, nn.Linear(1, 3), loss_func=nn.CrossEntropyLoss()))
