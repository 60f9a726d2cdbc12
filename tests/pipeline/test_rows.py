"""Pipelines of rows and texts: read, cleaned, known by content, refused by line; and two that are really run."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbdeploy as nd
from nbdeploy.data import frames
from nbdeploy.errors import DataError, PipelineFailed, UnknownName, UsageError
from nbdeploy.pipeline.running import Pipeline
from nbdeploy.pipeline.spec import read_spec
from nbdeploy.training.labelled import OF_ALL
from tests.pipeline.conftest import Project
from tests.rowdata import plants, sayings

ROWS = """\
name: plants
seed: 1
data: {from: plants.csv, label: kind}
train: {epochs: 2}
deploy: {target: onnx}
"""
STEPS = ["data", "clean", "train", "deploy:onnx-fp32"]


@pytest.fixture
def table(tmp_path: Path) -> Project:
    """A pipeline of 60 rows, of which the last stands there twice, on lines 61 and 62."""
    frame = plants(60)
    pd.concat([frame, frame.tail(1)]).to_csv(tmp_path / "plants.csv", index=False)
    made = Project(tmp_path)
    made.text = ROWS
    return made


@pytest.fixture
def texts(tmp_path: Path) -> Project:
    """A pipeline of texts beside numbers, of which the first stands there twice, under another number and label."""
    frame = sayings(12).assign(number=range(36))
    more = frame.head(1).assign(number=99, topic="sea")
    pd.concat([frame, more]).to_csv(tmp_path / "said.csv", index=False)
    made = Project(tmp_path)
    made.text = ROWS.replace("{from: plants.csv, label: kind}", "{from: said.csv, label: topic, text: said}")
    return made


def edit(project: Project, old: str, new: str, name: str = "plants.csv") -> None:
    """Change the data."""
    text = (project.root / name).read_text(encoding="utf-8")
    assert old in text
    (project.root / name).write_text(text.replace(old, new), encoding="utf-8")


def test_a_changed_row_does_everything_again_and_nothing_else_does(table: Project) -> None:
    assert table.run() == STEPS
    assert table.run() == []
    edit(table, "P00007", "P00007x")  # of a column that nothing is learned from
    assert table.run() == ["data"]
    edit(table, "loam", "loamy")
    assert table.pipeline().check().steps["data"].why == "its files changed"
    assert table.run() == STEPS
    table.change("epochs: 2", "epochs: 2, lr: 0.01, batch_size: 8, keep: best")
    assert table.run() == STEPS[2:]
    table.change("label: kind", "label: kind, columns: [leaves, soil]")
    assert table.run() == STEPS


def test_the_sides_are_those_of_a_table_with_the_same_seed_share_and_column(table: Project) -> None:
    table.change("label: kind", "label: kind, valid: 0.4")
    made = nd.Table.from_csv(table.root / "plants.csv", label="kind", valid=0.4, seed=1)
    result = table.pipeline().run(until="data")
    assert result.steps["data"].figures == {
        "files": 61,
        "classes": 3,
        "held_out": len(made.valid),
        "set_aside": 0,
        "noun": "row",
    }
    assert "61 rows, 3 classes; " in str(result)
    frame = plants(60).assign(side=["valid" if at % 5 == 0 else "train" for at in range(60)])
    frame.loc[3, "kind"] = None
    frame.to_csv(table.root / "plants.csv", index=False)
    table.change("valid: 0.4", "split: side")
    figures = table.pipeline().run(until="data").steps["data"].figures
    assert (figures["files"], figures["held_out"], figures["set_aside"]) == (59, 12, 1)


def test_rows_are_left_out_by_the_kind_of_their_findings(table: Project) -> None:
    table.change("seed: 1", "seed: 1\nclean: {exclude: duplicate_row}")
    result = table.pipeline().run(until="clean")
    figures = result.steps["clean"].figures
    assert (figures["files"], figures["left_out"]) == (60, 1)
    assert "1 row left out" in str(result)
    assert table.run(until="train") == ["train"]  # of a set that is made again
    edit(table, "P00007", "P00007x")
    assert table.run(until="train") == ["data", "clean"]  # which is looked through again, and the same is left
    assert table.pipeline().run(until="train").ok


def test_findings_stop_the_run_and_say_where_they_are(table: Project) -> None:
    table.change("seed: 1", "seed: 1\nclean: {fail_on: {duplicate_row: 0.9, constant_column: 0.1}}")
    with pytest.raises(PipelineFailed, match=r"1 undecided duplicate_row of 0\.9 or more, the first .*csv line 62"):
        table.pipeline().run()
    assert "train" not in table.doing.did
    table.change("fail_on: {duplicate_row: 0.9, ", "exclude: [duplicate_row], fail_on: {")
    # place is the same everywhere, but nothing is learned from it.
    assert table.run() == ["clean", "train", "deploy:onnx-fp32"]


def test_equal_texts_are_copies_whatever_stands_beside_them(texts: Project) -> None:
    texts.change("seed: 1", "seed: 1\nclean: {exclude: [exact_duplicate], fail_on: {cross_class_duplicate: 0.9}}")
    with pytest.raises(
        PipelineFailed, match="1 undecided cross_class_duplicate of 0.9 or more, the first .*line 2, said"
    ):
        texts.pipeline().run()
    texts.change(", fail_on: {cross_class_duplicate: 0.9}", "")
    figures = texts.pipeline().run().steps["clean"].figures
    copies = int(sayings(12)["said"].duplicated().sum()) + 1
    assert (figures["noun"], figures["left_out"], figures["files"]) == ("text", copies, 37 - copies)


def test_the_text_files_of_a_folder_are_known_by_their_bytes(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.text = "name: said\nseed: 1\ndata: said\nclean: {exclude: exact_duplicate}\ndeploy: {target: torch}\n"
    for at, (said, topic) in enumerate(sayings(6).itertuples(index=False)):
        file = tmp_path / "said" / str(topic).split()[0] / f"{at}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{at}: {said}")
    assert project.run() == ["data", "clean", "train", "deploy:torch-fp32"]
    (tmp_path / "said" / "notes.md").write_text("mine")
    assert project.run() == []
    copied = tmp_path / "said" / "fruit" / "copy.txt"
    copied.write_text((tmp_path / "said" / "fruit" / "0.txt").read_text())
    assert project.run() == ["data", "clean"]  # the copy is left out again
    assert project.pipeline().run().steps["clean"].figures["left_out"] == 1
    copied.write_text("an olive and a fig")
    assert project.run() == ["data", "clean", "train", "deploy:torch-fp32"]


def test_what_is_not_listed_whole_is_not_left_out_in_part(table: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST", 1)
    table.change("seed: 1", "seed: 1\nclean: {exclude: [duplicate_row]}")
    with pytest.raises(PipelineFailed, match="clean: 1 or more of duplicate_row in plants.csv: not all are listed"):
        table.pipeline().run()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs: 2", "arch: resnet34", "line 4: arch is for pictures, and this is about rows.\nLeave arch out."),
        ("epochs: 2", "lr: find", "line 4: lr: find is for pictures"),
        ("epochs: 2", "label: kind", 'line 4: There is no key of train "label".'),
        ("target: onnx", "target: web", 'line 5: The target "web" takes models of pictures only'),
        ("target: onnx", "target: onnx, recipe: static_int8", 'line 5: The recipe "static_int8" is for models of pict'),
        (", label: kind", "", "line 3: which column of plants.csv is to be predicted?\nType: label: COLUMN"),
        ("label: kind", "label: kind, text: key, columns: [soil]", "line 3: columns is for rows, and this is about te"),
        ("label: kind", "label: kind, text: key, path: key", "line 3: text is for texts, and path: is for pictures."),
        ("label: kind", "label: kind, text: [key, soil]", "line 3: text takes a column, not a list."),
        ("seed: 1", "clean: {decisions: mine.jsonl}", "line 2: decisions are about pictures"),
        ("seed: 1", "clean: {exclude: [exact_duplicate]}", "leaves out no rows.\nEqual rows are duplicate_row."),
        ("seed: 1", "clean: {exclude: leaking_column}", "line 2: leaking_column leaves out no rows.\nName the columns"),
        ("seed: 1", "clean: {exclude: blurred}", "line 2: blurred leaves out no rows.\nKinds whose rows can be left"),
        ("seed: 1", "clean: {fail_on: {exact_duplicate: 1}}", "looked for in rows.\nEqual rows are duplicate_row."),
        ("seed: 1", "clean: {fail_on: {blurred: 0.9}}", "line 2: blurred is not looked for in rows."),
    ],
)
def test_what_does_not_hold_for_rows_is_said_with_its_line(table: Project, old: str, new: str, said: str) -> None:
    table.change(old, new)
    with pytest.raises(UsageError) as caught:
        table.pipeline()
    assert said in str(caught.value)


def test_what_does_not_hold_for_texts_is_said_too(texts: Project, tmp_path: Path) -> None:
    texts.change("seed: 1", "clean: {exclude: duplicate_row}")
    with pytest.raises(UsageError, match="leaves out no texts.\nEqual texts are exact_duplicate"):
        texts.pipeline()
    (tmp_path / "sea").mkdir()
    (tmp_path / "sea" / "one.txt").write_text("a wave")
    with pytest.raises(UsageError, match="label is for a table, and this is a folder"):
        read_spec("data: {from: '.', label: topic}", tmp_path, "pipeline.yaml")


def test_a_table_or_a_column_that_is_not_there_is_said_when_its_turn_comes(table: Project) -> None:
    table.change("label: kind", "label: kid")
    with pytest.raises(PipelineFailed, match='There is no column "kid".\nDid you mean "kind"'):
        table.pipeline().run()
    table.change("plants.csv", "plant.csv")
    with pytest.raises(PipelineFailed, match=r"There is no .*plant\.csv"):
        table.pipeline().run()


def test_the_keywords_that_hold_for_all_are_those_that_rows_and_texts_take() -> None:
    from nbdeploy.training.tables import train_table
    from nbdeploy.training.texts import train_texts

    assert set(inspect.signature(nd.train).parameters) >= OF_ALL
    for train in (train_table, train_texts):
        assert set(list(inspect.signature(train).parameters)[1:]) == OF_ALL - {"log"}


def test_a_set_without_some_of_its_rows_keeps_the_sides_of_the_others() -> None:
    whole = nd.Table.from_frame(plants(30), label="kind")
    left = whole.without({0, 7, 99})
    assert [file for at, file in enumerate(whole.files) if at not in {0, 7}] == list(left.files)
    assert left.without({1}).rows == (*range(2, 7), *range(8, 30))
    assert whole.columns == left.columns
    held = [row for row, file in zip(whole.rows, whole.files, strict=True) if file.split == "valid"]
    with pytest.raises(DataError, match="Nothing is held out"):
        whole.without(set(held))
    moss = {row for row, file in zip(whole.rows, whole.files, strict=True) if file.label != "Moss"}
    with pytest.raises(DataError, match="One class at most is left"):
        whole.without(moss)


def test_a_project_of_rows_is_written_and_really_run(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """From init to a bundle that answers."""
    from nbdeploy import cli

    monkeypatch.chdir(tmp_path)
    (tmp_path / "herbs").mkdir()
    plants().to_csv(tmp_path / "herbs" / "plants.csv", index=False)
    command = ["init", "herbs", "--data", "herbs/plants.csv", "--label", "kind", "--target", "onnx"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "a project for 120 rows of 3 classes." in said
    assert "Not learned from: place, it is the same everywhere." in said
    file = tmp_path / "herbs" / "pipeline.yaml"
    text = file.read_text()
    assert "recipe: [fp32, fp16]" in text
    file.write_text(
        text.replace("[fp32, fp16]", "fp32\n    latency_runs: 0\n    samples: 2").replace("# train:", "train:")
    )
    assert cli.main(["run", "herbs"]) == 0
    assert "held-out rows right; from 4 columns" in capsys.readouterr().out.replace("\xa0", " ")
    assert cli.main(["run", "herbs", "--check"]) == 0
    result = Pipeline.load(file).run()
    bundle = result.bundles["onnx-fp32"]
    assert bundle.report.compared
    assert bundle.predict({"height cm": 25.0, "leaves": 10, "soil": "loam"}).label == "Öl-Baum"
    assert result.steps["train"].figures["learned_from"] == "4 columns"


def test_a_pipeline_of_texts_is_really_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "cache"))
    sayings().to_csv(tmp_path / "said.csv", index=False)
    text = """\
