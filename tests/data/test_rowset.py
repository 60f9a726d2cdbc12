"""nd.Table: what its columns are found to hold, how it is split, and what its rows look like as files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import nbdeploy as nd
from nbdeploy.errors import DataError, UnknownName, UsageError
from tests.rowdata import plants

PENGUINS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "penguins" / "penguins.csv"


def test_columns_are_found_out_and_useless_ones_left_out_with_the_reason() -> None:
    table = nd.Table.from_frame(plants(), label="kind")
    expected = (("height cm", "number"), ("leaves", "number"), ("soil", "category"), ("wild", "category"))
    assert expected == table.columns
    assert {"key", "place"} == {name for name, _ in table.left_out}
    assert "the same everywhere" in dict(table.left_out)["place"]


def test_columns_can_be_chosen_as_a_list_or_with_kinds() -> None:
    assert (("soil", "category"),) == nd.Table.from_frame(plants(), label="kind", columns=["soil"]).columns
    chosen = nd.Table.from_frame(plants(), label="kind", columns={"leaves": "category"})
    assert (("leaves", "category"),) == chosen.columns
    with pytest.raises(DataError, match="holds no numbers"):
        nd.Table.from_frame(plants(), label="kind", columns={"soil": "number"})
    with pytest.raises(UnknownName, match="Did you mean"):
        nd.Table.from_frame(plants(), label="kind", columns=["soill"])
    with pytest.raises(UsageError, match="label"):
        nd.Table.from_frame(plants(), label="kind", columns=["kind", "soil"])


def test_a_row_is_a_json_file_with_the_columns_in_order_and_null_where_nothing_is() -> None:
    frame = plants()
    table = nd.Table.from_frame(frame, label="kind")
    at = int(frame["height cm"].isna().to_numpy().argmax())
    row = json.loads(table.files[at].path.read_bytes())
    assert ["height cm", "leaves", "soil", "wild"] == list(row)
    assert row["height cm"] is None
    assert row["wild"] in {"True", "False"}


def test_the_split_is_seeded_stratified_and_keeps_equal_rows_together() -> None:
    frame = pd.concat([plants(60), plants(60)], ignore_index=True)
    one, other = (nd.Table.from_frame(frame, label="kind", seed=seed) for seed in (1, 1))
    assert [file.split for file in one] == [file.split for file in other]
    assert one.fingerprint == nd.Table.from_frame(frame[::-1], label="kind", seed=2).fingerprint
    sides = {file.sha256: set() for file in one}
    for file in one:
        sides[file.sha256].add(file.split)
    assert {1} == {len(both) for both in sides.values()}
    assert all(train and valid for train, valid in one.counts.values())


def test_a_column_can_decide_the_split() -> None:
    frame = plants().assign(side=["valid" if at % 4 == 0 else "train" for at in range(120)])
    table = nd.Table.from_frame(frame, label="kind", split="side")
    assert 30 == len(table.valid)
    assert table.seed is None
    assert "side" not in dict(table.columns)


def test_amounts_and_single_classes_are_refused_as_labels() -> None:
    with pytest.raises(DataError, match="amounts"):
        nd.Table.from_frame(plants(), label="height cm")
    with pytest.raises(DataError, match="one class"):
        nd.Table.from_frame(plants(), label="place")
    with pytest.raises(UnknownName, match="kind"):
        nd.Table.from_frame(plants(), label="kin")


def test_rows_without_a_label_are_passed_over_and_counted(tmp_path: Path) -> None:
    frame = plants()
    frame.loc[:4, "kind"] = None
    frame.to_csv(tmp_path / "plants.csv", sep=";", index=False)
    table = nd.Table.from_csv(tmp_path / "plants.csv", label="kind")
    assert 115 == len(table)
    assert (("without a label", 5),) == table.skipped
    assert "5 without a label left out" in repr(table)
    assert "Not learned from: key" in table._repr_html_()


def test_a_file_of_the_cache_that_was_changed_is_written_again() -> None:
    file = nd.Table.from_frame(plants(), label="kind").files[0]
    file.path.write_bytes(b"{}")
    assert file.content == file.path.read_bytes()
    assert [] == list(file.path.parent.glob("*.part"))


@pytest.mark.skipif(not PENGUINS.is_file(), reason="the penguins are not beside this checkout")
def test_the_penguins_are_read_as_they_are() -> None:
    table = nd.Table.from_csv(PENGUINS, label="species")
    assert 344 == len(table)
    assert {"island": "category", "sex": "category", "year": "number"}.items() <= dict(table.columns).items()
