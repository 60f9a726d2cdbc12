"""The coreml target, and what its reference interpreter refuses or finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.report import Status
from nbdeploy.core.signature import Signature, Step
from nbdeploy.errors import UsageError
from nbdeploy.targets.package import host_code
from nbdeploy.templates.python.runtimes.coreml import UnknownOperator, load
from tests.models import conv_model, learner, loaders
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestCoreml(TargetContract):
    """Held to what every target promises."""

    target = "coreml"

    def test_its_speed_here_is_not_shown_as_a_devices(self, bundle: nd.Bundle) -> None:
        assert Status.not_run is bundle.report["latency"].status
        assert not [key for key in bundle.report.metrics if key.startswith("latency")]

    @pytest.mark.skipif(sys.platform == "darwin", reason="Core ML runs here")
    def test_the_device_itself_is_not_run_and_the_report_says_where_it_would_be(self, bundle: nd.Bundle) -> None:
        check = bundle.report["on_the_device"]
        assert Status.not_run is check.status
        assert "Mac" in check.why

    def test_the_package_says_what_it_is(self, bundle: nd.Bundle) -> None:
        spec = _spec(bundle)
        meta = spec.description.metadata
        assert ("1.0.0", "colours") == (meta.versionString, meta.userDefined["nbdeploy.name"])
        assert bundle.manifest["signature"] == json.loads(meta.userDefined["nbdeploy.signature"])
        assert "divide by 255" in meta.shortDescription
        image = spec.description.input[0].type.imageType
        assert (32, 32, 20) == (image.width, image.height, image.colorSpace)  # 20: red, green, blue
        assert "image" == spec.description.input[0].name
        assert ["label", "probabilities"] == [output.name for output in spec.description.output]
        classes = next(op for op in _operations(spec) if op.type == "classify").inputs["classes"].arguments[0]
        found = classes.value.immediateValue.list.values
        assert list(bundle.labels) == [value.immediateValue.tensor.strings.values[0] for value in found]

    def test_the_app_lies_in_the_bundle_and_reads_its_manifest(self, bundle: nd.Bundle) -> None:
        project = bundle.path / "app" / "ios" / "Classify.xcodeproj" / "project.pbxproj"
        assert (project.parents[1] / "../../model.mlpackage/Manifest.json").resolve().is_file()
        assert "../../manifest.json" in project.read_text(encoding="utf-8")

    def test_a_package_whose_labels_stand_in_another_order_is_found(self, bundle: nd.Bundle, tmp_path: Path) -> None:
        assert Status.passed is bundle.report["package_labels"].status
        odd = nd.Bundle.open(shutil.copytree(bundle.path, tmp_path / "b"))
        file = odd.model / "Data" / "com.apple.CoreML" / "model.mlmodel"
        data = file.read_bytes()
        assert b"blue" in data
        file.write_bytes(data.replace(b"blue", b"bleu"))
        assert "package_labels" in {check.name for check in nd.verify(odd).failed}

    def test_a_changed_weight_is_found(self, bundle: nd.Bundle, program: nd.Program, tmp_path: Path) -> None:
        """Also where somebody mended the hashes."""
        broken = nd.Bundle.open(shutil.copytree(bundle.path, tmp_path / "b"))
        _halve_the_last_weights(broken.model)
        report = nd.verify(broken, program)
        failed = {check.name for check in report.failed}
        assert {"file_hashes", "samples", "fresh_process", "mean_drift"} <= failed


def test_mlpackage_is_another_name_for_it() -> None:
    assert "coreml" == registry.targets.canonical("mlpackage")


def test_the_host_code_of_a_bundle_needs_numpy_and_pillow_only(tmp_path: Path) -> None:
    for name, path in host_code(registry.targets.load("coreml")).items():
        shutil.copyfile(path, tmp_path / name)
    code = (
        "import predict, sys; predict._bundled_runtime(); print('coremltools' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "False False" == done.stdout.strip()


def test_windows_is_told_where_it_can_be_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    target = registry.targets.load("coreml")()
    with pytest.raises(UsageError, match="Windows"):
        target._convert(_signature(), half=False)


@pytest.mark.slow
def test_an_operator_that_the_interpreter_does_not_know_makes_the_check_not_run_by_name(
    pictures: Path, tmp_path: Path
) -> None:
    from torch import nn

    class Odd(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.cumsum(1)

    model = nn.Sequential(conv_model(3), Odd())
    bundle = nd.deploy(learner(loaders(pictures), model), target="coreml", out=tmp_path / "b", latency_runs=5)
    check = bundle.report["top1_agreement"]
    assert Status.not_run is check.status
    assert "cumsum" in check.why
    assert not bundle.report.compared
    assert "cumsum" in bundle.report["samples"].why
    assert "has not been held" in (bundle.path / "README.md").read_text(encoding="utf-8")
    expected = json.loads((bundle.path / "samples" / "expected.json").read_text(encoding="utf-8"))
    assert {None} == {sample["deployed"] for sample in expected["samples"]}
    assert nd.verify(bundle).ok
    with pytest.raises(UnknownOperator, match="cumsum"):
        load(str(bundle.model), 0)


@pytest.mark.slow
def test_gray_pictures_are_taken_as_gray(pictures: Path, tmp_path: Path) -> None:
    import fastai.vision.all as v

    block = v.DataBlock(
        blocks=(v.ImageBlock(cls=v.PILImageBW), v.CategoryBlock),
        get_items=v.get_image_files,
        get_y=v.parent_label,
        splitter=v.RandomSplitter(0.4, seed=3),
        item_tfms=v.Resize(32),
    )
    learn = learner(block.dataloaders(pictures, bs=8, num_workers=0), conv_model(3, 1))
    bundle = nd.deploy(learn, target="coreml", out=tmp_path / "b")
    assert bundle.report.compared
    assert 10 == _spec(bundle).description.input[0].type.imageType.colorSpace  # 10: one gray component


def _signature() -> Signature:
    step = Step(op="squish_resize", width=8, height=8)
    return Signature(width=8, height=8, channels=3, labels=("a", "b"), steps=(step,))


def _spec(bundle: nd.Bundle) -> Any:
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString((bundle.model / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes())
    return spec


def _operations(spec: Any) -> Any:
    return next(iter(spec.mlProgram.functions["main"].block_specializations.values())).operations


def _halve_the_last_weights(package: Path) -> None:
    """Overwrite the second half of the file of weights, heads of blobs apart, so that the file can still be read."""
    file = package / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
    data = bytearray(file.read_bytes())
    heads = [at for at in range(0, len(data) - 64, 64) if data[at : at + 4] == b"\xef\xbe\xad\xde"]
    for head, end in zip(heads, [*heads[1:], len(data)], strict=True):
        start, size = (int.from_bytes(data[head + at : head + at + 8], "little") for at in (16, 8))
        stored = np.frombuffer(bytes(data[start : start + size]), np.uint8)
        data[start : start + size] = np.roll(stored, 4 * (len(stored) // 8)).tobytes()
        assert start + size <= end
    file.write_bytes(data)
