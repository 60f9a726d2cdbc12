"""The onnx target."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.targets.base import RUNTIMES
from tests.models import learner, loaders
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestOnnx(TargetContract):
    """Held to what every target promises."""

    target = "onnx"


@pytest.mark.slow
def test_a_resize_inside_the_graph_keeps_its_precision_in_int8(pictures: Path, tmp_path: Path) -> None:
    from fastai.vision.all import Resize, aug_transforms

    learn: Any = learner(loaders(pictures, item_tfms=Resize(100), batch_tfms=aug_transforms(size=32)), epochs=6)
    bundle = nd.deploy(learn, target="onnx", recipe="static_int8", out=tmp_path / "b", latency_runs=0)
    assert bundle.report.compared
    assert bundle.report.metrics["mean_abs_diff"] < 0.02


def test_onnxruntime_is_told_not_to_phone_home_before_it_is_loaded() -> None:
    code = (
        f"import os, runpy; runpy.run_path({str(RUNTIMES / 'onnx.py')!r}); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "1" == done.stdout.strip()
