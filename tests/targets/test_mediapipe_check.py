"""What the check of MediaPipe says where it cannot pass. That it does pass is in test_tflite.py."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nbdeploy.core.signature import Signature, Step
from nbdeploy.targets import mediapipe_check


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As much of a bundle as the check looks at, with one sample."""
    monkeypatch.setattr(mediapipe_check, "installed", lambda: True)
    (tmp_path / "model.tflite").write_bytes(b"no model, but TFLITE_METADATA")
    (tmp_path / "samples").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "samples" / "a.png")
    rows = [{"file": "a.png", "deployed": {"x": 0.75, "y": 0.25}}]
    (tmp_path / "samples" / "expected.json").write_text(json.dumps({"tolerance": 0.01, "samples": rows}))
    signature = Signature(
        width=4, height=4, channels=3, labels=("x", "y"), steps=(Step(op="exact_size", width=4, height=4),)
    )
    pixels = types.SimpleNamespace(prepare=lambda _: np.zeros((1, 4, 4, 3), dtype=np.uint8))
    return types.SimpleNamespace(
        path=tmp_path, model=tmp_path / "model.tflite", signature=signature, labels=signature.labels, classifier=pixels
    )


def test_without_it_the_check_is_not_run_and_says_what_to_type(bundle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediapipe_check, "installed", lambda: False)
    found = mediapipe_check.check(bundle)
    assert "not_run" == found.status
    assert 'pip install "nbdeploy[mediapipe]"' in found.why


def test_gray_models_are_not_its_kind(bundle: Any) -> None:
    import dataclasses

    bundle.signature = dataclasses.replace(bundle.signature, channels=1)
    assert "not_run" == mediapipe_check.check(bundle).status


def test_a_file_of_before_has_no_metadata_and_that_is_no_failure(bundle: Any) -> None:
    bundle.model.write_bytes(b"a model without")
    found = mediapipe_check.check(bundle)
    assert "not_run" == found.status
    assert "no metadata" in found.why


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        ([{"x": 0.755, "y": 0.245}], "passed", "from the file alone"),
        ([{"x": 0.25, "y": 0.75}], "failed", "largest difference"),
        ([{"x": 0.75, "z": 0.25}], "failed", "other labels"),
        ([{"": 0.75}], "failed", "other labels"),
        ([], "failed", "0 of 1"),
        ("no metadata", "failed", "does not run the file: no metadata"),
    ],
)
def test_its_answers_are_held_to_those_of_the_bundle(
    bundle: Any, monkeypatch: pytest.MonkeyPatch, answer: Any, status: str, why: str
) -> None:
    monkeypatch.setattr(mediapipe_check, "_asked", lambda *_: answer)
    found = mediapipe_check.check(bundle)
    assert status == found.status
    assert why in found.why


def test_samples_that_are_gone_leave_it_not_run(bundle: Any) -> None:
    (bundle.path / "samples" / "expected.json").unlink()
    found = mediapipe_check.check(bundle)
    assert "not_run" == found.status
    assert "FileNotFoundError" in found.why


@pytest.mark.slow
def test_a_file_that_is_no_model_fails_with_mediapipes_own_words(bundle: Any) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    found = mediapipe_check.check(bundle)
    assert "failed" == found.status
    assert "MediaPipe does not run the file: " in found.why