data: {from: said.csv, label: topic, text: said}
clean: {exclude: [exact_duplicate], fail_on: {empty_text: 0.5}}
train: {epochs: 6}
deploy: {target: torch, latency_runs: 0, samples: 2}
gates: {agreement: ">= 99 %"}
"""
    result = Pipeline.parse(text, folder=tmp_path).run(until="train")
    assert result.steps["train"].told.endswith(" words and parts of words")
    shutil.rmtree(tmp_path / "cache" / "rows")  # as on another machine
    result = Pipeline.parse(text, folder=tmp_path).run()
    assert [gate.ok for gate in result.gates] == [True, True]
    assert result.bundles["torch-fp32"].predict("a pear, a plum and a cherry").label == "fruit"
    assert Pipeline.parse(text, folder=tmp_path).check().ok


def test_a_project_of_texts_speaks_of_texts(tmp_path: Path) -> None:
    import nbformat

    sayings().assign(split="train").to_csv(tmp_path / "said.csv", index=False)
    project = nd.init(tmp_path / "new", data=tmp_path / "said.csv", label="topic", text="said", target="torch")
    assert project.data.summary == "90 texts of 3 classes"
    new = tmp_path / "new"
    spec = read_spec((new / "pipeline.yaml").read_text(), new, "pipeline.yaml")
    assert spec.data == {"from": "../said.csv", "label": "topic", "text": "said", "valid": 0.2}
    assert spec.clean == {"exclude": ["exact_duplicate"]}
    book = nbformat.read(new / "new.ipynb", as_version=4)
    nbformat.validate(book)
    cells = [cell.source for cell in book.cells]
    assert 'texts = nd.Texts.from_csv(data, label="topic", text="said")\ntexts' in cells
    assert 'nd.audit(data, label="topic", text="said")' in cells
    for word in ("picture", "images", "%clean"):
        assert word not in "".join(cells) + (new / "README.md").read_text() + (new / "pipeline.yaml").read_text()


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"label": "kid"}, UnknownName, 'There is no column "kid"'),
        ({"text": "key"}, UsageError, "Which column is the label of the texts"),
        ({"label": "kind", "target": "web"}, UsageError, "takes models of pictures only"),
        ({}, UsageError, "(?s)No column of .* names pictures.*name the label: --label COLUMN"),
    ],
)
def test_what_a_project_of_rows_cannot_be_is_said(table: Project, asked: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        nd.init(table.root / "new", data=table.root / "plants.csv", **asked)
    with pytest.raises(UsageError, match="is no table, so it has no columns"):
        nd.init(table.root / "new", data=table.root, label="kind")
    assert not (table.root / "new").exists()
