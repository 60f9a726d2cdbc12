"""reproduce(): what to type, and what differs now."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import nbdeploy as nd
from nbdeploy.cli import main, parser
from nbdeploy.tracking import store
from nbdeploy.tracking.asked import bound, call_of
from nbdeploy.tracking.commands import terminal
from nbdeploy.tracking.recording import recording
from tests.tracking.made import compressed, trained


def test_the_data_is_read_again_and_what_changed_is_said(work: Path) -> None:
    for label in ("a", "b"):
        (work / "data" / label).mkdir(parents=True)
        for at in range(6):
            Image.new("RGB", (32, 32), (at * 20, 0, 200 if label == "a" else 0)).save(
                work / "data" / label / f"{at}.png"
            )
    images = nd.ImageSet.from_folder("data")
    with recording("train", images=images, name="data") as run:
        pass
    found = nd.runs()[run.id].reproduce()
    assert "Nothing differs now" == found.verdict
    assert ("the data, fingerprint " + images.fingerprint[:12], str(work / "data")) in found.steps
    Image.new("RGB", (32, 32), (9, 9, 9)).save("data/a/new.png")
    nd.Journal("data").record([nd.Edit(work / "data" / "b" / "0.png", "exclude")])
    changed = {one.what: (one.then, one.now) for one in nd.runs()[run.id].reproduce().changes}
    assert images.fingerprint[:12] == changed["data fingerprint"][0]
    assert ("0", "1") == changed["decisions, lines"]
    (work / "data").rename(work / "elsewhere")
    assert ("data", "not there any more") in {(c.what, c.now) for c in nd.runs()[run.id].reproduce().changes}


def test_the_line_holds_out_the_same_pictures_where_small_classes_and_decisions_moved_the_share(work: Path) -> None:
    for label, number in {"a": 20, "b": 2, "c": 2, "d": 2}.items():
        (work / "data" / label).mkdir(parents=True)
        for at in range(number):
            Image.new("RGB", (32, 32), (at * 10, 0, ord(label))).save(work / "data" / label / f"{at}.png")
    images = nd.ImageSet.from_folder("data")
    nd.Journal("data").record([nd.Edit(file.path, "exclude") for file in images.train[:6]])
    decided = images.apply(nd.Journal("data"))
    assert len(decided.valid) / len(decided) > 0.3
    call = call_of("nd.train", nd.train, bound(nd.train, (decided,), {}))
    again = eval(call.replace("nd.train", "", 1), {"nd": nd})
    assert decided.files == again.files
    with recording("train", params=TRAIN, images=decided) as run:
        pass
    assert "--valid" not in terminal(nd.runs()[run.id])


def test_the_commit_the_packages_and_python_are_compared(work: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True)

    git("init", "-b", "main")
    (work / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "x")
    with recording("train", call='nd.train("digits")') as run:
        pass
    row = store.one(run.id)
    packages = {**row["environment"]["packages"], "torch": "1.0"}
    store.merge(run.id, "environment", {"packages": packages, "python": "3.8.0"})
    (work / "a.py").write_text("2")
    found = nd.runs()[run.id].reproduce()
    steps, changes = dict(found.steps), {one.what: (one.then, one.now) for one in found.changes}
    assert f"git checkout {row['git']['commit']}" == steps["the code"]
    assert '"torch==1.0"' in steps["the packages, in Python 3.8.0"]
    assert 'nd.train("digits")' == steps["in Python"]
    assert {"changed files": ("none", "a.py")}.items() <= changes.items()
    assert {"python", "torch"} <= set(changes)
    git("commit", "-am", "y")
    assert "git commit" in {one.what for one in nd.runs()[run.id].reproduce().changes}
    assert "3 things differ now" in str(nd.runs()[run.id].reproduce())
    assert "3 things differ now" in nd.runs()[run.id].reproduce()._repr_html_()


TRAIN = {"arch": "resnet34", "epochs": 3, "size": 64, "lr": 0.01, "batch_size": 8, "pretrained": False, "flip": False}
DEPLOY = {"target": "onnx", "recipe": "static_int8", "out": "build/x", "version": "2.0.0", "samples": 4,
          "verify_files": 9, "overwrite": True}  # fmt: skip


@pytest.mark.parametrize(("kind", "params"), [("train", TRAIN), ("compress", DEPLOY)])
def test_the_line_for_a_terminal_asks_for_the_same(kind: str, params: dict[str, Any], work: Path) -> None:
    with recording(kind, params=params, name="digits", images=str(work)) as run:
        pass
    import shlex

    line = terminal(nd.runs()[run.id])
    asked = vars(parser().parse_args(shlex.split(line)[1:]))
    assert params == {name: asked[name] for name in params}


def test_what_a_terminal_cannot_do_has_no_such_line(work: Path) -> None:
    with recording("train", params={**TRAIN, "augment": False}, images=str(work)) as run:
        pass
    assert "" == terminal(nd.runs()[run.id])


def test_the_verb_lists_shows_compares_reproduces_and_removes(capsys: Any, tmp_path: Path) -> None:
    def said(*words: str) -> Any:
        assert 0 == main(["runs", *words])
        return capsys.readouterr().out

    assert "no runs here yet" in said()
    one, two = trained("resnet18", 0.1, [0.5, 0.9]), trained("resnet34", 0.2, [0.8])
    small = compressed(one, "fp16", 0.89, 1000)
    assert [one] == [run["id"] for run in json.loads(said("--where", "accuracy > .85 and lr < 1", "--json"))["runs"]]
    assert [small] == [run["id"] for run in json.loads(said("--kind", "compress", "--json"))["runs"]]
    assert said("--sort", "accuracy").index(one) < said("--sort", "accuracy").index(two)
    assert "lr 0.1" in said(one)
    assert "≠  parameters arch" in said(one, "compare", two)
    assert one == json.loads(said(one, "reproduce", "--json"))["run"]
    assert "Undo" in said(one, "remove")
    assert one not in said("--kind", "train")
    said(one, "restore")
    said(one, "note", "with", "care")
    assert "with care" in said(one)
    file = tmp_path / "parallel.png"
    assert "parallel coordinates" in said("--plot", str(file), "--history", str(tmp_path / "h.svg"))
    assert file.read_bytes().startswith(b"\x89PNG")
    assert 2 == main(["runs", "--where", "accuracy >"])
    assert 2 == main(["runs", one, "comprae"])
    assert "Did you mean" in capsys.readouterr().err
    assert 1 == main(["runs", "--plot", str(file)])
