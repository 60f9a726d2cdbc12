"""What changed is done again, with what comes after it, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import nbdeploy as nd
from nbdeploy.errors import NbdeployWarning, OutputError, PipelineFailed, UnknownName, UsageError
from nbdeploy.pipeline.hashes import Hashes
from tests.pipeline.conftest import ALL

BUNDLES = ALL[3:]


@pytest.fixture
def done(project: Any) -> Any:
    assert project.run() == ALL
    return project


def test_a_second_run_does_nothing_and_loads_no_torch(done: Any) -> None:
    assert done.run() == []
    assert done.doing.did == []
    result = done.pipeline().run()
    assert {row.how for row in result.rows} == {"up to date", "not run"}
    assert result.steps["train"].figures["accuracy"] == 0.9


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("seed: 1", "seed: 2", ALL),
        ("epochs: 1", "epochs: 2", ALL[2:]),
        ("resnet18", "resnet34", ALL[2:]),
        ("[fp32, fp16]", "[fp32, dynamic_int8]", ["deploy:onnx-dynamic_int8"]),
        ("{target: cloud", "{target: cloud, samples: 3", ["deploy:cloud-fp32"]),
        ("from: pictures", "from: pictures, valid: 0.4", ALL),
        ("seed: 1", "seed: 1\ngates: {accuracy: '> .5'}", []),
        ("seed: 1", "# a remark\nseed: 1", []),
        ("name: tiny", "name: 'tiny'", []),
    ],
)
def test_a_changed_setting_does_its_step_and_those_after_it(done: Any, old: str, new: str, again: list[str]) -> None:
    done.change(old, new)
    assert done.run() == again
    assert done.run() == []


def test_a_changed_file_does_everything_again(done: Any) -> None:
    shutil.copy(done.root / "pictures" / "blue" / "1.png", done.root / "pictures" / "blue" / "9.png")
    seen = done.pipeline().check()
    assert seen.steps["data"].why == "its files changed: 15, now 16"
    assert done.run() == ALL


def test_a_file_that_is_no_picture_changes_nothing(done: Any) -> None:
    (done.root / "pictures" / "notes.txt").write_text("mine")
    assert done.run() == []


def test_an_edit_that_keeps_the_size_and_sets_the_time_back_is_noticed(done: Any) -> None:
    import os

    file = done.root / "pictures" / "blue" / "1.png"
    about, data = file.stat(), bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert done.pipeline().check().steps["data"].how == "would run"


def test_a_decision_does_all_but_the_data(done: Any) -> None:
    journal = nd.Journal(done.root / "pictures")
    journal.record([nd.Edit(done.root / "pictures" / "blue" / "1.png", "exclude")])
    result = done.pipeline().run()
    assert [name for name, row in result.steps.items() if row.how == "done"] == ALL[1:]
    assert result.steps["clean"].figures == {"files": 14, "left_out": 1, "findings": 0, "decisions": 1}
    journal.undo()
    assert done.run() == ALL[1:]


def test_a_decision_that_changes_no_picture_trains_nothing(done: Any) -> None:
    picture = done.root / "pictures" / "blue" / "1.png"
    nd.Journal(done.root / "pictures").record([nd.Edit(picture, "restore")])
    assert done.run() == ["clean"]


def test_decisions_can_be_left_out_and_named(done: Any) -> None:
    journal = nd.Journal(done.root / "mine.jsonl")
    journal.record([nd.Edit(done.root / "pictures" / "blue" / "1.png", "exclude")])
    done.change("seed: 1", "seed: 1\nclean: {decisions: mine.jsonl}")
    assert done.run() == ALL[1:]
    assert done.pipeline().run().steps["clean"].figures["left_out"] == 1
    done.change("mine.jsonl", "false")
    assert done.pipeline().run().steps["clean"].figures["left_out"] == 0
    done.change("decisions: false", "decisions: gone.jsonl")
    with pytest.raises(PipelineFailed, match=r"clean: There is no .*gone\.jsonl"):
        done.pipeline().run()


@pytest.mark.parametrize("damage", ["edited", "removed", "all removed"])
def test_a_result_that_was_damaged_is_noticed_and_made_again(done: Any, damage: str) -> None:
    file = done.root / "build" / "tiny-onnx-fp32" / "file"
    before = file.read_text()
    if damage == "edited":
        file.write_text(before.replace("fp32", "fp16"))
    elif damage == "removed":
        file.unlink()
    else:
        shutil.rmtree(file.parent)
    seen = done.pipeline().check()
    assert not seen.ok
    assert seen.steps["deploy:onnx-fp32"].why.startswith("build/tiny-onnx-fp32/file is ")
    assert done.run() == ["deploy:onnx-fp32"]
    assert file.read_text() == before


def test_a_damaged_model_is_trained_again_and_what_hangs_on_it_looks_anew(done: Any) -> None:
    (done.root / "build" / "tiny-model" / "file").write_text("other")
    # The same bytes come out again, so the bundles made of them still stand.
    assert done.run() == ["train"]


def test_another_version_of_a_tool_that_matters_does_its_steps_again(done: Any, monkeypatch: Any) -> None:
    from nbdeploy.pipeline import keys

    known = keys._version
    monkeypatch.setattr(keys, "_version", lambda name: "99" if name == "onnxruntime" else known(name))
    seen = done.pipeline().check()
    assert [name for name, row in seen.steps.items() if row.how == "would run"] == BUNDLES
    assert "onnxruntime" in seen.steps["deploy:onnx-fp32"].why
    assert "now 99" in seen.steps["deploy:onnx-fp32"].why


def test_force_does_a_step_again_and_those_after_it_where_something_else_comes_out(done: Any) -> None:
    assert done.run(force="train") == ["train"]
    assert done.run(force=["deploy"]) == BUNDLES
    with pytest.raises(UnknownName, match='There is no step "trian"'):
        done.run(force="trian")
    with pytest.raises(UsageError, match='"deploy:cloud-fp32" is to be done again, but comes after "train"'):
        done.run(force="deploy", until="train")


def test_a_training_that_a_person_stopped_is_not_taken_for_the_whole(project: Any, monkeypatch: Any) -> None:
    from types import SimpleNamespace

    from nbdeploy.pipeline.doing import Doing
    from nbdeploy.training import images

    asked: list[Any] = []

    def train(images: Any, *, epochs: int, arch: str, seed: int, resume: bool = False) -> Any:
        asked.append((len(images), arch, epochs, seed, resume))
        return SimpleNamespace(history={"stopped": 1, "epochs": [{}]})

    monkeypatch.setattr(images, "train", train)
    monkeypatch.setattr(project.doing, "train", Doing().train)
    with pytest.raises(KeyboardInterrupt):
        project.run()
    assert asked == [(15, "resnet18", 1, 1, True)]
    monkeypatch.undo()
    assert project.run() == ALL[2:]


def test_until_does_a_step_with_what_it_needs_and_no_more(project: Any) -> None:
    assert project.run(until="train") == ALL[:3]
    assert project.run(until="onnx-fp16") == ["deploy:onnx-fp16"]
    result = project.pipeline().run(until="onnx-fp16")
    assert result.ok
    assert result.steps["deploy:onnx-fp32"].why == "not asked for"


def test_check_says_why_and_changes_nothing(project: Any) -> None:
    seen = project.pipeline().check()
    assert not seen.ok
    assert [row.why for row in seen.rows][:3] == ["not done yet", "after data", "after clean"]
    assert {path.name for path in project.root.iterdir()} == {"pictures", "pipeline.yaml"}
    project.run()
    pipeline = project.pipeline()
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    assert pipeline.check().ok
    assert before == {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}


def test_a_moved_project_is_up_to_date(done: Any, tmp_path_factory: Any) -> None:
    """As in CI, where the same files lie elsewhere and with other times."""
    from tests.pipeline.conftest import Project

    there = tmp_path_factory.mktemp("ci") / "checkout"
    shutil.copytree(done.root, there, copy_function=shutil.copyfile)
    assert Project(there).run() == []


def test_a_step_that_fails_keeps_what_was_done_and_stops_only_what_needs_it(project: Any, monkeypatch: Any) -> None:
    make = project.doing.deploy

    def deploy(one: Any, spec: Any, images: Any) -> Any:
        if one.recipe == "fp16":
            raise nd.errors.ConversionError("no such operator")
        return make(one, spec, images)

    monkeypatch.setattr(project.doing, "deploy", deploy)
    with pytest.raises(PipelineFailed, match="deploy:onnx-fp16: no such operator") as caught:
        project.pipeline().run()
    hows = {name: str(row.how) for name, row in caught.value.result.steps.items()}
    assert hows["deploy:onnx-fp16"] == "failed"
    assert hows["deploy:cloud-fp32"] == "done"
    monkeypatch.undo()
    assert project.run() == ["deploy:onnx-fp16"]


def test_a_gate_that_does_not_hold_fails_and_nothing_is_put_at_a_provider(project: Any) -> None:
    project.change("seed: 1", 'seed: 1\ngates: {accuracy: ">= 95 %", latency_ms: "< 10 ms"}')
    with pytest.raises(PipelineFailed, match=r"accuracy is 90\.0.%; at least 95\.0.% is wanted") as caught:
        project.pipeline().run(provide=True)
    result = caught.value.result
    assert result.steps["provide:tiny"].how == "not run"
    assert {gate.ok for gate in result.gates} == {False}
    assert "latency_ms was not measured; less than 10.0" in str(result).replace("\xa0", " ")
    project.doing.metrics |= {"latency_ms_p50": 3.0}
    project.change("95 %", "0.85")
    assert project.run(force="deploy", provide=True) == [*BUNDLES, "provide:tiny"]


def test_a_bundle_is_put_at_its_provider_only_when_that_is_asked_for(done: Any) -> None:
    assert done.doing.ends == {}
    assert done.pipeline().run().steps["provide:tiny"].why == "only with --provide"
    assert done.run(until="provide:tiny") == []
    assert done.run(provide=True) == ["provide:tiny"]
    assert done.run(provide=True) == []
    done.change("{target: cloud", "{target: cloud, samples: 3, version: 2.10")
    assert done.run() == ["deploy:cloud-fp32"]
    done.doing.ends["tiny"] = "somebody else's"
    assert done.pipeline().check(provide=True).steps["provide:tiny"].how == "would run"
    assert done.run(provide=True) == ["provide:tiny"]


def test_an_endpoint_of_somebody_else_is_not_replaced(done: Any) -> None:
    done.doing.ends["tiny"] = "somebody else's"
    with pytest.raises(OutputError, match="There is an endpoint tiny already, and this pipeline did not make it"):
        done.run(provide=True)
    assert done.doing.ends["tiny"] == "somebody else's"
    assert done.run(provide=True, overwrite=True) == ["provide:tiny"]


def test_a_folder_that_it_did_not_make_is_not_replaced(project: Any) -> None:
    mine = project.root / "build" / "tiny-onnx-fp16" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    told = r"tiny-onnx-fp16 is there already, and this pipeline did not make it"
    with pytest.raises(OutputError, match=told):
        project.run()
    assert project.doing.did == []  # it is said before minutes of training
    assert mine.read_text() == "mine"
    assert project.run(until="train") == ALL[:3]
    assert re.search(told, project.pipeline().check().steps["deploy:onnx-fp16"].why)


def test_two_runs_at_once_are_one_too_many(done: Any) -> None:
    folder = done.root / ".nbdeploy" / "tiny"
    (folder / "running.json").write_text(json.dumps({"process": 4242, "since": "10:00"}))
    with FileLock(folder / "lock"), pytest.raises(OutputError, match=r"is at work \(process 4242, since 10:00\)"):
        done.run()
    assert done.run() == []


def test_a_memory_that_was_damaged_is_said_and_costs_a_run_of_everything(done: Any) -> None:
    (done.root / ".nbdeploy" / "tiny" / "state.json").write_text("{")
    with pytest.warns(NbdeployWarning, match="so every step is done again"), pytest.raises(OutputError):
        done.run()  # what stands there is nobody's now
    with pytest.warns(NbdeployWarning, match="so every step is done again"):
        assert done.run(overwrite=True)[-4:] == ["train", *BUNDLES]
    assert done.run() == []


def test_a_hash_is_remembered_only_once_the_file_is_old_enough(tmp_path: Path) -> None:
    import os

    file = tmp_path / "a"
    file.write_text("one")
    hashes = Hashes(tmp_path, tmp_path / "memory")
    one = hashes.of_all([file])
    hashes.save()
    assert one != {"a": "missing"}
    # As an editor may write within the same tick of the clock: same size, same times as far as the memory knows.
    raw = json.loads((tmp_path / "memory").read_text())
    raw["a"][4] = "stale"
    (tmp_path / "memory").write_text(json.dumps(raw))
    assert Hashes(tmp_path, tmp_path / "memory").of_all([file]) == one
    raw["a"][3] += 10_000_000_000
    (tmp_path / "memory").write_text(json.dumps(raw))
    assert Hashes(tmp_path, tmp_path / "memory").of_all([file]) == {"a": "stale"}
    os.utime(file, ns=(1, 1))
    assert Hashes(tmp_path, tmp_path / "memory").of_all([file]) == one


def test_data_that_is_not_there_is_said_as_such(project: Any) -> None:
    project.change("from: pictures", "from: nowhere")
    with pytest.raises(PipelineFailed, match=r"data: There is no .*nowhere\.\nCorrect the path in the file"):
        project.run()
