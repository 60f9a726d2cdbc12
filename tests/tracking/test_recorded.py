"""nd.train, nd.export and nd.deploy as runs, and the line from one to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nbdeploy as nd
from nbdeploy.errors import UnknownName, UsageError, VerificationFailed
from nbdeploy.tracking import lineage, store
from nbdeploy.tracking.recording import recording

NET = "timm:test_resnet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("data") / "shades"
    chance = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 200)):
        (made / label).mkdir(parents=True)
        for at in range(10):
            pixels = chance.integers(level - 30, level + 30, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(made / label / f"{at}.png")
    return made


def train(folder: Any, **more: Any) -> Any:
    settings = {"arch": NET, "epochs": 2, "size": 32, "pretrained": False, "workers": 0}
    return nd.train(folder, **{**settings, **more})


def test_a_training_is_a_run_with_its_data_parameters_and_epochs(folder: Path) -> None:
    images = nd.ImageSet.from_folder(folder, valid=0.3)
    learn = train(images)
    (trained,) = store.every()
    assert ("train", folder.name, "done") == (trained["kind"], trained["name"], trained["status"])
    assert (NET, 2, 32, 0.005) == tuple(trained["params"][key] for key in ("arch", "epochs", "size", "lr"))
    assert images.fingerprint == trained["data"]["fingerprint"]
    assert f'nd.train(nd.ImageSet.from_folder("{folder}", valid=0.3), arch="{NET}"' in trained["call"]
    assert [1.0, 2.0] == [step for step, _ in store.series([trained["id"]])[trained["id"]]["valid_loss"]]
    assert float(learn.recorder.values[-1][1]) == pytest.approx(trained["metrics"]["valid_loss"])
    assert trained["id"] == lineage.run_of(learn)


@pytest.mark.usefixtures("numpy_target")
def test_the_line_from_data_over_training_to_bundles(patch_learner: Any, pictures: Path, work: Path) -> None:
    with recording("train", images=str(pictures)) as trained:
        lineage.remember(patch_learner, trained.id)
    assert trained.id == lineage.run_of(patch_learner)
    program = nd.export(patch_learner)
    program.save("model")
    bundle = nd.deploy(program, target="numpy", out="build/x", latency_runs=2)
    shrunk = nd.deploy("model", target="numpy", recipe="fp16", out="build/y", accept_failed="a test", latency_runs=0)
    second, first, _ = store.every()
    assert [("deploy", "fp32"), ("compress", "fp16")] == [
        (row["kind"], row["params"]["recipe"]) for row in (first, second)
    ]
    assert [trained.id] * 2 == [first["origin"], second["origin"]]
    assert str(pictures) == second["data"]["source"]
    assert str(bundle.path) == first["result"]["path"]
    assert bundle.report.metrics["accuracy_deployed"] == first["metrics"]["accuracy"]
    assert shrunk.report.metrics["size_bytes"] == second["metrics"]["size_bytes"]
    assert 'nd.deploy(program, target="numpy", out="build/x", latency_runs=2)' == first["call"]
    assert "latency_ms" in first["metrics"]
    assert work == Path(first["project"])
    assert first["id"] == lineage.run_of(bundle)
    found = nd.runs(where=f"origin == '{trained.id}' and recipe == 'fp16'")
    assert [second["id"]] == [run.id for run in found]
    assert "Nothing differs now" == found[0].reproduce().verdict
    (work / "build" / "y" / "manifest.json").write_text("{}")
    assert ["what it made, sha256"] == [one.what for one in found[0].reproduce().changes]


def test_a_bundle_that_fails_its_checks_is_a_failed_run_with_its_figures(
    patch_learner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbdeploy.flow.build", _failing)
    with pytest.raises(VerificationFailed):
        nd.deploy(patch_learner, target="onnx", out="build/x")
    (row,) = store.every()
    assert ("failed", 0.5) == (row["status"], row["metrics"]["agreement"])
    assert row["why"].startswith("VerificationFailed")
    assert row["result"]["path"].endswith("x.failed")


def _failing(work: Path, *_: Any, **__: Any) -> Any:
    from nbdeploy.core.report import Check, Report, Status

    (work / "manifest.json").write_text("{}")
    return Report((Check("top1_agreement", Status.failed, 0.5, 0.99),), {"top1_agreement": 0.5})


def test_wrong_use_is_no_run_and_a_folder_that_cannot_be_read_is_a_failed_one(work: Path) -> None:
    with pytest.raises(UsageError):
        train(work, epochs=0)
    with pytest.raises(UnknownName):
        nd.deploy("model", target="tflight")
    assert [] == store.every()
    with pytest.raises(nd.errors.DataError):
        train(work)
    assert [("train", "failed")] == [(row["kind"], row["status"]) for row in store.every()]


def test_inside_a_trial_the_trial_remembers(folder: Path) -> None:
    with recording("trial") as trial:
        train(folder, epochs=1)
    (row,) = store.every()
    assert (trial.id, NET) == (row["id"], row["params"]["arch"])
    assert "valid_loss" in row["metrics"]


def test_secrets_of_a_provider_are_not_kept(patch_learner: Any) -> None:
    with pytest.raises(nd.errors.NbdeployError):
        nd.deploy(patch_learner, provider="ssh", settings={"host": "nowhere.invalid", "password": "hunter2"})
    assert "hunter2" not in str(store.every())
