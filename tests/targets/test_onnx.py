"""The onnx target."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nbdeploy.targets.base import RUNTIMES
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestOnnx(TargetContract):
    """Held to what every target promises."""

    target = "onnx"


def test_onnxruntime_is_told_not_to_phone_home_before_it_is_loaded() -> None:
    code = (
        f"import os, runpy; runpy.run_path({str(RUNTIMES / 'onnx.py')!r}); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "1" == done.stdout.strip()
