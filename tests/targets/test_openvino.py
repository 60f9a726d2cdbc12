"""The openvino target."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.exporting.program import save_exported
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestOpenvino(TargetContract):
    """Held to what every target promises."""

    target = "openvino"


# Converts, quantizes, loads and runs, and prints what touched the network, what was written in the home, and whether
# the package that reports its use was loaded.
_CONVERT_AND_RUN = """
import sys
from pathlib import Path
import numpy as np

touched = []
network = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
sys.addaudithook(lambda event, _: touched.append(event) if event in network else None)

from nbdeploy.core.recipe import recipe_named
from nbdeploy.core.signature import Signature, Step
from nbdeploy.exporting.program import load_exported
from nbdeploy.targets.openvino import OpenvinoTarget

work = Path(sys.argv[1])
exported = load_exported((work / "program.pt2").read_bytes(), where=work)
step = Step(op="squish_resize", width=32, height=32)
signature = Signature(width=32, height=32, channels=3, labels=("a", "b", "c"), steps=(step,))
pictures = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
target = OpenvinoTarget()
target.lower(exported, signature, work / "base.xml")
target.shrink(work / "base.xml", work / "model.xml", recipe_named("static_int8"), pictures, signature)
target.load(str(work / "model.xml"), 1)(pictures[:1])
left = [p for p in Path.home().rglob("*") if "telemetry" in p.name or p.name == "intel"]
print(touched, left, sorted(name for name in sys.modules if name.startswith("openvino_telemetry.")))
"""


@pytest.mark.slow
def test_nothing_of_it_phones_home_or_writes_there(conv_learner: Any, tmp_path: Path) -> None:
    save_exported(nd.export(conv_learner).exported, tmp_path / "program.pt2")
    home = tmp_path / "home"
    home.mkdir()
    # Reporting is left out in continuous integration, and in pytest's own process: neither is what a user has.
    kept = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith(("PYTEST", "GITHUB", "JENKINS"))}
    done = subprocess.run(
        [sys.executable, "-c", _CONVERT_AND_RUN, str(tmp_path)],
        env={**kept, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-2000:]
    assert "[] [] []" == done.stdout.strip().splitlines()[-1]


# What a training with workers leaves behind: a handler of Python's for the end of a child.
_LOAD_DROP_AND_END_A_CHILD = """
import faulthandler, gc, signal, subprocess, sys
import nbdeploy as nd

faulthandler.enable()
signal.signal(signal.SIGCHLD, lambda *_: None)
first, second = nd.Bundle.open(sys.argv[1]), nd.Bundle.open(sys.argv[1])
for bundle in (first, second):
    bundle.predict(sys.argv[2])
del first, bundle
gc.collect()
del second
gc.collect()
subprocess.run([sys.executable, "-c", ""])
print("alive")
"""


@pytest.mark.slow
def test_bundles_that_are_let_go_leave_the_process_its_signals(conv_learner: Any, tmp_path: Path) -> None:
    bundle = nd.deploy(conv_learner, target="openvino", out=tmp_path / "b", samples=1, latency_runs=0)
    done = subprocess.run(
        [sys.executable, "-c", _LOAD_DROP_AND_END_A_CHILD, bundle.path, bundle.path / bundle.manifest["samples"][0]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "alive\n") == (done.returncode, done.stdout)
