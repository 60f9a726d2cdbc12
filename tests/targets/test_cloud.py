"""The cloud target: the onnx bundle with a server of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.report import Check, Status
from nbdeploy.targets.cloud import CloudTarget, server_code
from tests.serve.made import write_bundle
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestCloud(TargetContract):
    """Held to what every target promises; its model file is that of onnx, so one recipe is enough."""

    target = "cloud"
    test_a_resize_inside_the_graph_keeps_its_precision_in_int8 = None

    @pytest.fixture
    def bundle(
        self, made: dict[str, nd.Bundle], program: nd.Program, tmp_path_factory: pytest.TempPathFactory
    ) -> nd.Bundle:
        if "fp32" not in made:
            out = tmp_path_factory.mktemp(self.target) / "fp32"
            made["fp32"] = nd.deploy(program, target=self.target, out=out, latency_runs=0)
        return made["fp32"]

    def test_its_server_was_asked_about_every_sample_before_the_bundle_was_put_in_place(self, bundle: Any) -> None:
        (check,) = [check for check in bundle.report.checks if check.name == "endpoint"]
        assert Status.passed == check.status
        assert f"over {len(bundle.manifest['samples'])} samples" in check.why


def checked(folder: Path) -> Check:
    (check,) = CloudTarget().checks(Bundle.open(folder))
    return check


def test_endpoint_and_server_are_other_names_for_it() -> None:
    assert {"cloud"} == {registry.targets.canonical(name) for name in ("endpoint", "server", "cloud")}


def test_the_server_lies_in_the_bundle_with_the_versions_that_it_was_checked_with(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b")
    lines = (folder / "app" / "server" / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert {
        *("limits", "numpy", "onnxruntime", "pillow"),
        *("prometheus-client", "python-multipart", "starlette", "uvicorn"),
    } == names
    assert all(line.partition("==")[2] for line in lines)
    assert [] == [name for name in server_code() if not (folder / "app" / "server" / name).is_file()]


def test_an_endpoint_that_answers_otherwise_fails_and_says_why(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b")
    assert Status.passed == checked(folder).status
    expected = folder / "samples" / "expected.json"
    expected.write_text(expected.read_text(encoding="utf-8").replace('"red apple": 0.9', '"red apple": 0.1'))
    check = checked(folder)
    assert Status.failed == check.status
    assert "answered otherwise" in check.why


@pytest.mark.parametrize("name", ["server/app.py", "server/more.py", "python/predict.py", "python/json.py"])
def test_code_that_is_not_nbdeploys_own_is_not_executed(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(write_bundle(tmp_path / "b"), tmp_path / "c")
    (folder / "app" / name).write_text("raise SystemExit('executed')")
    check = checked(folder)
    assert Status.not_run == check.status
    assert f"app/{name} is not this nbdeploy's own" in check.why
