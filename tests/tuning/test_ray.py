"""Trials on a Ray cluster, by Ray Tune, into the same study."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import nbdeploy as nd
from nbdeploy.errors import MissingExtra

ON_RAY = """
import json, os, sys
import nbdeploy as nd
from nbdeploy.core.progress import quiet
from tests.tuning.conftest import TINY
images = nd.ImageSet.from_folder(sys.argv[1], valid=.25)
with quiet():
    here = nd.tune(images, **TINY, trials=1, name="pets", refit=False)
    there = nd.tune(images, **TINY, trials=2, name="pets", engine="ray", workers=1, refit=False)
import ray
states = [trial.state for trial in there]
same = here.tried[0].values == there.tried[0].values
curves = [sorted(trial.curve) for trial in there]
print(json.dumps([states, same, curves, ray.is_initialized(), os.environ["RAY_USAGE_STATS_ENABLED"]]))
"""


@pytest.mark.slow
def test_a_ray_cluster_goes_on_with_a_study_that_was_begun_here(root, few):
    pytest.importorskip("ray.tune", reason='ray is not installed: pip install "nbdeploy[ray]"')
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment["PYTHONPATH"] = str(root)
    command = [sys.executable, "-c", ON_RAY, few.source]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, cwd=root, timeout=400)
    assert 0 == done.returncode, done.stderr
    states, same, curves, running, reported = json.loads(done.stdout.splitlines()[-1])
    assert ["complete"] * 2 == states
    assert same
    assert all(8 in curve for curve in curves)
    assert not running
    assert "0" == reported


def test_without_ray_the_install_line_is_said(few, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    for module in ("nbdeploy.tuning.raytune", "nbdeploy.data.raycluster"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(MissingExtra, match=r"nbdeploy\[ray\]"):
        nd.tune(few, **tiny, engine="ray")
