"""Kubernetes: objects held to their schemas, a kubectl of the test's own, and the real server behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import kubernetes_validate
import pytest
import yaml

from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.kubernetes import FILE, Kubernetes
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.store import hashed
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, replay, served

GIVEN = {"image": "registry.example/colours"}
KINDS = ["ServiceAccount", "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]
# KServe's definition is not in kubernetes-validate: this is our own, of the fields that its documentation names.
INFERENCE_SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "serving.kserve.io/v1beta1"},
        "kind": {"const": "InferenceService"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["predictor"],
            "properties": {
                "predictor": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["containers"],
                    "properties": {
                        "minReplicas": {"type": "integer", "minimum": 0},
                        "maxReplicas": {"type": "integer", "minimum": 1},
                        "timeout": {"type": "integer"},
                        "securityContext": {"type": "object"},
                        "volumes": {"type": "array"},
                        "containers": {"type": "array", "minItems": 1, "maxItems": 1},
                    },
                }
            },
        },
    },
}

pytestmark = pytest.mark.usefixtures("work")


class TestKubernetes(ProviderContract):
    provider = "kubernetes"
    settings = GIVEN
    cannot_act = "acts with a cluster only; its life is below, with a kubectl of the test's own"


class TestKServe(ProviderContract):
    provider = "kubernetes"
    settings: ClassVar[dict[str, str]] = {**GIVEN, "kind": "kserve"}
    cannot_act = "acts with a cluster only"


def _objects(place: Kubernetes, bundle: Any) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(place.files(bundle, "colours")[FILE]))


def test_every_object_is_what_kubernetes_takes(cloud_bundle) -> None:
    objects = _objects(Kubernetes(**GIVEN), cloud_bundle)
    assert [one["kind"] for one in objects] == KINDS
    for one in objects:
        kubernetes_validate.validate(one, "1.30", strict=True)


def test_a_pod_may_do_as_little_as_possible_and_says_how_it_is(cloud_bundle) -> None:
    pod = _objects(Kubernetes(**GIVEN), cloud_bundle)[1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    can = container["securityContext"]
    assert {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}} == can
    paths = {kind: container[kind]["httpGet"]["path"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"} == paths
    secret = next(row for row in container["env"] if row["name"] == "NBDEPLOY_TOKEN_SHA256")
    assert {"name": "colours-token", "key": "NBDEPLOY_TOKEN_SHA256"} == secret["valueFrom"]["secretKeyRef"]
    assert "Secret" not in [one["kind"] for one in _objects(Kubernetes(**GIVEN), cloud_bundle)]


def test_the_server_keeps_what_the_pod_is_told(cloud_bundle) -> None:
    (container,) = _objects(Kubernetes(**GIVEN), cloud_bundle)[1]["spec"]["template"]["spec"]["containers"]
    env = {row["name"]: row.get("value", hashed("t")) for row in container["env"]}
    replay(cloud_bundle.path, env, health=container["readinessProbe"]["httpGet"]["path"], token="t")


def test_kserve_gets_the_same_container_and_its_protocol_is_spoken(cloud_bundle) -> None:
    (service,) = _objects(Kubernetes(**GIVEN, kind="kserve"), cloud_bundle)
    jsonschema.validate(service, INFERENCE_SERVICE)
    predictor = service["spec"]["predictor"]
    pod = {key: predictor[key] for key in ("containers", "volumes", "securityContext")}
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}
    kubernetes_validate.validate(whole, "1.30", strict=True)
    env = {row["name"]: row.get("value", hashed("t")) for row in predictor["containers"][0]["env"]}
    with served(cloud_bundle.path, env) as server:
        assert 200 == server.ask("/v2/health/ready")[0]
        assert 0 == server.end()


def test_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="deployment or kserve"):
        Kubernetes(**GIVEN, kind="statefulset")


def test_without_a_cluster_files_and_commands_are_left(cloud_bundle, tools: Tools) -> None:
    place = Kubernetes(**GIVEN)
    assert {"not_run"} == {check.status.value for check in place.check()}
    record = place.apply(cloud_bundle, "colours")
    assert "" == record["url"]
    starts = [" ".join(line.split()[:6]) for line in record["commands"]]
    assert "kubectl -n default create secret generic" == starts[2]
    assert (Path(record["folder"]) / FILE).is_file()
    tools.add("kubectl").answer({"current-context": (1, "")})
    assert "not_run" == place.check()[-1].status.value
    assert "" == place.apply(cloud_bundle, "colours")["url"]


@pytest.fixture
def cluster(tools: Tools) -> Tools:
    """A kubectl that says yes, and a context."""
    tools.add("kubectl").real("rm")
    tools.answer({"current-context": "kind-test", "kubectl -n default logs": "one\ntwo"})
    tools.answer(
        {"get deployment": json.dumps({"kind": "Deployment", "status": {"availableReplicas": 2, "replicas": 2}})}
    )
    return tools


def test_it_applies_waits_and_asks_through_a_tunnel(cloud_bundle, version_of, cluster: Tools) -> None:
    place, record = Kubernetes(**GIVEN), {}
    for bundle in (cloud_bundle, version_of("2.0.0")):
        token = store.token("colours") or None
        env = {"NBDEPLOY_PUBLIC": "1"} if token is None else {"NBDEPLOY_TOKEN_SHA256": hashed(token)}
        with served(bundle.path, env) as server:
            cluster.answer({"port-forward": f"Forwarding from 127.0.0.1:{server.port} -> 8080"})
            record = place.apply(bundle, "colours") if bundle is cloud_bundle else place.update(bundle, record)
    assert "http://colours.default.svc" == record["url"]
    done = [call.removeprefix("kubectl -n default ") for call in cluster.calls]
    apply = ["apply -f endpoint.yaml", "rollout status deployment/colours --timeout=600s"]
    assert apply == [call for call in done if call.startswith(("apply", "rollout"))][:2]
    assert any(call.startswith("create secret generic colours-token") for call in done)
    assert ("up", ["two"]) == (place.status(record)["state"], place.logs(record, 1))
    record = place.rollback(record)
    assert tag_of(cloud_bundle) in (Path(record["folder"]) / FILE).read_text()
    place.remove(record)
    assert "kubectl -n default delete secret colours-token --ignore-not-found" in cluster.calls
    place.remove(record)


def test_a_release_that_does_not_come_up_is_taken_back(cloud_bundle, version_of, cluster: Tools) -> None:
    place = Kubernetes(**GIVEN)
    with served(cloud_bundle.path, {"NBDEPLOY_PUBLIC": "1"}) as server:
        cluster.answer({"port-forward": f"Forwarding from 127.0.0.1:{server.port} -> 8080"})
        record = place.apply(cloud_bundle, "colours")
    applied = (Path(record["folder"]) / FILE).read_text()
    calls = len(cluster.calls)
    cluster.answer({"apply -f": (1, "error: no room")})
    with pytest.raises(ProviderError, match="no room"):
        place.update(version_of("2.0.0"), record)
    assert 2 == sum(" apply -f " in call for call in cluster.calls[calls:])
    assert (Path(record["folder"]) / FILE).read_text() == applied


def test_one_that_never_came_up_leaves_nothing(cloud_bundle, cluster: Tools) -> None:
    cluster.answer({"rollout status": (1, "error: timed out")})
    with pytest.raises(ProviderError, match="timed out"):
        Kubernetes(**GIVEN).apply(cloud_bundle, "colours")
    assert any("delete -f endpoint.yaml" in call for call in cluster.calls)
    assert not Path("build/colours-kubernetes").exists()
