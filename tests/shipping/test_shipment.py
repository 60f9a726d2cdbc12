"""A model on its way: steps, cancelling at each of them, faults, undo and redo, without a notebook."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
import weakref
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ConversionError, OutputError, ProviderError, UsageError, VerificationFailed
from nbdeploy.providers.base import Plan, Provider, Setting
from nbdeploy.shipping import remembered
from nbdeploy.shipping import shipment as module
from nbdeploy.shipping.card import card
from nbdeploy.shipping.faults import fault_of
from nbdeploy.shipping.shipment import Shipment, shipment
from nbdeploy.shipping.stages import BUNDLE, ENDPOINT
from nbdeploy.shipping.wanted import Wanted
from nbdeploy.shipping.zipped import zipped
from nbdeploy.targets import convert

pytestmark = pytest.mark.usefixtures("numpy_target")
QUICK = {"samples": 4, "verify_files": 6, "latency_runs": 10}


@pytest.fixture
def before(patch_bundle: Path, tmp_path: Path) -> Path:
    """A bundle where the next one is to lie."""
    return shutil.copytree(patch_bundle, tmp_path / "place" / "b")


@pytest.fixture
def scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    (tmp_path / "scraps").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scraps"))
    return tmp_path / "scraps"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter's work is done in this process, where nothing has to be imported anew; and it can calibrate."""
    from nbdeploy_numpy import NumpyTarget

    def here(command: list[str], *_: Path) -> int:
        convert.main(Path(command[-1]))
        return 0

    monkeypatch.setattr(NumpyTarget, "recipes", ("fp32", "fp16", "static_int8"))
    monkeypatch.setattr(convert, "_end_with_parent", lambda: None)
    monkeypatch.setattr(convert, "_run", here)


def wanted(out: Path, **more: Any) -> Wanted:
    return Wanted(**{"target": "numpy", "out": str(out), "more": QUICK, **more})


def when(one: Shipment, step: str, act: Callable[[], None], *, counting: str = "") -> None:
    """Call `act`, once, when `step` has begun, or counts what begins with `counting`."""
    done = []

    def look() -> None:
        if step in {stage.name for stage in one.stages.every} and not done:
            stage = one.stages[step]
            if stage.state == "running" and stage.counting.startswith(counting):
                done.append(True)
                act()

    one.watchers.append(look)


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir())


def version(place: Path) -> str:
    return nd.Bundle.load(place).version


@pytest.mark.parametrize("step", BUNDLE)
@pytest.mark.usefixtures("quick")
def test_cancelled_at_any_step_it_leaves_nothing_behind_and_the_former_bundle_stands(
    patch_program: nd.Program, patch_learner: Any, before: Path, scraps: Path, step: str
) -> None:
    one = Shipment(patch_learner if step == "export" else patch_program)
    recipe = "static_int8" if step == "calibrate" else "fp32"
    when(one, step, one.cancel)
    one.start(wanted(before, recipe=recipe))
    assert one.wait(120) is None
    assert "cancelled" == one.state
    assert "cancelled" == one.stages[step].state
    assert "Nothing was put in place; what was there before stands." in one.said
    assert ["b"] == left(before)
    assert "0.9.0" == version(before)
    assert [] == list(scraps.iterdir())
    assert [] == [child for child in psutil.Process().children() if "nbdeploy" in " ".join(child.cmdline())]


@pytest.mark.parametrize("step_counting", [("convert", ""), ("measure", "rounds")], ids=["convert", "measure"])
def test_processes_that_are_waited_for_end_at_once(
    patch_program: nd.Program,
    before: Path,
    scraps: Path,
    numpy_target: pytest.MonkeyPatch,
    step_counting: tuple[str, str],
) -> None:
    mark, (step, counting) = scraps.parent / "mark", step_counting
    if step == "convert":
        numpy_target.setenv("NUMPY_TARGET_FAULT", "slow")
        numpy_target.setenv("NUMPY_TARGET_MARK", str(mark))
    one, beside = Shipment(patch_program), []

    def soon() -> None:
        def stop() -> None:
            while step == "convert" and not (mark.exists() and mark.read_text()):
                time.sleep(0.05)
            beside.extend(psutil.Process().children())
            one.cancel()

        threading.Thread(target=stop).start()

    when(one, step, soon, counting=counting)
    one.start(wanted(before))
    assert one.wait(120) is None
    assert "cancelled" == one.stages[step].state
    assert beside
    assert [] == [child for child in beside if child.is_running()]
    assert (["b"], []) == (left(before), list(scraps.iterdir()))


