"""deploy() and verify() from end to end, with a target that lowers in no time."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy.errors import (
    BundleError,
    ConversionError,
    ExportError,
    IntegrityError,
    MissingExtra,
    NbdeployWarning,
    OutputError,
    UnknownName,
    UsageError,
    VerificationFailed,
)

pytestmark = pytest.mark.usefixtures("numpy_target")
QUICK: dict[str, Any] = {"target": "numpy", "latency_runs": 0}


@pytest.fixture
def bundle(patch_bundle: Path, tmp_path: Path) -> nd.Bundle:
    """A bundle of the test's own: a folder that can be moved anywhere."""
    return nd.Bundle.load(shutil.copytree(patch_bundle, tmp_path / "b"))


def test_a_third_party_target_is_found_by_its_entry_point_and_deployed_to(bundle: nd.Bundle, pictures: Path) -> None:
    assert "numpy" == bundle.target
    assert bundle.report.compared
    assert "red apple" == bundle.predict(pictures / "red apple" / "0.png").label


def test_a_bundle_has_every_part_that_is_promised(bundle: nd.Bundle) -> None:
    there = {path.relative_to(bundle.path).as_posix() for path in bundle.path.rglob("*") if path.is_file()}
    assert {
        "manifest.json",
        "model.npz",
        "labels.txt",
        "report.json",
        "report.html",
        "README.md",
        "samples/expected.json",
        "app/python/predict.py",
        "app/python/runtime.py",
        "app/python/requirements.txt",
    } <= there
    assert not [name for name in there if "__pycache__" in name]
    listed = {file["path"] for file in bundle.manifest["files"]}
    assert there - {"manifest.json"} == listed
    assert set(bundle.manifest["report"]) == {"checks", "metrics"}
    assert bundle.manifest["report"]["metrics"] == json.loads((bundle.path / "report.json").read_text())["metrics"]
    assert list(bundle.labels) == (bundle.path / "labels.txt").read_text(encoding="utf-8").splitlines()


def test_samples_are_the_users_own_pictures_with_the_originals_answers(
    bundle: nd.Bundle, patch_program: nd.Program
) -> None:
    expected = json.loads((bundle.path / "samples" / "expected.json").read_text(encoding="utf-8"))["samples"]
    assert 16 == len(expected)
    hashes = {
        file.sha256: row
        for file, row in zip(patch_program.reference.held_out, patch_program.reference.probabilities, strict=True)
    }
    for sample in expected:
        assert np.allclose(list(sample["probabilities"].values()), hashes[sample["sha256"]], atol=1e-7)
    assert "16 of your own held-out pictures" in (bundle.path / "README.md").read_text(encoding="utf-8")


def test_no_samples_leaves_the_users_pictures_out_and_still_tests_itself(
    patch_program: nd.Program, tmp_path: Path
) -> None:
    bundle = nd.deploy(patch_program, out=tmp_path / "b", samples=0, **QUICK)
    assert all(name.startswith("samples/made-up") for name in bundle.manifest["samples"])
    hashes = {file.sha256 for file in patch_program.reference.held_out}
    assert not hashes & {file["sha256"] for file in bundle.manifest["files"]}
    assert "none of yours" in (bundle.path / "README.md").read_text(encoding="utf-8")
    assert nd.verify(bundle)["samples"].status == "passed"


def test_the_bundles_host_code_runs_without_nbdeploy_and_answers_as_predict_does(
    bundle: nd.Bundle, tmp_path: Path
) -> None:
    files = sorted((bundle.path / "samples").glob("*.*g"))
    code = (
        "import runpy, sys\n"
        "class No:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in {'nbdeploy', 'torch', 'fastai', 'IPython'}: raise ImportError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    host = bundle.path / "app" / "python" / "predict.py"
    command = [sys.executable, "-c", code, str(host), "--json", *map(str, files)]
    rows = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=tmp_path).stdout)
    for row, file in zip(rows, files, strict=True):
        answer = bundle.predict(file)
        assert answer.label == row["label"]
        assert list(answer.probabilities) == list(row["probabilities"])
        assert np.allclose(list(answer.probabilities.values()), list(row["probabilities"].values()), atol=1e-6)


