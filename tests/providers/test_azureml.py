"""Azure Machine Learning: its two files, and its three routes asked of the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from nbdeploy.providers.azureml import AzureMl, deployment_of
from nbdeploy.providers.releases import tag_of
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, image_env, replay

GIVEN = {"image": "example.azurecr.io/colours", "group": "g", "workspace": "w"}
DEPLOYMENT = {
    "$schema",
    "name",
    "endpoint_name",
    "environment",
    "environment_variables",
    "instance_type",
    "instance_count",
    "request_settings",
}

pytestmark = pytest.mark.usefixtures("work")


class TestAzureMl(ProviderContract):
    provider = "azureml"
    settings = GIVEN
    cannot_act = "acts with az and an account only"


def test_the_files_have_azures_keys_and_the_server_keeps_their_routes(cloud_bundle) -> None:
    record = AzureMl(**GIVEN).apply(cloud_bundle, "colours")
    folder = Path(record["folder"])
    endpoint = yaml.safe_load((folder / "endpoint.yml").read_text())
    assert {"$schema", "name", "auth_mode"} == set(endpoint)
    assert endpoint["auth_mode"] in {"key", "aml_token", "aad_token"}
    deployment = yaml.safe_load((folder / "deployment.yml").read_text())
    assert set(deployment) == DEPLOYMENT
    assert "colours" == deployment["endpoint_name"]
    assert len(deployment["name"]) <= 32
    routes = deployment["environment"]["inference_config"]
    assert {"liveness_route", "readiness_route", "scoring_route"} == set(routes)
    assert {"path", "port"} == set(routes["scoring_route"])
    env = {**image_env(folder), **deployment["environment_variables"]}
    assert str(routes["scoring_route"]["port"]) == env["PORT"]
    for route in ("liveness_route", "readiness_route"):
        replay(folder, env, health=routes[route]["path"], predict=routes["scoring_route"]["path"])


def test_a_release_is_a_deployment_and_traffic_goes_back_to_the_one_before(
    cloud_bundle, version_of, tools: Tools
) -> None:
    tools.add("az", "docker").real("rm")
    tools.answer(
        {"endpoint show": json.dumps({"provisioning_state": "Succeeded", "scoring_uri": "https://x.example/"})}
    )
    place = AzureMl(**GIVEN)
    record = place.update(version_of("2.0.0"), place.apply(cloud_bundle, "colours"))
    assert ("up", "https://x.example/") == (place.status(record)["state"], place.status(record)["url"])
    record = place.rollback(record)
    assert f"--traffic {deployment_of(tag_of(cloud_bundle))}=100 -g g -w w" in tools.calls[-1]
    place.remove(record)
    assert any("online-endpoint delete -n colours --yes" in call for call in tools.calls)
