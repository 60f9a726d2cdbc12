"""%tune, and %deploy of the Learner that a tuning trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nbdeploy.tuning import tune as tunes
from nbdeploy.tuning.result import Tuning
from nbdeploy.tuning.space import Space


@pytest.fixture
def tuned(shell: Any, monkeypatch: pytest.MonkeyPatch, fake_fastai: Any) -> list[dict[str, Any]]:
    """The calls of nd.tune, which gives a Tuning with a Learner at once."""
    calls: list[dict[str, Any]] = []

    def tune(images: Any, **asked: Any) -> Tuning:
        calls.append(asked)
        space = Space.of({})
        return Tuning("pets", Path("pets.sqlite"), space, ("accuracy",), (), 3, images, learn=fake_fastai())

    monkeypatch.setattr(tunes, "tune", tune)
    for label in ("a", "b"):
        for number in range(5):
            file = Path("pets") / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number * 40, 90 * (label == "a"), 9)).save(file)
    assert shell.ns is not None
    return calls


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_tune_prints_the_python_line_and_gives_the_tuning(shell: Any, tuned: Any, capsys: Any) -> None:
    value = shell.run("%tune pets --arch resnet18,resnet34 --lr 1e-4..1e-2 --trials 3")
    assert isinstance(value, Tuning)
    assert [{"arch": ["resnet18", "resnet34"], "lr": (1e-4, 1e-2), "trials": 3}] == tuned
    images = 'nd.ImageSet.from_folder("pets")'
    line = f'nd.tune({images}, trials=3, arch=["resnet18", "resnet34"], lr=(0.0001, 0.01))'
    assert line in capsys.readouterr().out.splitlines()


def test_deploy_finds_the_learner_that_was_tuned(
    shell: Any, tuned: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from nbdeploy import flow

    deployed: list[Any] = []
    monkeypatch.setattr(flow, "deploy", lambda model, **_: deployed.append(model))
    shell.run("tuning = %tune pets")
    shell.run("%deploy --target onnx")
    assert shell.ns["tuning"].learn is deployed[0]
    assert "using tuning.learn (resnet18, made by cell 1)" in capsys.readouterr().out
    shell.run("%deploy tuning.learn --target onnx")
    assert deployed[0] is deployed[1]
    assert 1 == len(tuned)


def test_tab_offers_what_can_be_tuned(shell: Any) -> None:
    assert ["--objective"] == shell.complete("%tune pets --obj")
    assert ["halving", "hyperband"] == shell.complete("%tune pets --pruner h")
