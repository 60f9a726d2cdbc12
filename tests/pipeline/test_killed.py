"""A run that is killed in the middle: the next one goes on with what was complete."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import ALL

SCRIPT = """
import sys
from tests.pipeline.conftest import Project
from pathlib import Path

project = Project(Path(sys.argv[1]))
project.doing.slow = sys.argv[2]
project.run()
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
@pytest.mark.parametrize(
    ("at", "left"), [("train", ALL[2:]), ("onnx-fp16", ALL[4:])], ids=["while training", "in the second deploy"]
)
def test_a_killed_run_is_gone_on_with(project: Any, root: Path, at: str, left: list[str]) -> None:
    place = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", SCRIPT, str(project.root), at]
    with subprocess.Popen(command, env=place, cwd=root, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not (project.root / "began").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        with pytest.raises(Exception, match=rf"Another run of this pipeline is at work \(process {process.pid}, since"):
            project.run()
        process.send_signal(signal.SIGKILL)
    assert project.run() == left
    assert project.run() == []
