"""What was decided yesterday holds today, wherever a folder is named; a set is taken as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.cli import main
from nbdeploy.core.finding import Edit
from nbdeploy.core.progress import quiet
from nbdeploy.data.decided import decided, unapplied
from nbdeploy.data.journal import Journal
from nbdeploy.errors import NbdeployWarning
from nbdeploy.options import read_images

MICRO = {"arch": "test_resnet.r160_in1k", "epochs": 1, "pretrained": False, "size": 32, "augment": False}


@pytest.fixture
def folder(make_folder: Any) -> Path:
    """Twelve pictures; one is to be left out and one is a dog."""
    root = make_folder({"cat": 6, "dog": 6})
    cats = [root / "cat" / name for name in ("000.png", "001.png")]
    Journal(root).record([Edit(cats[0], "exclude"), Edit(cats[1], "relabel", "dog")])
    return root


def counts(images: nd.ImageSet) -> dict[str, int]:
    return {label: sum(both) for label, both in images.counts.items()}


RAW, DECIDED = {"cat": 6, "dog": 6}, {"cat": 4, "dog": 7}


def test_a_folder_that_is_named_is_read_with_its_decisions_and_the_line_of_python_does_the_same(folder: Path) -> None:
    images, line = read_images(str(folder), {"seed": 1})
    assert DECIDED == counts(images)
    assert f'nd.ImageSet.from_folder("{folder}", seed=1).apply(nd.Journal("{folder}"))' == line
    assert images.files == eval(line).files
    raw, line = read_images(str(folder), {}, raw=True)
    assert RAW == counts(raw)
    assert f'nd.ImageSet.from_folder("{folder}").apply([])' == line
    assert raw.files == eval(line).files
    assert RAW == counts(nd.ImageSet.from_folder(folder))


def test_a_table_and_an_archive_take_the_decisions_that_lie_beside_them(folder: Path) -> None:
    table = nd.ImageSet.from_folder(folder).export(folder / "all.csv", manifest=True)
    images, line = read_images(str(table), {})
    assert DECIDED == counts(images)
    assert f'nd.ImageSet.from_csv("{table}").apply(nd.Journal("{folder}"))' == line


def test_without_decisions_the_line_says_nothing_of_them(make_folder: Any) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    for raw in (False, True):
        assert f'nd.ImageSet.from_folder("{root}")' == read_images(str(root), {}, raw=raw)[1]
    Journal(root).record([Edit(root / "cat" / "000.png", "exclude")])
    Journal(root).undo()
    assert f'nd.ImageSet.from_folder("{root}")' == read_images(str(root), {})[1]


def test_what_was_applied_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with quiet(on=False):
        decided(nd.ImageSet.from_folder(folder))
    assert "applying your decisions: 0.0 s, 1 left out, 1 relabelled" in capsys.readouterr().err


def test_training_on_a_folder_takes_the_decisions_and_on_a_raw_set_says_that_it_does_not(folder: Path) -> None:
    learn = nd.train(folder, **MICRO)
    assert 11 == len(learn.dls.train_ds) + len(learn.dls.valid_ds)
    images = nd.ImageSet.from_folder(folder)
    with pytest.warns(NbdeployWarning, match=r"2 decisions in .*decisions.jsonl not applied") as caught:
        learn = nd.train(images, **MICRO)
    assert 12 == len(learn.dls.train_ds) + len(learn.dls.valid_ds)
    assert caught[0].filename == __file__
    nd.train(images.apply([]), **MICRO)  # deliberately without, and so without a word
    assert "" == unapplied(images.apply(nd.Journal.beside(images)))
    assert "" == unapplied(nd.ImageSet(images.files))


def test_the_command_trains_with_the_decisions_and_raw_without(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbdeploy.exporting import learner
    from nbdeploy.training import images as training

    seen: list[nd.ImageSet] = []

    def stop(images: nd.ImageSet, **_: Any) -> None:
        seen.append(images)
        raise nd.errors.TrainError("far enough")

    monkeypatch.setattr(training, "train", stop)
    assert learner.export is not None
    for words in ([], ["--raw"]):
        line = ["train", str(folder), "-o", str(tmp_path / "model"), "--arch", MICRO["arch"], "--json", *words]
        assert 1 == main(line)
        assert "far enough" == json.loads(capsys.readouterr().out)["error"]["message"]
    assert [DECIDED, RAW] == [counts(images) for images in seen]


def test_a_journal_that_is_applied_again_is_not_applied_twice(folder: Path) -> None:
    journal = Journal(folder)
    dog = folder / "dog" / "000.png"
    journal.record([Edit(dog, "rotate", "90"), Edit(dog, "rotate", "90")])
    images = nd.ImageSet.from_folder(folder).apply(journal)

    def turn(images: nd.ImageSet) -> int:
        return next(file.turn for file in images if file.path == dog)

    assert 180 == turn(images) == turn(images.apply(Journal(folder)))
    more = images.apply([Edit(dog, "rotate", "90")])
    assert 270 == turn(more) == turn(more.apply(journal))
    journal.undo()
    assert 0 == turn(images.apply(journal))
    assert DECIDED == counts(images.apply(journal))
    journal.undo()
    assert RAW == counts(images.apply(journal))


def test_a_bundle_is_verified_on_the_files_of_its_model_also_where_they_were_left_out_since(
    folder: Path, tmp_path: Path
) -> None:
    learn = nd.train(nd.ImageSet.from_folder(folder).apply([]), **MICRO)
    program = nd.export(learn)
    moved = folder.rename(tmp_path / "moved")
    Journal(moved).record(
        [Edit(Path(file.path), "exclude", sha256=file.sha256) for file in program.reference.held_out[:1]]
    )
    from nbdeploy.model import as_program

    found = as_program(program, images=moved)
    assert {str(moved)} == {str(Path(file.path).parents[1]) for file in found.reference.held_out}
