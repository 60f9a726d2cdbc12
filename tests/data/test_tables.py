"""Faults planted in tables, in memory and in files; each has to be found, and nothing else."""

from __future__ import annotations

import json
import random
import warnings

import numpy as np
import pandas as pd
import pytest

import nbdeploy as nd
from nbdeploy.cli import main
from nbdeploy.core.finding import KINDS, Place, called
from nbdeploy.data.amounts import isolated
from nbdeploy.errors import DataError, UnknownName, UsageError


def clean(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Two amounts that tell a class of two, a long-tailed amount and a category; no two rows are equal."""
    numbers = np.random.default_rng(seed)
    kind = numbers.choice(["oak", "pine"], rows)
    return pd.DataFrame(
        {
            "height": numbers.normal(20, 1, rows) + 8 * (kind == "pine"),
            "width": numbers.normal(2, 0.1, rows) - 0.6 * (kind == "pine"),
            "price": np.exp(numbers.normal(5, 1.5, rows)),
            "region": numbers.choice(["north", "south", "east"], rows),
            "tree": kind,
        }
    )


@pytest.fixture(scope="module")
def penguins(root):
    path = root.parent / "shared" / "data" / "penguins" / "penguins.csv"
    if not path.is_file():
        pytest.skip(f"penguins.csv is not at {path}")
    return path


def cells(found, kind):
    return {(row.place.row, row.place.column) for row in found.of(kind)}


def test_a_clean_table_is_not_suspected():
    found = nd.audit(clean(), label="tree")
    assert {} == {kind: number for kind, number in found.counts.items() if kind != "label_error"}
    assert 300 == found.files
    assert f"{len(found)} findings in 300 rows" == found.headline


def test_what_stands_in_single_cells_is_found_where_it_stands():
    table = clean().astype(object)
    table.loc[3, "height"] = 200.0
    table.loc[5, "region"] = "North "
    table.loc[7, "region"] = "nroth"
    table.loc[9, "region"] = "sÃ¼d"
    table.loc[11, "width"] = "2.1 m"
    table.loc[13, "width"] = "?"
    table.loc[[15, 17, 19], "price"] = -999
    table.loc[21:25, "height"] = None
    found = nd.audit(table)
    assert {(3, "height")} == cells(found, "value_outlier")
    assert {(5, "region"), (7, "region"), (9, "region")} == cells(found, "suspicious_category")
    assert {(9, "region")} == cells(found, "encoding_damage")
    assert "replace:süd" == found.of("encoding_damage")[0].suggest
    assert ["replace:north"] * 2 == [row.suggest for row in found.of("suspicious_category")][:2]
    (mixed,) = found.of("mixed_types")
    assert ("width", (11,)) == (mixed.place.column, mixed.place.rows)
    assert '"2.1 m"' in mixed.evidence
    missing = {row.place.column: row for row in found.of("missing_values")}
    assert {"width", "price", "height"} == set(missing)
    assert ((13,), (15, 17, 19), (21, 22, 23, 24, 25)) == tuple(
        missing[at].place.rows for at in ("width", "price", "height")
    )
    assert ("missing", "missing", "look") == tuple(missing[at].suggest for at in ("width", "price", "height"))


def test_columns_that_say_nothing_or_too_much_are_found():
    table = clean()
    table["number"] = range(1, 301)
    table["unit"] = "metre"
    table["code"] = table["region"].map({"north": 7, "south": 8, "east": 9})
    table["feet"] = table["height"] * 3.28084 + 1
    table["copy"] = table["price"]
    table["latin"] = table["tree"].map({"oak": "Quercus", "pine": "Pinus"})
    table["nothing"] = np.nan
    found = nd.audit(table, label="tree")
    assert {(None, "number")} == cells(found, "id_column")
    assert {(None, "unit")} == cells(found, "constant_column")
    assert {(None, "code"), (None, "feet"), (None, "copy")} == cells(found, "duplicate_column")
    assert {(None, "latin")} == cells(found, "leaking_column")
    (empty,) = found.of("missing_values")
    assert ("nothing", "drop", 1.0) == (empty.place.column, empty.suggest, empty.score)


def test_equal_rows_are_found_though_a_column_numbers_them_and_over_the_split():
    table = clean()
    table["split"] = ["train"] * 250 + ["test"] * 50
    again = table.iloc[[4, 8]].assign(split=["train", "test"])
    other = table.iloc[[12]].assign(tree="pine" if table.tree[12] == "oak" else "oak")
    table = pd.concat([table, again, other], ignore_index=True)
    table["number"] = range(len(table))
    found = nd.audit(table, label="tree", split="split")
    assert {(300, ""), (301, "")} == cells(found, "duplicate_row")
    assert {(301, "")} == cells(found, "split_leak")
    assert {(12, ""), (302, "")} == cells(found, "cross_class_duplicate")
    assert (8,) == found.of("split_leak")[0].place.rows
    assert "equal but for number to row 8" in found.of("split_leak")[0].evidence


def test_in_a_table_where_rows_repeat_that_is_one_finding():
    numbers = np.random.default_rng(0)
    table = pd.DataFrame({"a": numbers.choice(list("xy"), 500), "b": numbers.choice(list("pqr"), 500)})
    (finding,) = nd.audit(table).of("duplicate_row")
    assert 0.5 > finding.score
    assert "494 of 500 rows" in finding.evidence


def test_a_row_that_is_mostly_empty_is_named_and_its_label_is_not_doubted():
    table = clean()
    table.loc[40, ["height", "width", "price"]] = np.nan
    found = nd.audit(table, label="tree")
    assert (40, "") in cells(found, "missing_values")
    assert 40 not in {row.place.row for row in found.of("label_error")}


def test_wrong_labels_are_ranked_first_and_the_right_one_is_suggested():
    table = clean(600)
    wrong = random.Random(1).sample(range(600), 30)
    right = table["tree"].tolist()
    table.loc[wrong, "tree"] = ["pine" if right[at] == "oak" else "oak" for at in wrong]
    found = nd.audit(table, label="tree")
    errors = found.of("label_error")
    assert 29 <= len({row.place.row for row in errors[:60]} & set(wrong))
    assert all(f"relabel:{right[row.place.row]}" == row.suggest for row in errors[:25])
    assert "expect about" in found.remarks[0]
    assert 600 == len(found.guesses)
    assert errors == nd.audit(table, label="tree").of("label_error")


def test_an_amount_far_from_what_the_other_columns_say_is_a_doubtful_label():
    table = clean(400).drop(columns="tree")
    table["volume"] = table["height"] * table["width"] ** 2 + np.random.default_rng(1).normal(0, 0.3, 400)
    table.loc[9, "volume"] = table["volume"].median() + 5 * table["volume"].std()
    found = nd.audit(table, label="volume")
    assert (9, "volume") in cells(found, "label_error")
    assert 3 >= found.counts["label_error"]
    assert '"volume" is ' in found.of("label_error")[0].evidence


@pytest.mark.parametrize("shape", ["normal", "exponential", "lognormal", "laplace", "uniform"])
def test_a_long_tail_is_no_outlier(shape):
    numbers = np.random.default_rng(3)
    flagged = sum(len(isolated(getattr(numbers, shape)(size=2000))) for _ in range(10))
    assert 4 >= flagged  # of 20,000


def test_two_spellings_that_are_both_common_and_short_codes_are_let_be():
    words = ["male", "female"] * 50 + ["A+", "A-", "B+", "B-"] * 25 + ["zone 1", "zone 2", "zone 3"] * 40
    table = pd.DataFrame({"word": words, "at": np.random.default_rng(0).normal(size=len(words))})
    assert 0 == len(nd.audit(table).of("suspicious_category"))


@pytest.mark.parametrize(
    ("odd", "usual", "how"),
    [
        ("Adelie ", "Adelie", "spaces"),
        ("adelie", "Adelie", "upper and lower case"),
        (" ADELIE", "Adelie", "spaces and upper and lower case"),
        ("Bogota", "Bogotá", "accents"),
        ("Bogota\u0301", "Bogotá", "Unicode form"),
        ("New-York", "New York", "signs between words"),
        ("Adelei", "Adelie", "one letter differs"),
        ("Adlie", "Adelie", "one letter differs"),
        ("Adeelie", "Adelie", "one letter differs"),
        ("Adolie", "Adelie", "one letter differs"),
    ],
)
def test_how_two_spellings_differ_is_said(odd, usual, how):
    table = pd.DataFrame({"word": [odd] + [usual] * 40 + ["other"] * 40, "at": range(81)})
    (finding,) = nd.audit(table).of("suspicious_category")
    assert (0, "word", f"replace:{usual}") == (finding.place.row, finding.place.column, finding.suggest)
    assert how in finding.evidence


def test_dates_written_in_several_ways_and_numbers_as_text_are_mixed_types():
    days = [f"{day:02d}/01/2020" for day in range(1, 29)] * 3
    table = pd.DataFrame(
        {"day": [*days, "01/31/2020", "2020-02-01", "31/02/2020"], "at": [str(at) for at in range(87)]}
    )
    said = " ".join(row.evidence for row in nd.audit(table).of("mixed_types"))
    assert "day first and month first" in said
    assert "a date like 2007-11-30 in 1 of 87 rows" in said
    assert "no day of the calendar in 1 of 87 rows" in said
    assert "numbers stored as text" in said


def test_findings_of_a_table_become_no_edits_and_plain_data_says_where(tmp_path):
    path = tmp_path / "trees.csv"
    table = clean()
    table.loc[5, "region"] = "North"
    pd.concat([table, table[:1]]).to_csv(path, index=False)
    found = nd.audit(path, label="tree")
    assert () == found.edits()
    document = json.loads(json.dumps(found.to_dict()))
    assert ("row", 301) == (document["unit"], document["files"])
    first = document["findings"][0]
    promised = {"path", "kind", "score", "evidence", "related", "suggest"}
    assert promised | {"row", "column", "line", "related_rows"} == set(first)
    assert {str(path)} == {row["path"] for row in document["findings"]}
    (spelt,) = [row for row in document["findings"] if row["kind"] == "suspicious_category"]
    assert (5, "region", 7) == (spelt["row"], spelt["column"], spelt["line"])
    frame = found.to_frame()
    assert ["path", "row", "column", "line", "kind", "score", "evidence", "related", "related_rows", "suggest"] == list(
        frame
    )
    assert len(found) == len(frame)
    assert "trees.csv line 7, region: " in str(found)


def test_a_notebook_shows_the_cells_and_no_text_of_a_table_as_html():
    table = clean()
    table.loc[5, "region"] = "<b>north"
    table = pd.concat([table, table[5:6]], ignore_index=True)
    shown = nd.audit(table)._repr_html_()
    assert "<b>north" not in shown
    assert "&lt;b&gt;north" in shown
    assert called("duplicate_row", "row") in shown
    assert "What stands there" in shown


def test_the_terminal_audits_a_table_with_the_promised_keys(tmp_path, capsys):
    path = tmp_path / "trees.csv"
    table = clean()
    table["latin"] = table["tree"].map({"oak": "Quercus", "pine": "Pinus"})
    table.to_csv(path, index=False)
    assert 0 == main(["audit", str(path), "--label", "tree", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert 300 == document["files"]
    assert "leaking_column" in {row["kind"] for row in document["findings"]}
    assert 0 == main(["audit", str(path), "--label", "tree", "--kind", "leaking_column"])
    assert "1 finding in 300 rows" in capsys.readouterr().out
    assert 2 == main(["audit", str(path), "--label", "tre"])
    assert 'There is no column "tre".\nDid you mean "tree"?' in capsys.readouterr().err


def test_more_findings_than_anybody_reads_are_counted_in_a_remark():
    table = clean(12_000)
    table = pd.concat([table, table[:1500]], ignore_index=True)
    found = nd.audit(table)
    assert 1000 == found.counts["duplicate_row"]
    assert "the first 1,000 are listed" in " ".join(found.remarks)


@pytest.mark.parametrize(
    ("frame", "settings", "error", "said"),
    [
        (pd.DataFrame({"a": []}), {}, DataError, "has no rows"),
        (pd.DataFrame(), {}, DataError, "has no columns"),
        (pd.DataFrame({"species": ["x"]}), {"label": "specie"}, UnknownName, 'Did you mean "species"'),
        (pd.DataFrame({"a": ["x"]}), {"text": "b"}, UnknownName, 'no column "b"'),
        (pd.DataFrame({"a": [1], "b": [None]}), {"label": "b"}, DataError, "holds no label"),
        (pd.DataFrame({"a": [1, 2], "s": ["train", "tarin"]}), {"split": "s"}, DataError, 'has "tarin"'),
        (pd.DataFrame({"a": ["x", "y"]}), {"label": "a", "text": "a"}, UsageError, "three columns"),
        (pd.DataFrame({"a": [1]}), {"label": ["x"]}, UsageError, "name a column"),
        (pd.DataFrame({"a": [1]}), {"learn": object()}, UsageError, "judges pictures"),
        ([1, 2], {}, UsageError, "list cannot be audited"),
    ],
)
def test_what_cannot_be_audited_is_said(frame, settings, error, said):
    with pytest.raises(error, match=said):
        nd.audit(frame, **settings)


def test_odd_values_stop_nothing():
    table = pd.DataFrame(
        {
            "lists": [[1], {"x": 2}, None, (1, [2])],
            "mixed": [1, "1", 1.0, True],
            "gone": [pd.NA, pd.NaT, np.nan, None],
            "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
            "categories": pd.Categorical(["a", None, "b", "a"]),
            "when": pd.to_datetime(["2020-01-01", None, "2021-01-01", "2020-01-01"]),
            "complex": [1j, 2, 3, 4],
            "flags": pd.array([True, None, False, True], dtype="boolean"),
            "bytes": [b"x", b"y", b"z", b"x"],
            "endless": [np.inf, -np.inf, 1, 2],
            "huge": [2**2000, 1, 2, 3],
            "torn": pd.Series(["\ud800x", "b", "c", "d"], ["same"] * 4, dtype=object),  # pyarrow would refuse it
        },
        index=["same"] * 4,
    )
    table.columns = [*table.columns[:-1], "lists"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = nd.audit(table)
    assert {"duplicate_column", "value_outlier", "missing_values", "mixed_types"} <= set(found.counts)
    assert set(found.counts) <= set(KINDS)
    assert json.dumps(found.to_dict())


def test_a_place_is_said_in_words():
    assert "line 5, sex" == str(Place(row=3, column="sex", line=5))
    assert "row 3" == str(Place(row=3))
    assert "" == str(Place())


def test_penguins_are_clean_but_for_missing_values(penguins):
    found = nd.audit(penguins, label="species")
    assert 344 == found.files
    assert {"missing_values"} == {row.kind for row in found if row.kind != "label_error"}
    sex = next(row for row in found if row.place.column == "sex")
    assert "11 of 344 rows have no value (3.2" in sex.evidence
    assert {(3, ""), (271, "")} == {place for place in cells(found, "missing_values") if place[0] is not None}
    assert [5, 273] == sorted(row.place.line for row in found if row.place.line)


def test_flipped_species_of_penguins_are_found_within_twice_their_number(penguins):
    table = pd.read_csv(penguins)
    wrong = set(random.Random(2).sample(range(len(table)), 17))
    kinds = sorted(set(table["species"]))
    flipped = [kinds[(kinds.index(kind) + 1) % 3] if at in wrong else kind for at, kind in enumerate(table["species"])]
    found = nd.audit(table.assign(species=flipped), label="species").of("label_error")
    assert 15 <= len({row.place.row for row in found[:34]} & wrong)
