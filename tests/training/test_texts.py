"""Training on texts: own tokens, a plain Learner, and what it reaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nbdeploy as nd
from nbdeploy.templates.python.words import Reader, tokens
from tests.rowdata import WORDS, text_learner

BANKING = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "banking77"


def test_tokens_are_words_pairs_and_parts_with_their_ends_marked() -> None:
    expected = ["<né>", "<2>", "<né> <2>", "<né", "né>", "<2>"]
    assert expected[:5] == list(tokens("Ne\N{COMBINING ACUTE ACCENT} 2", [3], pairs=True))[:5]
    assert ["<straße>"] == list(tokens("Straße", [], pairs=True)) or ["<strasse>"] == list(
        tokens("Straße", [], pairs=True)
    )


def test_unknown_words_are_passed_over_and_long_texts_cut() -> None:
    read = Reader({"length": 3, "parts": [], "pairs": False, "vocabulary": ["<a>", "<b>"]})
    assert [2, 1, 2] == read.encode("b strange a b a").tolist()
    assert [[1, 0, 0]] == read(b"\xef\xbb\xbfA").tolist()
    with pytest.raises(ValueError, match="UTF-8"):
        read(b"\xff")
    with pytest.raises(ValueError, match="empty"):
        read(b" \n")


def test_gives_a_plain_learner_that_tells_the_topics_apart() -> None:
    learn = text_learner()
    assert sorted(WORDS) == list(learn.dls.vocab)
    assert learn.validate()[1] > 0.9


def test_asks_the_same_after_export_and_load(tmp_path: Path) -> None:
    from fastai.learner import load_learner

    learn = text_learner()
    learn.path = tmp_path
    learn.export("texts.pkl")
    program = nd.export(load_learner(tmp_path / "texts.pkl"), images=learn.dls.texts)
    again = nd.export(learn)
    assert np.allclose(program.reference.probabilities, again.reference.probabilities, atol=1e-6)


@pytest.mark.skipif(not BANKING.is_dir(), reason="the banking queries are not beside this checkout")
def test_the_first_twelve_intents_of_banking77_are_told_apart() -> None:
    frames = [pd.read_csv(BANKING / f"{side}.csv").assign(side=side) for side in ("train", "test")]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[frame["category"].isin(sorted(frame["category"].unique())[:12])]
    learn = nd.train(nd.Texts.from_frame(frame, label="category", text="text", split="side"), epochs=8)
    assert learn.validate()[1] > 0.9
