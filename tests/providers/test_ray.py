"""Ray Serve, really run: replicas killed, a release rolled out and taken back under load, and no request lost."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.request import Request, urlopen

import jsonschema
import kubernetes_validate
import psutil
import pytest
import yaml

import nbdeploy as nd
from nbdeploy.providers.endpoint import Endpoint
from tests.providers.contract import Life, ProviderContract

pytest.importorskip("ray", reason='ray is not installed: pip install "nbdeploy[ray]"')
POD = {
    "type": "object",
    "required": ["spec"],
    "properties": {"spec": {"type": "object", "required": ["containers"]}},
}
GROUP = {"rayStartParams": {"type": "object"}, "template": POD}
# KubeRay's definition is not in kubernetes-validate: this is our own, of the fields that its documentation names.
RAY_SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayService"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["serveConfigV2", "rayClusterConfig"],
            "properties": {
                "serveConfigV2": {"type": "string"},
                "rayClusterConfig": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["headGroupSpec"],
                    "properties": {
                        "rayVersion": {"type": "string"},
                        "enableInTreeAutoscaling": {"type": "boolean"},
                        "headGroupSpec": {"type": "object", "additionalProperties": False, "properties": GROUP},
                        "workerGroupSpecs": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {
                                    **GROUP,
                                    "groupName": {"type": "string"},
                                    "replicas": {"type": "integer"},
                                    "minReplicas": {"type": "integer"},
                                    "maxReplicas": {"type": "integer"},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


class Load:
    """Three callers who ask without a pause; what they were answered."""

    def __init__(self, url: str, picture: bytes) -> None:
        self.url, self.picture, self.going = url, picture, True
        self.versions: list[str] = []
        self.lost: list[str] = []
        self.threads = [Thread(target=self._ask) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def _ask(self) -> None:
        while self.going:
            try:
                with urlopen(Request(f"{self.url}/predict", self.picture), timeout=60) as answer:
                    self.versions.append(json.load(answer)["model"]["version"])
            except OSError as error:
                self.lost.append(str(error))

    def wait(self, more: int) -> None:
        wanted, until = len(self.versions) + more, time.monotonic() + 60
        while len(self.versions) < wanted and time.monotonic() < until:
            time.sleep(0.02)

    def end(self) -> None:
        self.going = False
        for thread in self.threads:
            thread.join()


def _replicas(pid: int, name: str) -> list[psutil.Process]:
    every = psutil.Process(pid).children(recursive=True)
    titles = [(process, " ".join(process.cmdline())) for process in every if process.status() != psutil.STATUS_ZOMBIE]
    return [process for process, title in titles if title.startswith(f"ray::ServeReplica:{name}:replica")]


@pytest.mark.slow
class TestRay(ProviderContract):
    provider = "ray"
    settings: ClassVar[dict[str, str]] = {"replicas": "2", "cpus": "0.5"}

    @pytest.fixture(scope="class", autouse=True)
    def under_load(self, cloud_bundle: nd.Bundle) -> Iterator[dict[str, Any]]:
        """The life of the contract, with callers and a replica that is killed before the update."""
        seen: dict[str, Any] = {}
        picture = (cloud_bundle.path / cloud_bundle.manifest["samples"][0]).read_bytes()
        update, rollback, remove = Endpoint.update, Endpoint.rollback, Endpoint.remove

        def updated(one: Endpoint, *args: Any, **options: Any) -> Endpoint:
            seen["pid"] = one.record["pid"]
            seen["load"] = load = Load(one.url, picture)
            load.wait(30)
            before = _replicas(one.record["pid"], one.name)
            before[0].kill()
            load.wait(100)
            seen["killed"] = (len(before), len(load.versions), list(load.lost))
            return update(one, *args, **options)

        def back(one: Endpoint) -> Endpoint:
            try:
                return rollback(one)
            finally:
                if seen["load"].going:
                    seen["load"].wait(30)
                    seen["load"].end()

        def removed(one: Endpoint) -> None:
            holder = psutil.Process(one.record["pid"])
            seen["processes"] = [holder, *holder.children(recursive=True)]
            remove(one)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Endpoint, "update", updated)
            patch.setattr(Endpoint, "rollback", back)
            patch.setattr(Endpoint, "remove", removed)
            yield seen
        if "load" in seen:
            seen["load"].end()

    def test_no_request_is_lost_when_a_replica_is_killed(self, life: Life, under_load: dict[str, Any]) -> None:
        replicas, answered, lost = under_load["killed"]
        assert (2, []) == (replicas, lost)
        assert answered >= 100

    def test_no_request_is_lost_while_releases_change(self, life: Life, under_load: dict[str, Any]) -> None:
        load = under_load["load"]
        assert [] == load.lost
        assert {"1.0.0", "2.0.0"} == set(load.versions)

    def test_no_process_of_ray_is_left(self, life: Life, under_load: dict[str, Any]) -> None:
        gone, left = psutil.wait_procs(under_load["processes"], timeout=10)
        assert (True, []) == (len(gone) > 5, left)


def test_the_ray_service_is_what_kuberay_takes(cloud_bundle: nd.Bundle) -> None:
    from nbdeploy.registry import providers

    plan = providers.load("ray")(replicas="2", max="4", image="registry.example/colours").plan(cloud_bundle, "colours")
    service = yaml.safe_load(plan.files["rayservice.yaml"])
    jsonschema.validate(service, RAY_SERVICE)
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": group["template"]["spec"]}
        kubernetes_validate.validate(pod, "1.30", strict=True)
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    assert "rayserve:app" == application["import_path"]
    assert {"replicas": 2, "max": 4, "cpus": 1.0} == application["args"]
    assert (2, 4) == (cluster["workerGroupSpecs"][0]["minReplicas"], cluster["workerGroupSpecs"][0]["maxReplicas"])


def test_ray_serve_takes_the_config_of_the_ray_service(cloud_bundle: nd.Bundle) -> None:
    from ray.serve.schema import ServeDeploySchema

    from nbdeploy.registry import providers

    plan = providers.load("ray")().plan(cloud_bundle, "colours")
    service = yaml.safe_load(plan.files["rayservice.yaml"])
    taken = ServeDeploySchema.model_validate(yaml.safe_load(service["spec"]["serveConfigV2"]))
    assert "colours" == taken.applications[0].name


def test_more_requests_make_more_replicas_where_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbdeploy.providers.rayservice import HOSTS

    monkeypatch.syspath_prepend(str(HOSTS))
    rayserve = importlib.import_module("rayserve")
    deployments = rayserve.app({"replicas": 1, "max": 3})._bound_deployment
    (replica,) = [one._bound_deployment for one in deployments.init_args]
    scale = replica._deployment_config.autoscaling_config
    assert (1, 3, 2) == (scale.min_replicas, scale.max_replicas, scale.target_ongoing_requests)
    assert 16 == replica.max_ongoing_requests


def test_an_interrupted_start_leaves_no_process(
    cloud_bundle: nd.Bundle, own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while it is asked about its samples."""
    from nbdeploy.providers import rayplace

    started: list[psutil.Popen] = []

    def hold(folder: Path, _: Any) -> int:
        code = "import time; print(flush=True); time.sleep(60)"
        started.append(psutil.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE))
        with started[0].stdout as said:
            said.readline()  # by now the system knows its command line, too
        return int(started[0].pid)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rayplace, "start_holder", hold)
    monkeypatch.setattr(rayplace, "probe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nd.deploy(cloud_bundle, provider="ray", endpoint="colours")
    assert not started[0].is_running() or started[0].status() == psutil.STATUS_ZOMBIE
    assert not list((own_state / "ray").iterdir())
    assert "colours" not in nd.endpoints()


def test_an_interrupted_wait_for_ray_ends_what_was_started(
    cloud_bundle: nd.Bundle, own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before Ray says that it is there."""
    from nbdeploy.providers import rayprocess

    ended: list[tuple[int, Path]] = []

    class Process:
        pid, stdin = 12345, io.StringIO()

        def __init__(self, *_: Any, **__: Any) -> None:
            self.stdout = self._nothing()

        def _nothing(self) -> Iterator[str]:
            raise KeyboardInterrupt
            yield ""

    monkeypatch.setenv("NBDEPLOY_RUNS", "off")  # which asks git, by a process of the same class
    monkeypatch.setattr(rayprocess.subprocess, "Popen", Process)
    monkeypatch.setattr(rayprocess, "end_holder", lambda *which: ended.append(which))
    with pytest.raises(KeyboardInterrupt):
        nd.deploy(cloud_bundle, provider="ray", endpoint="colours")
    assert [(12345, own_state / "ray" / "colours")] == ended