def test_latency_and_memory_are_measured_beside_the_original(patch_program: nd.Program, tmp_path: Path) -> None:
    metrics = nd.deploy(patch_program, target="numpy", out=tmp_path / "b", latency_runs=20).report.metrics
    for name in ("latency_ms_p50", "latency_ms_p90", "latency_ms_p50_all", "peak_memory_mb"):
        own, _, rest = name.partition("_all")
        other = f"{own}_original" + ("_all" if "_all" in name else "")
        assert min(metrics[name], metrics[other]) > 0, rest
    assert 20 == metrics["latency_runs"]
    assert metrics["peak_memory_mb"] < metrics["peak_memory_mb_original"]  # numpy against torch


def test_an_existing_bundle_is_kept_unless_overwriting_is_asked_for(
    bundle: nd.Bundle, patch_program: nd.Program
) -> None:
    with pytest.raises(OutputError, match="exists already"):
        nd.deploy(patch_program, out=bundle.path, **QUICK)
    assert nd.Bundle.load(bundle.path)
    newer = nd.deploy(patch_program, out=bundle.path, version="2.0.0", overwrite=True, **QUICK)
    assert "2.0.0" == newer.version
    assert [bundle.path] == list(bundle.path.parent.iterdir())


@pytest.mark.parametrize(
    ("fault", "blamed"),
    [("weights", "Converting"), ("swapped", "blue-green-red"), ("labels", "another order"), ("nan", "Converting")],
)
def test_a_wrong_model_is_never_put_in_place_and_the_fault_is_named(
    fault: str, blamed: str, patch_program: nd.Program, tmp_path: Path, numpy_target: pytest.MonkeyPatch
) -> None:
    numpy_target.setenv("NUMPY_TARGET_FAULT", fault)
    with pytest.raises(VerificationFailed) as caught:
        nd.deploy(patch_program, out=tmp_path / "b", **QUICK)
    assert not (tmp_path / "b").exists()
    assert [tmp_path / "b.failed"] == list(tmp_path.iterdir())
    assert tmp_path / "b.failed" == caught.value.kept
    assert blamed in caught.value.report.diagnosis
    assert re.search(r"is [\d.n].*, the limit is", caught.value.message)
    assert "--accept-failed" in caught.value.hint


def test_a_wrong_recipe_is_told_from_a_wrong_conversion(
    patch_program: nd.Program, tmp_path: Path, numpy_target: pytest.MonkeyPatch
) -> None:
    numpy_target.setenv("NUMPY_TARGET_FAULT", "recipe")
    with pytest.raises(VerificationFailed, match="The recipe fp16 is to blame"):
        nd.deploy(patch_program, recipe="fp16", out=tmp_path / "b", **QUICK)


def test_a_failure_that_is_accepted_is_written_wherever_people_look(
    patch_program: nd.Program, tmp_path: Path, numpy_target: pytest.MonkeyPatch
) -> None:
    numpy_target.setenv("NUMPY_TARGET_FAULT", "weights")
    bundle = nd.deploy(patch_program, out=tmp_path / "b", accept_failed="only a <demo>", **QUICK)
    assert "only a <demo>" == bundle.manifest["accepted_failure"]["why"]
    assert "top1_agreement" in bundle.manifest["accepted_failure"]["checks"]
    assert not bundle.report.ok
    assert "only a <demo>" in (bundle.path / "README.md").read_text(encoding="utf-8")
    assert "only a &lt;demo&gt;" in (bundle.path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="reason"):
        nd.deploy(patch_program, out=tmp_path / "c", accept_failed=" ", **QUICK)


def test_a_bundle_that_passed_is_not_marked_by_a_reason_that_was_not_needed(
    patch_program: nd.Program, tmp_path: Path
) -> None:
    assert (
        "accepted_failure"
        not in nd.deploy(patch_program, out=tmp_path / "b", accept_failed="just in case", **QUICK).manifest
    )