def test_it_is_done_beside_with_every_step_told_and_can_be_taken_back_and_put_there_again(
    patch_learner: Any, before: Path
) -> None:
    one = Shipment(patch_learner)
    seen: list[tuple[str, str]] = []
    one.watchers.append(
        lambda: seen.extend(p for s in one.stages.every if (p := (s.name, s.state)) not in seen and p[1] == "running")
    )
    one.start(wanted(before, recipe="fp16"))
    assert "working" == one.state
    with pytest.raises(UsageError, match="at work already"):
        one.start(wanted(before))
    bundle = one.wait(120)
    assert [(name, "running") for name in BUNDLE if name != "calibrate"] == seen
    assert ["skipped" if name == "calibrate" else "done" for name in BUNDLE] == [s.state for s in one.stages.every]
    assert "6 held-out files, 100 % the same answer" == one.stages["verify"].note.replace("\xa0", " ")
    assert ("done", "1.0.0", "fp16") == (one.state, bundle.version, bundle.recipe)
    assert [".b.before", "b"] == left(before)

    one.undo()
    assert ("undone", "0.9.0") == (one.state, version(before))
    assert one.wait() is None
    one.redo()
    assert ("done", "1.0.0") == (one.state, version(before))
    assert nd.Bundle.load(before).predict(*(before / name for name in bundle.manifest["samples"][:2]))
    one.undo()
    with pytest.raises(UsageError, match="nothing to take back"):
        one.undo()
    assert [".b.undone", "b"] == left(before)
    assert remembered.seconds("convert", "numpy", "fp16", one.about.parameters) is not None
    known = {name: step.known for name, step in one.estimate(wanted(before, recipe="fp16")).steps.items()}
    assert all(known.values())


