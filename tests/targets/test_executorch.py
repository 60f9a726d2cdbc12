"""The executorch target."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.targets.executorch import ExecutorchTarget
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestExecutorch(TargetContract):
    """Held to what every target promises."""

    target = "executorch"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of ExecuTorch's own, which the converter keeps in its log
def test_its_threads_are_as_many_as_asked_for(conv_learner: Any, tmp_path: Path) -> None:
    from executorch.extension.pybindings import portable_lib

    target = ExecutorchTarget()
    program = nd.export(conv_learner)
    target.lower(program.exported, program.signature, tmp_path / "model.pte")
    for wanted in (2, 1):
        target.load(str(tmp_path / "model.pte"), wanted)
        assert wanted == portable_lib._threadpool_get_thread_count()


@pytest.mark.slow
def test_what_its_packages_say_of_one_another_is_not_shown() -> None:
    load = "from pathlib import Path; from nbdeploy.templates.python.predict import load_module"
    code = f"{load}; load_module(Path({str(ExecutorchTarget.runtime)!r}))"
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)
    assert "" == done.stdout + done.stderr


def test_its_apps_read_everything_from_the_manifest() -> None:
    (folder,) = ExecutorchTarget.apps
    for file in ("Classifier.kt", "Classifier.swift"):
        code = (folder / file).read_text(encoding="utf-8")
        assert '"manifest' in code
        assert not re.search(r"\b(224|64|0\.485|0\.229)\b", code)
    assert "not been compiled" in (folder / "README.md").read_text(encoding="utf-8")
