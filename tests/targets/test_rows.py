"""What targets promise for rows and texts; the refusals of those that take pictures only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.recipe import RECIPES
from nbdeploy.errors import DataError, UsageError
from nbdeploy.verification.host import ask
from tests.rowdata import program_of, table_learner

CASES = [
    ("table", "onnx", "fp32"),
    ("table", "tflite", "dynamic_int8"),
    ("text", "onnx", "fp16"),
    ("text", "onnx", "dynamic_int8"),
    ("text", "tflite", "fp32"),
    ("text", "torch", "fp16"),
]


@pytest.mark.parametrize(("kind", "target", "recipe"), CASES)
def test_a_bundle_answers_as_the_original_on_raw_files(kind: str, target: str, recipe: str, tmp_path: Path) -> None:
    program = program_of(kind)
    bundle = nd.deploy(program, target=target, recipe=recipe, out=tmp_path / "b", latency_runs=0)
    assert bundle.report.compared
    files = [file.path for file in program.reference.held_out]
    drift = np.abs(ask(bundle, files) - program.reference.probabilities).mean()
    assert drift <= RECIPES[recipe].mean_drift
    samples = [bundle.path / name for name in bundle.manifest["samples"]]
    here = np.array([list(bundle.predict(file).probabilities.values()) for file in samples])
    assert np.allclose(here, ask(bundle, samples), atol=1e-6)
    assert nd.verify(nd.Bundle.load(bundle.path)).ok


def test_a_bundle_of_rows_is_asked_with_dicts_and_files_and_says_so(tmp_path: Path) -> None:
    bundle = nd.deploy(program_of("table"), target="onnx", out=tmp_path / "b", latency_runs=0, samples=3)
    row = json.loads((bundle.path / bundle.manifest["samples"][0]).read_bytes())
    answers = [
        bundle.predict(one) for one in (row, bundle.path / bundle.manifest["samples"][0], json.dumps(row).encode())
    ]
    assert 1 == len({answer.label for answer in answers})
    assert "(row)" == answers[0].file
    assert np.isfinite(bundle.predict({"height cm": float("nan"), "leaves": np.int64(3)}).probability)
    with pytest.raises(DataError, match="did you mean"):
        bundle.predict({"leafs": 1})
    with pytest.raises(UsageError, match="takes a row"):
        bundle.predict(3)  # type: ignore[arg-type]
    readme = (bundle.path / "README.md").read_text(encoding="utf-8")
    assert "A classifier of rows of a table with 3 labels" in readme
    assert "`height cm`: a number" in readme
    page = (bundle.path / "report.html").read_text(encoding="utf-8")
    assert "How it sees a row" in page
    assert "picture" not in page.partition("</style>")[2].replace('class="pictures"', "")
    assert nd.verify(bundle, program_of("table")).ok
    assert "onnx fp32" in str(nd.compare(bundle))


def test_a_bundle_of_texts_is_asked_with_texts_and_files(tmp_path: Path) -> None:
    bundle = nd.deploy(program_of("text"), target="onnx", out=tmp_path / "b", latency_runs=0, samples=0)
    assert all(name.startswith("samples/made-up") for name in bundle.manifest["samples"])
    assert "fruit" == bundle.predict("the apple and a plum, cherry!").label
    (tmp_path / "said.txt").write_text("ship and harbour and tide", encoding="utf-8")
    assert "sea" == bundle.predict(tmp_path / "said.txt").label == bundle.predict(str(tmp_path / "said.txt")).label
    assert "street and tower" in str(bundle.predict("street and tower " * 20))
    with pytest.raises(DataError, match="cannot be read as a text"):
        bundle.predict(b"\xff\xfe")
    with pytest.raises(DataError, match="empty"):
        bundle.predict("  ")


def test_changed_answers_show_the_row_in_the_report(tmp_path: Path) -> None:
    program = program_of("table")
    wrong = dataclasses.replace(program.reference, probabilities=program.reference.probabilities[:, ::-1].copy())
    bundle = nd.deploy(
        dataclasses.replace(program, reference=wrong),
        target="torch",
        out=tmp_path / "b",
        latency_runs=0,
        accept_failed="to see the page",
    )
    assert "height cm: " in (bundle.path / "report.html").read_text(encoding="utf-8")
    assert "to blame" in bundle.report.diagnosis


@pytest.mark.parametrize("target", sorted({*registry.targets} - {"onnx", "tflite", "torch", "cloud"}))
def test_targets_of_pictures_refuse_before_work_begins(target: str) -> None:
    lowering = registry.targets.load(target)()
    recipe = RECIPES[lowering.recipes[0]]
    with pytest.raises(UsageError, match="Targets for rows of a table: cloud, onnx, tflite, torch"):
        lowering.check(recipe, "table")


def test_a_recipe_that_is_calibrated_is_refused_for_rows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="onnx does: fp32, fp16, dynamic_int8"):
        nd.deploy(table_learner(), target="onnx", recipe="static_int8", out=tmp_path / "b")
    assert not (tmp_path / "b").exists()