@pytest.mark.usefixtures("quick")
def test_undo_of_a_first_deployment_leaves_nothing_and_refuses_what_is_another_by_now(
    patch_program: nd.Program, patch_bundle: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place" / "b"
    one = Shipment(patch_program)
    one.start(wanted(place, more={**QUICK, "latency_runs": 0}))
    assert one.wait(120).path == place
    shutil.move(place, tmp_path / "aside")
    shutil.copytree(patch_bundle, place)
    with pytest.raises(OutputError, match="not as it was left"):
        one.undo()
    shutil.rmtree(place)
    shutil.move(tmp_path / "aside", place)
    one.undo()
    assert not place.exists()
    one.redo()
    assert "1.0.0" == version(place)
    found = card(nd.Bundle.load(place))
    assert ([], 6) == (found["changed"], found["held_out"])
    with zipfile.ZipFile(BytesIO(zipped(place))) as archive:
        assert archive.testzip() is None
        assert {"b/manifest.json", "b/model.npz"} <= set(archive.namelist())
    with pytest.raises(OutputError, match="can be handed to the browser"):
        zipped(place, largest=10)


@pytest.mark.usefixtures("quick")
def test_a_recipe_that_spoils_answers_is_a_fault_of_the_step_with_diagnosis_and_may_be_accepted(
    patch_program: nd.Program, before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPY_TARGET_FAULT", "recipe")
    one = Shipment(patch_program)
    chosen = wanted(before, recipe="fp16", more={**QUICK, "latency_runs": 0})
    one.start(chosen)
    with pytest.raises(VerificationFailed):
        one.wait(120)
    assert ("failed", "failed") == (one.state, one.stages["verify"].state)
    fault = fault_of(one.error or Exception())
    assert "The recipe fp16 is to blame" in fault["message"]
    assert "failed" == fault["checks"][0]["status"]
    assert ("37.5 %" in fault["checks"][0]["value"]) or fault["checks"][0]["limit"].startswith("at least")
    assert fault["acceptable"]
    assert Path(fault["report"]).is_file()
    assert (["b", "b.failed"], "0.9.0") == (left(before), version(before))
    one.start(wanted(before, recipe="fp16", accept_failed="only a test", more={**QUICK, "latency_runs": 0}))
    bundle = one.wait(120)
    found = card(bundle)
    assert ("failed", "failed") == (found["sign"], found["checks"][0]["status"])
    assert found["changed"]
    assert found["changed"][0]["picture"].startswith("data:image/jpeg;base64,")
    assert found["changed"][0]["original"] != found["changed"][0]["deployed"]


def test_a_converter_that_fails_shows_its_log(
    patch_program: nd.Program, before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPY_TARGET_FAULT", "crash")
    one = Shipment(patch_program)
    one.start(wanted(before))
    with pytest.raises(ConversionError):
        one.wait(120)
    fault = fault_of(one.error or Exception())
    assert "failed" == one.stages["convert"].state
    assert ["a converter's noise", "the patch model is too small"] == fault["lines"]
    assert Path(fault["log"]).is_file()
    assert (["b"], "0.9.0") == (left(before), version(before))


def test_what_cannot_be_is_said_before_anything_is_begun(patch_program: nd.Program, tmp_path: Path) -> None:
    one = Shipment(patch_program)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert "holds other files" in one.estimate(wanted(tmp_path / "mine")).problem
    with pytest.raises(UsageError, match="holds other files"):
        one.start(wanted(tmp_path / "mine"))
    assert "choosing" == one.state
    with pytest.raises(UsageError, match="takes a Learner"):
        Shipment(42)


def test_the_same_model_is_the_same_shipment_and_is_not_kept_alive_by_it(
    patch_program: nd.Program, tmp_path: Path
) -> None:
    patch_program.save(tmp_path / "model")
    assert shipment(tmp_path / "model") is shipment(str(tmp_path / "model"))
    assert "saved model" == shipment(tmp_path / "model").about.kind
    other = nd.Program(patch_program.exported, patch_program.signature, patch_program.reference, "other")
    assert shipment(other) is shipment(other)
    gone, key = weakref.ref(other), id(other)
    del other
    assert gone() is None
    assert key not in module._known


class Place(Provider):
    """A place that answers nothing; it remembers what it was told."""

    name = "here"
    summary = "a place for tests"
    settings = (Setting("key", "a secret", "", secret=True),)
    status_here = "run"
    told: ClassVar[list[str]] = []
    wrong: ClassVar[bool] = False

    def check(self) -> list[Check]:
        return [Check("here", Status.passed)]

    def plan(self, bundle: nd.Bundle, name: str) -> Plan:
        return Plan("here", name, ("nothing",), why_no_price="free")

    def apply(self, bundle: nd.Bundle, name: str) -> dict[str, Any]:
        self.told.append(f"apply {name}")
        if self.wrong:
            raise ProviderError("It is closed.", hint="Come back tomorrow.")
        return {"url": ""}

    def status(self, record: Any) -> dict[str, Any]:
        return {"state": "unknown", "why": ""}

    def logs(self, record: Any, lines: int = 100) -> list[str]:
        return []

    def update(self, bundle: nd.Bundle, record: Any) -> dict[str, Any]:
        return {"url": ""}

    def rollback(self, record: Any) -> dict[str, Any]:
        return {"url": ""}

    def remove(self, record: Any) -> None:
        self.told.append("remove")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Place]:
    from nbdeploy_numpy import NumpyTarget

    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
    monkeypatch.setitem(registry.providers.own, "here", registry.Entry("x:Place", "a place for tests"))
    load = registry.Registry.load
    tables = {"here": Place, "cloud": NumpyTarget}  # the target of providers, lowered in no time
    monkeypatch.setattr(registry.Registry, "load", lambda self, name: tables.get(name) or load(self, name))
    Place.told, Place.wrong = [], False
    return Place


@pytest.mark.usefixtures("quick")
def test_at_a_provider_the_endpoint_goes_with_undo_and_a_failed_start_leaves_nothing(
    patch_program: nd.Program, before: Path, place: type[Place]
) -> None:
    one = Shipment(patch_program)
    chosen = wanted(before, provider="here", settings={"key": "geheim"}, more={**QUICK, "latency_runs": 0})
    assert "geheim" not in chosen.line("program", overwrite=True, secret=frozenset({"key"}))
    place.wrong = True
    one.start(chosen)
    with pytest.raises(ProviderError, match="closed"):
        one.wait(120)
    assert "failed" == one.stages["start"].state
    assert (["b"], "0.9.0") == (left(before), version(before))
    place.wrong = False
    when(one, "start", one.cancel)
    one.start(chosen)
    assert one.wait(120) is None
    assert (["b"], "0.9.0") == (left(before), version(before))
    one.watchers.clear()
    one.start(chosen)
    endpoint = one.wait(120)
    assert list(ENDPOINT) == [stage.name for stage in one.stages.every]
    assert ("patches", "1.0.0", "skipped") == (endpoint.name, version(before), one.stages["probe"].state)
    before.rename(before.with_name("aside"))
    with pytest.raises(OutputError, match="not as it was left"):
        one.undo()
    assert ["apply patches", "apply patches"] == place.told  # it answers as before
    before.with_name("aside").rename(before)
    one.undo()
    assert ["apply patches", "apply patches", "remove"] == place.told
    assert "0.9.0" == version(before)
    assert not one.can_redo
    assert ["b"] == left(before)
    assert {} == json.loads(json.dumps(dict(nd.endpoints())))