def test_a_converter_that_fails_is_quoted_and_its_noise_is_in_a_log(
    patch_program: nd.Program, tmp_path: Path, numpy_target: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    numpy_target.setenv("NUMPY_TARGET_FAULT", "crash")
    with pytest.raises(ConversionError, match="the patch model is too small") as caught:
        nd.deploy(patch_program, out=tmp_path / "b", **QUICK)
    assert "a converter's noise" in caught.value.log.read_text()
    assert "noise" not in "".join(capfd.readouterr())
    assert [] == list(tmp_path.iterdir())


def test_an_unknown_target_or_recipe_is_never_guessed(patch_program: nd.Program, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="A target or a provider is needed"):
        nd.deploy(patch_program, out=tmp_path / "b")
    with pytest.raises(UnknownName, match='Did you mean "tflite"'):
        nd.deploy(patch_program, target="tflit", out=tmp_path / "b")
    with pytest.raises(UnknownName, match='Did you mean "static_int8"'):
        nd.deploy(patch_program, target="numpy", recipe="static-int8", out=tmp_path / "b")
    with pytest.raises(UsageError, match="It does: fp32, fp16"):
        nd.deploy(patch_program, target="numpy", recipe="static_int8", out=tmp_path / "b")
    assert [] == list(tmp_path.iterdir())


def test_a_target_whose_package_is_missing_says_what_to_type(
    patch_program: nd.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbdeploy_numpy import NumpyTarget

    monkeypatch.setattr(NumpyTarget, "requires", ("a_package_that_is_not_there",))
    with pytest.raises(MissingExtra, match="pip install"):
        nd.deploy(patch_program, out=tmp_path / "b", **QUICK)


def test_a_saved_program_is_deployed_from_its_folder(patch_program: nd.Program, tmp_path: Path) -> None:
    patch_program.save(tmp_path / "model")
    bundle = nd.deploy(tmp_path / "model", out=tmp_path / "b", **QUICK)
    assert "patches" == bundle.name
    assert bundle.report.compared


def test_pictures_that_have_moved_are_found_again_by_their_content(pictures: Path, tmp_path: Path) -> None:
    from tests.models import learner, loaders, patch_model

    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(pictures, old)
    program = nd.export(learner(loaders(old), patch_model(3)))
    old.rename(new)
    with pytest.raises(ExportError, match="are gone"):
        nd.deploy(program, out=tmp_path / "b", **QUICK)
    with pytest.warns(NbdeployWarning):  # the pictures turned by EXIF
        images = nd.ImageSet.from_folder(new)
    assert nd.deploy(program, images=images, out=tmp_path / "b", **QUICK).report.compared
    next(iter(new.glob("blue/*.png"))).unlink()
    with pytest.warns(NbdeployWarning):
        images = nd.ImageSet.from_folder(new)
    fewer = nd.export(learner(loaders(new), patch_model(3)))
    Path(fewer.reference.held_out[0].path).unlink()
    with pytest.warns(NbdeployWarning, match="1 of 1. held-out files are gone"):
        nd.deploy(fewer, out=tmp_path / "c", **QUICK)


def test_fewer_or_more_files_than_a_program_names_can_be_asked_for(
    patch_program: nd.Program, pictures: Path, tmp_path: Path
) -> None:
    from nbdeploy.model import as_program

    bundle = nd.deploy(patch_program, out=tmp_path / "b", verify_files=5, **QUICK)
    assert 5 == np.sum(bundle.report.confusion)
    named = len(patch_program.reference.calibration)
    with pytest.warns(NbdeployWarning, match=f"names {named} training files, not 1000"):
        as_program(patch_program, calibration_files=1000)
    few = as_program(patch_program, calibration_files=3, seed=7)
    assert 3 == len(few.reference.calibration)
    held_out = {file.sha256 for file in few.reference.held_out}
    with pytest.warns(NbdeployWarning):  # the pictures turned by EXIF
        more = as_program(few, images=pictures, calibration_files=6)
    assert 6 == len({file.sha256 for file in more.reference.calibration} - held_out)


def test_a_pickle_is_loaded_only_when_it_is_trusted(patch_learner: Any, pictures: Path, tmp_path: Path) -> None:
    patch_learner.export(tmp_path / "export.pkl")
    with pytest.raises(UsageError, match="--trust-pickle"):
        nd.deploy(tmp_path / "export.pkl", out=tmp_path / "b", **QUICK)
    with pytest.raises(ExportError, match="images="):
        nd.deploy(tmp_path / "export.pkl", trust_pickle=True, out=tmp_path / "b", **QUICK)
    with pytest.warns(NbdeployWarning):
        images = nd.ImageSet.from_folder(pictures)
    bundle = nd.deploy(tmp_path / "export.pkl", trust_pickle=True, images=images, out=tmp_path / "b", **QUICK)
    assert bundle.report.compared


def test_a_read_only_place_is_said_before_any_work(patch_program: nd.Program, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        nd.deploy(patch_program, out=tmp_path / "b", **QUICK)


def test_a_name_cannot_lead_out_of_the_build_folder(
    patch_program: nd.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tmp_path / "build" / "a-..-..-b-numpy" == nd.deploy(patch_program, name="a/../../b", **QUICK).path


def test_a_missing_output_folder_is_made(patch_program: nd.Program, tmp_path: Path) -> None:
    assert nd.deploy(patch_program, out=tmp_path / "a" / "new" / "b", **QUICK).path.is_dir()


def test_a_full_disk_leaves_the_old_bundle_and_no_half_one(
    bundle: nd.Bundle, patch_program: nd.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.copyfile

    def full(source: Any, place: Any, **settings: Any) -> Any:
        if "samples" in str(place):
            raise OSError(errno.ENOSPC, "No space left on device", str(place))
        return real(source, place, **settings)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="disk is full"):
        nd.deploy(patch_program, out=bundle.path, overwrite=True, **QUICK)
    assert [bundle.path] == list(bundle.path.parent.iterdir())
    assert nd.Bundle.load(bundle.path)


DEPLOY = (
    "import sys, nbdeploy as nd; "
    "nd.deploy(sys.argv[1], target='numpy', out=sys.argv[2], overwrite=True, latency_runs=0)"
)


def _start(model: Path, out: Path, mark: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A deploy in another process, waited for until its converter is at work; gives the converter's pid too."""
    environment = {**os.environ, "NUMPY_TARGET_FAULT": "slow", "NUMPY_TARGET_MARK": str(mark)}
    process = subprocess.Popen([sys.executable, "-c", DEPLOY, str(model), str(out)], env=environment)
    until = time.monotonic() + 120
    while not (mark.exists() and mark.read_text()):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    return process, int(mark.read_text())


def _gone(pid: int) -> bool:
    import psutil

    until = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_deploy_that_is_stopped_leaves_the_old_bundle_whole_and_no_converter_behind(
    how: signal.Signals, bundle: nd.Bundle, patch_program: nd.Program, tmp_path: Path
) -> None:
    patch_program.save(tmp_path / "model")
    process, converter = _start(tmp_path / "model", bundle.path, tmp_path / "mark")
    process.send_signal(how)
    assert 0 != process.wait(timeout=60)
    assert _gone(converter)
    assert nd.Bundle.load(bundle.path).report.compared
    left = [path.name for path in tmp_path.iterdir() if "building" in path.name]
    assert (how == signal.SIGKILL) == bool(left)  # what kill -9 leaves is hidden ...
    nd.deploy(patch_program, out=bundle.path, overwrite=True, **QUICK)
    assert {"b", "model", "mark"} == {path.name for path in tmp_path.iterdir()}  # ... and cleared by the next run


def test_a_manifest_edited_by_hand_or_a_changed_file_is_refused(bundle: nd.Bundle) -> None:
    path = bundle.path / "manifest.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(bundle.manifest["files"][0]["sha256"], "0" * 64), encoding="utf-8")
    with pytest.raises(IntegrityError, match="model.npz"):
        nd.Bundle.load(bundle.path)
    for was, now in (('"version": "0.9.0"', '"version": "2.0.0"'), ('"exif": false', '"exif": true')):
        assert was in whole
        path.write_text(whole.replace(was, now), encoding="utf-8")
        with pytest.raises(IntegrityError, match="manifest.json"):
            nd.Bundle.load(bundle.path)
        assert "file_hashes" in {check.name for check in nd.verify(bundle.path).failed}
    odd = {**json.loads(whole), "samples": [7]}
    path.write_text(json.dumps(odd), encoding="utf-8")
    with pytest.raises(BundleError, match="not a manifest"):
        nd.Bundle.load(bundle.path)
    path.write_text(whole.replace('"model.npz"', '"../model.npz"'), encoding="utf-8")
    with pytest.raises(BundleError, match="outside"):
        nd.Bundle.load(bundle.path)
    path.write_text(whole[:-40], encoding="utf-8")
    with pytest.raises(BundleError, match="cannot be read"):
        nd.Bundle.load(bundle.path)
    path.write_text(whole, encoding="utf-8")
    (bundle.path / "labels.txt").write_text("a\nb\nc\n", encoding="utf-8")
    with pytest.raises(IntegrityError, match="labels.txt"):
        nd.Bundle.load(bundle.path)
    report = nd.verify(bundle.path)
    assert {"file_hashes", "labels"} == {check.name for check in report.failed}


def test_a_torn_model_is_a_failed_check_and_a_clear_error(bundle: nd.Bundle) -> None:
    bundle.model.write_bytes(bundle.model.read_bytes()[:300])
    report = nd.verify(bundle.path)
    assert {"file_hashes", "samples", "fresh_process"} == {check.name for check in report.failed}
    assert "cannot be loaded" in report["samples"].why
    with pytest.raises(BundleError, match="cannot be loaded"):
        nd.Bundle.open(bundle.path).predict(next(iter((bundle.path / "samples").glob("*.jpg"))))


def test_a_standing_bundle_is_verified_alone_or_against_its_model(bundle: nd.Bundle, patch_program: nd.Program) -> None:
    alone = nd.verify(bundle)
    assert alone.ok
    assert not alone.compared
    assert "not_run" == alone["top1_agreement"].status
    assert nd.verify(bundle.path, patch_program).compared


def test_strange_code_in_a_bundle_is_not_executed(bundle: nd.Bundle, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (bundle.path / "app" / "python" / "runtime.py").write_text(f"open({str(mark)!r}, 'w')\n")
    report = nd.verify(bundle.path)
    assert "not_run" == report["fresh_process"].status
    bundle.predict(next(iter((bundle.path / "samples").glob("*.jpg"))))
    assert not mark.exists()


def test_predict_says_clearly_what_is_no_picture(bundle: nd.Bundle, tmp_path: Path) -> None:
    with pytest.raises(nd.errors.DataError, match="no file"):
        bundle.predict(tmp_path / "missing.jpg")
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(nd.errors.DataError, match="cannot be read as a picture"):
        bundle.predict(tmp_path / "text.jpg")
    some = next(iter((bundle.path / "samples").glob("*.jpg")))
    assert bundle.predict(some).label == bundle.predict(some.read_bytes()).label
    assert 2 == len(bundle.predict(some, some))
    with pytest.raises(UsageError, match="not NoneType"):
        bundle.predict(None)  # type: ignore[call-overload]


def test_what_a_person_sees_of_a_bundle_names_the_verdict_and_the_next_step(bundle: nd.Bundle) -> None:
    assert "verified" in str(bundle)
    assert "nbdeploy predict" in str(bundle)
    assert "verified" in bundle._repr_html_()
    assert "top1 agreement" in bundle.report._repr_html_()
