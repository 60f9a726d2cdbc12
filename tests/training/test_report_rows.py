"""learn_report() of tables and texts: the same figures, which columns matter, which words spoke for an answer."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nbdeploy as nd
from nbdeploy.cli import main
from nbdeploy.core.numbers import wilson
from nbdeploy.errors import DataError, UsageError
from nbdeploy.training.explaining import importance
from nbdeploy.training.explaining.texts import MOST_WORDS, Text, Word
from tests.rowdata import WORDS, plants, sayings, table_learner, text_learner


@pytest.fixture(scope="module")
def of_rows() -> Any:
    return nd.learn_report(table_learner())


@pytest.fixture(scope="module")
def of_texts() -> Any:
    return nd.learn_report(text_learner())


@pytest.mark.parametrize("made", [table_learner, text_learner])
def test_the_figures_are_those_of_the_learner_on_what_it_holds_out(made: Any) -> None:
    learn = made()
    report = nd.learn_report(learn, top=3)
    probabilities, truth = learn.get_preds()
    truth = truth.reshape(-1)
    right = int((probabilities.argmax(1) == truth).sum())
    assert (len(truth), right) == (report.files, report.right)
    assert wilson(right, len(truth)) == report.accuracy_interval
    own = probabilities[torch.arange(len(truth)), truth.long()]
    assert (-own.sort()[0][:3].log()).tolist() == pytest.approx([miss.loss for miss in report.top_losses], rel=1e-4)
    assert tuple(learn.dls.vocab) == report.labels


@pytest.mark.parametrize("made", [table_learner, text_learner])
def test_the_learner_and_the_random_numbers_are_left_as_they_were(made: Any) -> None:
    learn = made()

    def state() -> tuple[Any, ...]:
        weights = [value.clone() for value in learn.model.state_dict().values()]
        return (
            weights,
            learn.model.training,
            len(learn.recorder.values),
            torch.get_rng_state(),
            np.random.get_state()[1],  # noqa: NPY002 - what fastai draws from
        )

    before = state()
    first, again = nd.learn_report(learn, top=2), nd.learn_report(learn, top=2)
    after = state()
    assert all(map(torch.equal, before[0], after[0]))
    assert before[1:3] == after[1:3]
    assert torch.equal(before[3], after[3])
    assert np.array_equal(before[4], after[4])
    assert first.to_dict() == again.to_dict()


def test_the_columns_that_the_answer_follows_from_come_first(of_rows: Any) -> None:
    found = of_rows.importance
    assert ["height cm", "leaves"] == sorted(row.column for row in found.columns[:2])
    assert {"height cm", "leaves", "soil", "wild"} == {row.column for row in found.columns}
    first = found.columns[0]
    assert first.loss_rise > 3 * first.loss_rise_sd > 0
    assert (of_rows.files, of_rows.accuracy) == (found.rows, found.accuracy)
    assert first.column in str(of_rows)


def test_shuffling_is_what_the_figures_say_it_is() -> None:
    frame = pd.DataFrame({"a": range(40), "b": range(40), "flat": 1})

    def measured(now: pd.DataFrame) -> importance.Measured:
        off = np.abs(now["a"].to_numpy() - now["b"].to_numpy())
        return off.astype(float), off == 0

    both = importance.measure(frame, {"together": ("a", "b"), "a": ("a",), "flat": ("flat",)}, measured)
    assert (0, 1) == (both.loss, both.accuracy)
    rows = {row.column: row for row in both.columns}
    assert 0 == rows["together"].loss_rise == rows["flat"].loss_rise_sd
    # The mean distance of two of n numbers drawn one after the other is (n + 1) / 3, of a permutation (n^2 - 1) / 3n.
    assert (40**2 - 1) / 120 == pytest.approx(rows["a"].loss_rise, abs=3 * rows["a"].loss_rise_sd)
    assert rows["a"].accuracy_drop > 0.8
    assert both == importance.measure(frame, {"together": ("a", "b"), "a": ("a",), "flat": ("flat",)}, measured)


def test_of_very_many_rows_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "MOST_ROWS", 10)
    found = nd.learn_report(table_learner(), top=0).importance
    assert 10 == found.rows
    assert "10 held-out rows" in found.html()


def test_a_row_is_shown_as_it_was_given(of_rows: Any) -> None:
    frame = plants()
    for miss in of_rows.top_losses:
        row = frame.iloc[int(miss.file.removeprefix("row "))]
        assert row["kind"] == miss.label
        height = miss.given.cells["height cm"]
        assert (None if np.isnan(row["height cm"]) else row["height cm"]) == height
        assert [row.column for row in of_rows.importance.columns] == list(miss.given.cells)
    page = of_rows._repr_html_()
    assert "height cm:" in page
    assert "missing" in page
    assert "Grad-CAM" not in page


def test_a_tabular_learner_of_ones_own_is_told_back_from_what_it_takes() -> None:
    from fastai.tabular.all import (
        Categorify,
        CategoryBlock,
        FillMissing,
        Normalize,
        TabularDataLoaders,
        tabular_learner,
    )

    frame = plants()
    dls = TabularDataLoaders.from_df(
        frame,
        procs=[Categorify, FillMissing, Normalize],
        cat_names=["soil"],
        cont_names=["height cm", "leaves"],
        y_names="kind",
        y_block=CategoryBlock(),
        valid_idx=list(range(0, 120, 4)),
        bs=16,
    )
    report = nd.learn_report(tabular_learner(dls, layers=[8]), top=30)
    assert {"soil", "height cm", "leaves"} == {row.column for row in report.importance.columns}
    assert 30 == len(report.top_losses)
    for miss in report.top_losses:
        row = frame.iloc[int(miss.file.removeprefix("row "))]
        height = None if np.isnan(row["height cm"]) else row["height cm"]
        assert {"soil": row["soil"], "height cm": height, "leaves": row["leaves"]} == dict(miss.given.cells)


def test_a_word_spoke_for_what_the_answer_loses_without_it(of_texts: Any) -> None:
    learn, frame = text_learner(), sayings()
    from nbdeploy.training.texts import Encoded

    miss = of_texts.top_losses[0]
    given, answer = miss.given, of_texts.labels.index(miss.answer)
    assert frame["said"].iloc[int(miss.file.removeprefix("row "))] == given.text
    word = max(given.words, key=lambda word: word.change)
    assert given.text[word.start : word.end] in WORDS[miss.answer]
    without = given.text[: word.start] + " " + given.text[word.end :]
    dl = learn.dls.valid.new(Encoded([without], [0], learn.dls.valid_ds.words, learn.dls.vocab))
    assert miss.probability - word.change == pytest.approx(float(learn.get_preds(dl=dl)[0][0, answer]), abs=1e-5)


def test_words_are_marked_by_a_line_and_told_in_numbers(of_texts: Any) -> None:
    text = Text("row 0", "Lost <b>card</b> again", (Word(0, 4, 0.2), Word(8, 12, 0.4), Word(17, 22, -0.1)))
    page = text.html()
    assert "&lt;b&gt;" in page
    assert 2 == page.count('<mark class="nbd-for"')
    assert '<mark class="nbd-against" title="−10.0\N{NO-BREAK SPACE}points">again</mark>' in page
    assert "For the answer: “card” +40.0" in text.told()
    assert "against it: “again” −10.0" in text.told()
    assert "For the answer: “" in unescape(of_texts._repr_html_())
    assert "No word alone" in Text("row 0", "so so", (Word(0, 2, 0.001),)).told()


def test_a_long_text_is_shortened_around_the_word_that_matters_most() -> None:
    text = f"{'far away ' * 100}here {'and on ' * 100}".strip()
    at = text.index("here")
    page = Text("row 0", text, (Word(at, at + 4, 0.5),)).html()
    assert ">here</mark>" in page
    assert page.startswith('<div class="nbd-text"><span class="nbd-quiet">')
    assert len(page) < 800
    assert " more letters</span></div>" in page
    plain = Text("row 0", text, ()).html()
    assert plain.startswith('<div class="nbd-text">far away')


def test_of_a_very_long_text_the_first_words_are_left_out() -> None:
    frame = sayings()
    frame["side"] = ["valid" if at % 5 == 0 else "train" for at in range(len(frame))]
    frame.loc[0, "said"] = "wave " * (MOST_WORDS + 50)
    texts = nd.Texts.from_frame(frame, label="topic", text="said", split="side")
    report = nd.learn_report(nd.train(texts, epochs=1), top=100)
    assert MOST_WORDS == max(len(miss.given.words) for miss in report.top_losses)


def test_both_are_pages_and_plain_data_too(of_rows: Any, of_texts: Any, tmp_path: Any) -> None:
    for report, noun in ((of_rows, "rows"), (of_texts, "texts")):
        text = report.save(tmp_path / f"{noun}.html").read_text(encoding="utf-8")
        assert f"held-out {noun} right" in text
        assert "Confusion" in text
        assert "http" not in text
        data = json.loads(json.dumps(report.to_dict()))
        assert {"file", "label", "answer", "probability", "own", "loss"} < set(data["top_losses"][0])
    assert "Breiman 2001" in of_rows._repr_html_()
    assert {"leaves", "soil"} < set(of_rows.to_dict()["top_losses"][0]["cells"])
    assert {"word", "start", "end", "change"} == set(of_texts.to_dict()["top_losses"][0]["words"][0])
    assert None is of_texts.importance


def test_the_terminal_writes_the_page_too(tmp_path: Any) -> None:
    plants().to_csv(tmp_path / "plants.csv", index=False)
    page, model = tmp_path / "page.html", tmp_path / "model"
    given = ["train", str(tmp_path / "plants.csv"), "--label", "kind", "--epochs", "1", "-o", str(model)]
    assert 0 == main([*given, "--report", str(page)])
    assert "Breiman 2001" in page.read_text(encoding="utf-8")


def test_copies_that_rows_and_texts_have_not_are_refused() -> None:
    with pytest.raises(UsageError, match="tta is for pictures: .* a row has none"):
        nd.learn_report(table_learner(), tta=2)
    with pytest.raises(UsageError, match="a text has none"):
        nd.learn_report(text_learner(), tta=2)


def test_a_learner_that_left_its_data_behind_is_refused(tmp_path: Any) -> None:
    from fastai.learner import load_learner

    for learn in (table_learner(), text_learner()):
        learn.path = tmp_path
        learn.export("learn.pkl")
        with pytest.raises(DataError, match="holds no (row|text) out"):
            nd.learn_report(load_learner(tmp_path / "learn.pkl"))


def test_a_learner_of_amounts_is_refused() -> None:
    from fastai.tabular.all import Categorify, TabularDataLoaders, tabular_learner

    frame = plants()
    dls = TabularDataLoaders.from_df(
        frame, procs=[Categorify], cat_names=["soil"], cont_names=["leaves"], y_names="leaves", bs=16
    )
    with pytest.raises(UsageError, match="no classifier"):
        nd.learn_report(tabular_learner(dls, layers=[8]))
