"""nbdeploy run: what it prints, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbdeploy import cli
from nbdeploy.pipeline import running
from nbdeploy.pipeline.schema import json_schema


@pytest.fixture
def file(project: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a pipeline's file whose work is quick."""
    monkeypatch.setattr(running, "Doing", lambda: project.doing)
    project.pipeline()
    return str(project.root / "pipeline.yaml")


def test_check_run_check_and_their_statuses(file: str, capsys: Any) -> None:
    assert cli.main(["run", file, "--check"]) == 1
    assert cli.main(["run", file, "--dry-run"]) == 0
    assert cli.main(["run", file]) == 0
    assert cli.main(["run", file, "--check"]) == 0
    shown = capsys.readouterr()
    words = " ".join(shown.out.split())
    assert "train would run after clean" in words
    assert "train done 0.0 s 90.0 % of 10 held-out files right; resnet18, 32 px" in words
    assert "provide:tiny not run only with --provide" in words
    assert "train: not done yet\n" in shown.err
    assert "tiny: 6 done, 1 not run, " in shown.out


def test_a_folder_stands_for_the_file_in_it(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.main(["run", str(Path(file).parent), "--until", "data"]) == 0
    monkeypatch.chdir(Path(file).parent)
    assert cli.main(["run", "--check", "--until", "data"]) == 0


def test_json_is_one_document(file: str, capsys: Any) -> None:
    assert cli.main(["run", file, "--json", "--until", "train"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    assert [(step["name"], step["how"]) for step in said["steps"]][2:4] == [
        ("train", "done"),
        ("deploy:onnx-fp32", "not run"),
    ]
    assert said["steps"][2]["figures"]["accuracy"] == 0.9


def test_a_gate_that_does_not_hold_is_status_1_and_words(file: str, project: Any, capsys: Any) -> None:
    project.change("seed: 1", 'seed: 1\ngates: {size_bytes: "< 1 MB"}')
    project.pipeline()
    assert cli.main(["run", file]) == 1
    assert (
        "gate FAILED: deploy:onnx-fp32: size_bytes is 2.00 MB; less than 1.00 MB is wanted." in capsys.readouterr().out
    )
    assert cli.main(["run", file, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["ok"]
    assert {"step": "deploy:onnx-fp32", "ok": False} == {key: said["gates"][0][key] for key in ("step", "ok")}


def test_a_wrong_file_is_status_2_and_a_missing_one_1(file: str, capsys: Any) -> None:
    Path(file).write_text("data: x\nsed: 1\n")
    assert cli.main(["run", file]) == 2
    assert 'pipeline.yaml, line 2: There is no key of a pipeline "sed".' in capsys.readouterr().err
    assert cli.main(["run", "nowhere.yaml"]) == 1
    assert cli.main(["run", file, "--frce", "train"]) == 2


def test_the_schema_is_printed(capsys: Any) -> None:
    assert cli.main(["run", "--schema"]) == 0
    assert json_schema() == json.loads(capsys.readouterr().out)


def test_findings_of_a_high_score_stop_the_run_before_training(file: str, project: Any, capsys: Any) -> None:
    import shutil

    blue = project.root / "pictures" / "blue"
    shutil.copy(blue / "1.png", blue / "copy.png")
    project.change("seed: 1", "seed: 1\nclean: {fail_on: {exact_duplicate: 0.9}}")
    project.pipeline()
    assert cli.main(["run", file]) == 1
    shown = capsys.readouterr().out
    assert "gate FAILED: clean: 1 undecided exact_duplicate of 0.9 or more, the first " in shown
    assert "train not run" in " ".join(shown.split())
    assert "train" not in project.doing.did
    project.change("fail_on: {exact_duplicate: 0.9}", "fail_on: {exact_duplicate: 0.9}, exclude: exact_duplicate")
    project.pipeline()
    assert cli.main(["run", file]) == 0
    assert "1 picture left out" in capsys.readouterr().out


def test_a_person_who_keeps_a_picture_wins_over_the_file(project: Any) -> None:
    import shutil

    import nbdeploy as nd

    blue = project.root / "pictures" / "blue"
    shutil.copy(blue / "1.png", blue / "copy.png")
    project.change("seed: 1", "seed: 1\nclean: {exclude: [exact_duplicate], fail_on: {exact_duplicate: 0.9}}")
    assert project.pipeline().run(until="clean").steps["clean"].figures["left_out"] == 1
    nd.Journal(project.root / "pictures").record([nd.Edit(blue / "1.png", "restore")])
    assert project.pipeline().run(until="clean").steps["clean"].figures == {
        "files": 16,
        "left_out": 0,
        "findings": 0,
        "decisions": 1,
    }


@pytest.mark.parametrize("kind", ["csv", "zip"])
def test_a_table_or_an_archive_is_read_too(project: Any, kind: str) -> None:
    import shutil

    if kind == "zip":
        shutil.make_archive(str(project.root / "pictures"), "zip", project.root, "pictures")
        project.change("from: pictures", "from: pictures.zip")
    else:
        rows = [f"pictures/{file.parent.name}/{file.name},{file.parent.name}" for file in project.root.rglob("*.png")]
        (project.root / "list.csv").write_text("\n".join(["file,what", *rows]))
        project.change("from: pictures", "from: list.csv, path: file, label: what")
    result = project.pipeline().run(until="train")
    assert result.steps["data"].figures == {"files": 15, "classes": 3, "held_out": 3, "set_aside": 0}
    assert project.run(until="train") == []
    project.change("epochs: 1", "epochs: 2")
    assert project.run(until="train") == ["train"]  # of pictures that are read anew
    if kind == "zip":
        shutil.copy(project.root / "pictures" / "red" / "1.png", project.root / "pictures" / "red" / "9.png")
        shutil.make_archive(str(project.root / "pictures"), "zip", project.root, "pictures")
        assert project.run(until="train") == ["data", "clean", "train"]
        assert len(list((project.root / ".nbdeploy" / "tiny" / "unpacked").iterdir())) == 1


def test_the_table_in_a_notebook_says_it_in_words_shapes_and_a_drawing(project: Any) -> None:
    page = project.pipeline().run()._repr_html_()
    assert "✓\xa0everything stands" in page
    assert '<svg class="nbd-graph" role="img" aria-label="data done; clean done; train done;' in page
    assert page.count("<rect") == 7
    assert page.count("<path") == 6
    assert "–\xa0not run" in page
    assert "only with --provide" in page
    project.change("name: tiny", "name: <b>")
    assert "<b>" not in project.pipeline().check()._repr_html_()


def test_the_result_gives_endpoints_bundles_and_the_model(project: Any) -> None:
    result = project.pipeline().run(until="data")
    assert result.bundles == {}
    assert result.endpoints == {}
    with pytest.raises(Exception, match='There is no step that is done "train"'):
        _ = result.model


def test_one_that_is_stopped_says_that_what_was_done_is_kept(
    file: str, project: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(project.doing, "train", stopped)
    assert cli.main(["run", file]) == cli.STOPPED
    assert capsys.readouterr().err.endswith("\nStopped; what was done is kept, and the next run goes on from there.\n")
    monkeypatch.undo()
    assert cli.main(["run", file, "--check", "--until", "clean"]) == 0
