"""Training on rows: a plain fastai Learner, the same for the same seed, and refusals in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy.errors import UsageError
from nbdeploy.training.tables import train_table
from tests.rowdata import plants, table_learner

PENGUINS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "penguins" / "penguins.csv"


def test_gives_a_plain_learner_whose_vocabulary_is_the_labels() -> None:
    from fastai.tabular.all import Learner

    learn = table_learner()
    assert isinstance(learn, Learner)
    assert ["Fern", "Moss", "Öl-Baum"] == list(learn.dls.vocab)
    assert ["soil", "wild", "height cm_na"] == list(learn.dls.cat_names)


def test_the_same_seed_gives_the_same_weights() -> None:
    table = nd.Table.from_frame(plants(), label="kind")
    one, other = (train_table(table, epochs=1, seed=3).model.state_dict() for _ in range(2))
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)


def test_a_number_that_only_held_out_rows_miss_is_filled_too() -> None:
    frame = plants()
    frame["height cm"] = frame["height cm"].fillna(9.0)
    frame["side"] = ["valid" if at % 4 == 0 else "train" for at in range(len(frame))]
    frame.loc[frame["side"] == "valid", "height cm"] = None
    learn = train_table(nd.Table.from_frame(frame, label="kind", split="side"), epochs=1)
    assert "height cm_na" not in learn.dls.cat_names
    assert len(nd.export(learn).reference.held_out)


def test_what_is_for_pictures_is_refused() -> None:
    with pytest.raises(UsageError, match="arch is for pictures"):
        nd.train(plants(), label="kind", arch="resnet34")
    with pytest.raises(UsageError, match="Which column is the label"):
        nd.train(plants(), text="key")


@pytest.mark.skipif(not PENGUINS.is_file(), reason="the penguins are not beside this checkout")
def test_penguins_are_told_apart_with_the_defaults() -> None:
    learn = nd.train(PENGUINS, label="species")
    assert learn.validate()[1] > 0.93
