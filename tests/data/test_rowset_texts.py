"""nd.Texts: found columns, folders, splits, and texts as files."""

from __future__ import annotations

from pathlib import Path

import pytest

import nbdeploy as nd
from nbdeploy.errors import DataError, UsageError
from tests.rowdata import WORDS, sayings


def test_the_column_of_texts_is_found_where_there_is_one_only() -> None:
    texts = nd.Texts.from_frame(sayings(), label="topic")
    assert sorted(WORDS) == list(texts.labels)
    assert texts.files[0].path.read_text(encoding="utf-8") == sayings()["said"][0]
    frame = sayings().assign(also=lambda frame: frame["said"] + " indeed, and more of it")
    with pytest.raises(DataError, match="said, also hold texts"):
        nd.Texts.from_frame(frame, label="topic")
    assert len(frame) == len(nd.Texts.from_frame(frame, label="topic", text="also"))


def test_empty_texts_are_passed_over() -> None:
    frame = sayings()
    frame.loc[0, "said"] = "  "
    assert (("empty", 1),) == nd.Texts.from_frame(frame, label="topic", text="said").skipped


def test_a_folder_of_texts_has_its_labels_as_folders(tmp_path: Path) -> None:
    for at, (said, topic) in enumerate(sayings(8).itertuples(index=False)):
        (tmp_path / topic).mkdir(exist_ok=True)
        (tmp_path / topic / f"{at}.txt").write_text(said, encoding="utf-8")
    texts = nd.Texts.from_folder(tmp_path)
    assert sorted(WORDS) == list(texts.labels)
    assert 24 == len(texts)
    assert ["text", "label", "is_valid"] == list(texts.to_frame().columns)


def test_the_label_cannot_be_the_text() -> None:
    with pytest.raises(UsageError, match="three columns"):
        nd.Texts.from_frame(sayings(), label="topic", text="topic")
