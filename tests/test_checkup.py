"""nd.doctor: what is installed, what is missing, what to type."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from nbdeploy import checkup as module
from nbdeploy.checkup import doctor
from nbdeploy.cli import main
from nbdeploy.registry import Entry, Registry


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    """A table of targets to fill, in the place of the real one."""
    own: dict[str, Entry] = {}
    monkeypatch.setattr(module, "targets", Registry("target", "nbdeploy.none", own))
    return own


def needs(monkeypatch: pytest.MonkeyPatch, name: str, *requires: str) -> str:
    """The path of a target class that requires these modules."""
    stub = ModuleType(name)
    stub.Target = type("Target", (), {"requires": requires})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, stub)
    return f"{name}:Target"


def test_says_what_is_missing_and_what_to_type(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table["good"] = Entry(needs(monkeypatch, "good_target", "json"), "made of JSON")
    table["bad"] = Entry(needs(monkeypatch, "bad_target", "json", "no_such_x", "no_such.y"), "not here", extra="bad")
    table["theirs"] = Entry(needs(monkeypatch, "their_target", "no_such_z"), "from them", package="nb-theirs")
    found = doctor()
    assert found.targets["good"].ready
    assert not found.ok
    assert found.to_dict()["targets"]["bad"] == {
        "ready": False,
        "missing": ["no_such_x", "no_such.y"],
        "install": 'pip install "nbdeploy[bad]"',
        "summary": "not here",
    }
    assert found.targets["theirs"].install == "pip install nb-theirs"
    assert "✗  bad" in str(found)
    assert 'Type: pip install "nbdeploy[bad]"' in str(found)
    assert "nbdeploy[bad]" in found._repr_html_()


def test_a_broken_target_of_a_third_party_does_not_take_the_doctor_down(table: Any) -> None:
    table["broken"] = Entry("no_such_package.x:There", "from them", package="nb-broken")
    table["wrong"] = Entry("json:NoSuchClass", "from them", package="nb-wrong")
    found = doctor()
    assert found.targets["broken"].missing == ("no_such_package",)
    assert not found.targets["wrong"].ready
    assert found.targets["wrong"].install == "pip install -U nb-wrong"


def test_the_document_has_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"targets", "providers", "python", "versions"} <= set(found)
    assert {"tflite", "onnx"} <= set(found["targets"])
    assert all({"ready", "missing", "install"} <= set(target) for target in found["targets"].values())
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_looks_without_importing_anything_heavy() -> None:
    code = (
        "import sys; from nbdeploy.checkup import doctor; d = doctor(); assert d.gpu is None;"
        "print([m for m in ('torch', 'fastai', 'onnxruntime', 'litert_torch', 'ai_edge_litert') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
