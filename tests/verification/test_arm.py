"""Bundles on an ARM64 processor: the check, what it needs, and the set-up."""

from __future__ import annotations

import platform
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.core.files import cache_dir
from nbdeploy.core.report import Status
from nbdeploy.errors import NbdeployError, UnknownName
from nbdeploy.verification import emulator

SET_UP_HERE = cache_dir() / "arm64"  # read before the tests get a cache of their own


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bundle of `bundle` is made, once."""
    return tmp_path_factory.mktemp("arm") / "b"


@pytest.fixture
def bundle(made: Path, numpy_target: Any, patch_learner: Any, tmp_path: Path) -> nd.Bundle:
    """Of the tests' own target, which runs in a moment; a copy that a test may change."""
    del numpy_target  # installed meanwhile
    if not made.exists():
        nd.deploy(patch_learner, target="numpy", out=made, samples=5, latency_runs=0)
    return nd.Bundle.load(shutil.copytree(made, tmp_path / "b"))


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """An x86 Linux with nothing installed."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda _: None)


@pytest.fixture
def on_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine says that it is one with an ARM64 processor."""
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")


@pytest.mark.usefixtures("no_tools")
def test_without_the_tools_it_is_not_run_and_says_what_to_type(bundle: nd.Bundle) -> None:
    check = nd.verify(bundle, arch="aarch64")["aarch64"]
    assert Status.not_run == check.status
    assert "Type: sudo apt install mmdebstrap qemu-user-static" in check.why


@pytest.mark.usefixtures("on_arm")
def test_on_such_a_machine_the_bundle_runs_as_it_is(bundle: nd.Bundle, patch_learner: Any) -> None:
    report = nd.verify(bundle, arch="aarch64")
    assert Status.passed == report["aarch64"].status
    assert 5 == report.metrics["aarch64_files"]
    whole = nd.verify(bundle, patch_learner, arch="aarch64", verify_files=7)
    assert (7, 7) == (whole.metrics["files"], whole.metrics["aarch64_files"])
    assert whole["aarch64"].value == pytest.approx(whole["max_drift"].value, abs=1e-7)
    assert 0 == whole.metrics["aarch64_max_abs_diff_here"]


@pytest.mark.usefixtures("on_arm")
def test_other_answers_than_the_originals_are_a_failure_that_names_the_figures(
    numpy_target: pytest.MonkeyPatch, patch_learner: Any, tmp_path: Path
) -> None:
    numpy_target.setenv("NUMPY_TARGET_FAULT", "labels")
    wrong = nd.deploy(
        patch_learner, target="numpy", out=tmp_path / "w", samples=5, latency_runs=0, accept_failed="a test"
    )
    check = nd.verify(wrong, arch="aarch64")["aarch64"]
    assert Status.failed == check.status
    assert "top1 agreement" in check.why
    assert check.value > 0.1


@pytest.mark.usefixtures("on_arm")
def test_code_of_a_stranger_is_not_run(bundle: nd.Bundle) -> None:
    (bundle.path / "app" / "python" / "runtime.py").write_text("raise SystemExit('I ran')")
    check = nd.verify(bundle, arch="aarch64")["aarch64"]
    assert (Status.not_run, True) == (check.status, "not executed" in check.why)


def test_a_processor_that_there_is_not_is_refused(bundle: nd.Bundle) -> None:
    with pytest.raises(UnknownName, match="aarch64"):
        nd.verify(bundle, arch="riscv64")


@pytest.mark.usefixtures("no_tools")
def test_setting_up_without_the_tools_says_what_to_type() -> None:
    assert "sudo apt install" in str(nd.doctor())
    with pytest.raises(NbdeployError, match="Type: sudo apt install mmdebstrap qemu-user-static, then"):
        nd.doctor(setup_arm=True)


def test_the_runtime_of_another_target_is_not_emulated(bundle: nd.Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbdeploy.verification import arm

    monkeypatch.setattr(arm, "arm", lambda: emulator.Arm(ready=True, how="emulated", python=("false",)))
    check = nd.verify(bundle, arch="aarch64")["aarch64"]
    assert (Status.not_run, True) == (check.status, "numpy is not on the emulated processor" in check.why)


def test_setting_up_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    ran: list[str] = []

    def run(command: Any, log: Path, *, path: str = "", compiled: bool = False) -> None:
        del log, compiled
        if command[0] == "mmdebstrap":
            ran.append("tree")
            _small_tree(next(Path(word) for word in command if word.endswith(".tar")))
        elif "pip" in command:
            ran.append("wheels")
            if ran.count("wheels") == 1:
                raise NbdeployError("the network went away")
        else:
            ran.append(f"tried {Path(path).is_dir()}")

    monkeypatch.setattr(emulator, "_run", run)
    with pytest.raises(NbdeployError, match="network"):
        nd.doctor(setup_arm=True)
    assert not emulator.arm().ready
    assert nd.doctor(setup_arm=True).arm.ready
    assert ["tree", "wheels", "wheels"] == ran[:3]
    assert {"tried True"} == set(ran[3:])  # once a runtime that is built for ARM64
    tree = next((tmp_path / "arm64").glob("tree-*"))
    assert (tree / "usr/bin/python3.11").is_file()
    assert "CPU part" in (tree / "proc/cpuinfo").read_text()
    assert not (tree / "dev/null").exists()
    assert str(tree / "usr/bin/python3.11") in emulator.arm().python
    before = list(ran)
    nd.doctor(setup_arm=True)
    assert before == ran


def _small_tree(archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        file = tarfile.TarInfo("./usr/bin/python3.11")
        tar.addfile(file)
        device = tarfile.TarInfo("./dev/null")
        device.type = tarfile.CHRTYPE
        tar.addfile(device)


@pytest.mark.slow
@pytest.mark.skipif(not (SET_UP_HERE.is_dir() or emulator.arm().how == "native"), reason=f"type: {emulator.SETUP}")
@pytest.mark.parametrize(("target", "recipe"), [("tflite", "static_int8"), ("onnx", "fp16")])
def test_a_small_net_answers_on_arm_as_the_original(
    target: str, recipe: str, conv_learner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = nd.deploy(conv_learner, target=target, recipe=recipe, out=tmp_path / "b", samples=4, latency_runs=0)
    if SET_UP_HERE.is_dir():
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "arm64").symlink_to(SET_UP_HERE)
        monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "cache"))
    report = nd.verify(bundle, arch="aarch64")
    assert Status.passed == report["aarch64"].status, report["aarch64"].why
    assert 4 == report.metrics["aarch64_files"]
    assert report.metrics["aarch64_max_abs_diff_here"] < 0.05
