"""The lazy tables of names."""

from __future__ import annotations

from pathlib import Path

import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.cli import main
from nbdeploy.errors import MissingExtra, RetiredName, UnknownName


def test_names_and_aliases_are_offered_in_order() -> None:
    names = registry.targets.names()
    assert sorted(names) == names
    assert {"tflite", "litert", "onnx"} <= set(names)


def test_a_near_miss_is_suggested_and_never_run() -> None:
    with pytest.raises(UnknownName, match='Did you mean "onnx"') as caught:
        registry.targets.load("onx")
    assert 2 == caught.value.exit_status


def test_a_missing_package_is_named_with_its_install_line() -> None:
    table = registry.Registry("target", "no.such.group", {"x": registry.Entry("not_there.at_all:X", "", extra="xs")})
    with pytest.raises(MissingExtra, match=r'pip install "nbdeploy\[xs\]"'):
        table.load("x")


@pytest.mark.usefixtures("numpy_target")
def test_a_third_party_adds_a_name_and_cannot_take_one_of_ours() -> None:
    assert "nbdeploy-numpy" == registry.targets["numpy"].package
    taken = registry.Registry("target", "nbdeploy.targets", {"numpy": registry.Entry("nbdeploy.errors:say", "ours")})
    assert "ours" == taken["numpy"].summary


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("caffe2", "executorch"),
        ("PyTorch-Mobile", "executorch"),
        ("tensorflow_mobile", "tflite"),
        ("tensorflow", "tflite"),
        ("tensorflow-lite", "tflite"),
        ("mlkit", "tflite"),
        ("ML Kit", "tflite"),
        ("mediapipe", "tflite"),
        ("firebase-ml", "tflite"),
        ("snpe", "onnx"),
        ("coreml-neuralnetwork", "coreml"),
        ("torchscript", "torch"),
    ],
)
def test_a_name_that_is_gone_says_what_became_of_it_and_is_never_run(name: str, instead: str) -> None:
    with pytest.raises(RetiredName, match=f"Take {instead}: --target {instead}") as caught:
        registry.targets.load(name)
    assert (2, instead) == (caught.value.exit_status, caught.value.replacement)


def test_names_that_are_gone_lead_to_targets_and_are_not_offered() -> None:
    gone = {name for row in registry.targets.retired for name in row.names}
    assert not gone & set(registry.targets.names())
    assert {row.replacement for row in registry.targets.retired} <= set(registry.targets)


def test_a_name_that_is_gone_answers_alike_in_the_terminal_and_in_python(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert 2 == main(["deploy", str(tmp_path), "--target", "caffe2", "-o", str(tmp_path / "b")])
    said = capsys.readouterr().err
    assert "merged into PyTorch in 2018" in said
    with pytest.raises(RetiredName) as caught:
        nd.deploy(tmp_path, target="caffe2")
    assert str(caught.value) in said
