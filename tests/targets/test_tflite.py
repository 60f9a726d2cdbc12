"""The tflite target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.targets import mediapipe_check
from tests.models import learner, loaders
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestTflite(TargetContract):
    """Held to what every target promises."""

    target = "tflite"

    def test_mediapipe_gives_the_same_answers_from_the_file_alone(
        self, bundle: nd.Bundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if bundle.recipe not in {"fp32", "static_int8"}:
            pytest.skip("starting MediaPipe takes seconds: one float and one int8 file stand for the others")
        pytest.importorskip("mediapipe", exc_type=ImportError)
        monkeypatch.setattr(mediapipe_check, "installed", lambda: True)
        found = mediapipe_check.check(bundle)
        assert "passed" == found.status, found.why

    def test_the_android_project_is_in_the_bundle(self, bundle: nd.Bundle) -> None:
        app = bundle.path / "app" / "android"
        assert (app / "app" / "build.gradle.kts").is_file()
        assert [] == [path.name for path in app.rglob("*.tflite")]


def test_litert_is_another_name_for_it() -> None:
    assert "tflite" == registry.targets.canonical("litert")


@pytest.mark.slow
def test_the_file_names_its_input_and_output_as_the_signature_does(pictures: Path, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    bundle = nd.deploy(learner(loaders(pictures), epochs=1), target="tflite", out=tmp_path / "b", latency_runs=0)
    signatures = Interpreter(str(bundle.model)).get_signature_list()
    assert {"serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}} == signatures
    details = Interpreter(str(bundle.model)).get_input_details()[0]
    assert (np.uint8, [1, 32, 32, 3]) == (details["dtype"], details["shape"].tolist())
