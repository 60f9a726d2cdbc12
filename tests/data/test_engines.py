"""Where files are measured: here or on a Ray cluster, with the same findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.cli import main
from nbdeploy.errors import MissingExtra, UnknownName
from tests.planted import jpeg, scene

ON_RAY = """
import json, os, sys
from pathlib import Path
import nbdeploy as nd
from nbdeploy.core.progress import quiet
from nbdeploy.data import raycluster
raycluster._BATCH = 4
with quiet():
    here = nd.audit(sys.argv[1])
    os.environ["NBDEPLOY_CACHE"] = sys.argv[2]
    there = nd.audit(sys.argv[1], engine="ray")
    import ray
    running = ray.is_initialized()
    raycluster.facts_of = None  # a second audit asks nobody
    again = nd.audit(sys.argv[1], engine="ray")
print(json.dumps([here == there, there == again, running, there.files, os.environ["RAY_USAGE_STATS_ENABLED"]]))
"""
DYING = """
import json, os, sys
from pathlib import Path
from nbdeploy.data import raycluster
real = raycluster.facts_of
raycluster._RETRIES = 1
def measured(places, paths):
    import os
    if any(path.endswith(b"3.jpg") for path in paths):
        os._exit(9)
    return raycluster_measured(places, paths)
raycluster_measured = raycluster._measured
raycluster._measured = measured
with raycluster.engine() as measure:
    paths = [Path(sys.argv[1], f"{k}.jpg") for k in range(6)]
    refused = [facts.refused[0] for facts in measure(paths)]
print(json.dumps(refused))
"""


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(10):
        (root / f"{number}.jpg").write_bytes(jpeg(scene(number)))
    (root / "empty.jpg").write_bytes(b"")
    (root / "copy.jpg").write_bytes(jpeg(scene(1), quality=60))
    return root


def test_an_engine_that_does_not_exist_is_named_before_anything_is_read(tmp_path):
    with pytest.raises(UnknownName, match='Did you mean "ray"'):
        nd.audit(tmp_path / "there is no such folder", engine="rai")
    assert ["local", "ray"] == registry.engines.names()


def test_the_terminal_takes_an_engine(folder, capsys):
    assert 0 == main(["audit", str(folder), "--engine", "local", "--json"])
    assert 12 == json.loads(capsys.readouterr().out)["files"]
    assert 2 == main(["audit", str(folder), "--engine", "rya"])
    assert 'Did you mean "ray"' in capsys.readouterr().err


def test_without_ray_the_install_line_is_said(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "nbdeploy.data.raycluster", raising=False)
    with pytest.raises(MissingExtra, match=r"nbdeploy\[ray\]"):
        nd.audit(folder, engine="ray")


def _on_ray(root, script: str, *arguments: object) -> list:
    pytest.importorskip("ray", reason='ray is not installed: pip install "nbdeploy[ray]"')
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment["PYTHONPATH"] = str(root)
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, cwd=root, timeout=400)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_findings_is_cached_and_is_ended(root, folder, tmp_path):
    same, cached, running, files, reported = _on_ray(root, ON_RAY, folder, tmp_path / "other-cache")
    assert same
    assert cached
    assert not running
    assert 12 == files
    assert "0" == reported


@pytest.mark.slow
def test_a_file_that_ends_rays_worker_is_named_and_the_others_are_measured(root, folder):
    assert ["", "", "", "unreadable", "", ""] == _on_ray(root, DYING, folder)
