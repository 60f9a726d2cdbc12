"""MLflow and TensorBoard get what a training notes: read back with their own readers."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nbdeploy as nd
from nbdeploy.errors import MissingExtra, UnknownName

SMALL: dict[str, Any] = {"arch": "timm:test_resnet", "size": 32, "pretrained": False, "workers": 0, "epochs": 2}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of two shades; runs, MLflow and event files stay in the test's own folder."""
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    chance = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 200)):
        (tmp_path / "shades" / label).mkdir(parents=True)
        for at in range(10):
            pixels = chance.integers(level - 30, level + 30, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "shades" / label / f"{at}.png")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path / "shades"


def test_tensorboard_event_files_hold_the_figures(folder: Path) -> None:
    learn = nd.train(folder, log="tensorboard", **SMALL)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (run,) = nd.runs()
    read = EventAccumulator(f"build/tensorboard/{run.id}")
    read.Reload()
    assert [value for _, value in run.series["valid_loss"]] == pytest.approx(
        [event.value for event in read.Scalars("valid_loss")], rel=1e-5
    )
    assert {"train_loss", "accuracy", "lr_0"} <= set(read.Tags()["scalars"])
    assert [] == read.Tags()["images"]
    assert not any("TensorBoard" in type(callback).__name__ for callback in learn.cbs)


def test_mlflow_holds_parameters_figures_and_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path("mlruns").absolute().as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    nd.train(folder, log="mlflow", **SMALL)
    (run,) = nd.runs()
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("nbdeploy")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert (run.id, "FINISHED") == (kept.info.run_name, kept.info.status)
    assert ("timm:test_resnet", "32") == (kept.data.params["arch"], kept.data.params["size"])
    assert run.data["fingerprint"] == kept.data.tags["nbdeploy.fingerprint"]
    points = client.get_metric_history(kept.info.run_id, "valid_loss")
    assert [(step, pytest.approx(value)) for step, value in run.series["valid_loss"]] == [
        (point.step, point.value) for point in points
    ]


def test_a_training_that_fails_ends_the_mlflow_run_as_failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path("mlruns").absolute().as_uri()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from fastai.callback.core import Callback
    from mlflow import MlflowClient

    from nbdeploy.training.loggers import MLflowLogger

    class Broken(Callback):
        def after_epoch(self) -> None:
            raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        nd.train(folder, log=[MLflowLogger("mine", tracking_uri=place)], cbs=[Broken()], **SMALL)
    client = MlflowClient(tracking_uri=place)
    (kept,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert "FAILED" == kept.info.status
    assert ["failed"] == [run.status for run in nd.runs()]


def test_a_logger_that_is_not_there_is_named_before_any_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="tensorbored"):
        nd.train(folder, log="tensorbored")
    found = importlib.util.find_spec
    monkeypatch.setattr("nbdeploy.training.extras.find_spec", lambda name: None if name == "mlflow" else found(name))
    with pytest.raises(MissingExtra) as caught:
        nd.train(folder, log="mlflow")
    assert 'pip install "nbdeploy[mlflow]"' in caught.value.hint
    assert 0 == len(nd.runs())


def test_mlflow_is_told_to_phone_nobody_before_it_is_imported(root: Path) -> None:
    code = (
        "import sys; from nbdeploy.training.extras import mlflow; assert 'mlflow' not in sys.modules; mlflow();"
        "import os; print(os.environ['MLFLOW_DISABLE_TELEMETRY'], os.environ['DO_NOT_TRACK'])"
    )
    own = {key: value for key, value in os.environ.items() if key not in {"MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"}}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**own, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    assert "true true" == done.stdout.strip()
