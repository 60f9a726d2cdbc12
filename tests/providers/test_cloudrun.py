"""Cloud Run: its service file, its commands, and its contract with the container."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nbdeploy.errors import ProviderError
from nbdeploy.providers import store
from nbdeploy.providers.cloudrun import CloudRun
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.store import hashed
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, image_env, replay

GIVEN = {"image": "europe-docker.example/p/colours", "region": "europe-west1"}
READY = '{"status": {"conditions": [{"type": "Ready", "status": "True"}], "url": "https://colours.example"}}'

pytestmark = pytest.mark.usefixtures("work")


class TestCloudRun(ProviderContract):
    provider = "cloudrun"
    settings = GIVEN
    cannot_act = "acts with gcloud and an account only"


def test_the_service_is_what_cloud_run_documents_and_the_server_keeps_it(cloud_bundle) -> None:
    record = CloudRun(**GIVEN).apply(cloud_bundle, "colours")
    folder, token = Path(record["folder"]), store.token("colours")
    service = yaml.safe_load((folder / "service.yaml").read_text())
    assert ("serving.knative.dev/v1", "Service") == (service["apiVersion"], service["kind"])
    template = service["spec"]["template"]
    assert {"containerConcurrency", "timeoutSeconds", "containers"} == set(template["spec"])
    (container,) = template["spec"]["containers"]
    assert {"image", "ports", "env", "resources", "startupProbe", "livenessProbe"} == set(container)
    assert [{"name": "http1", "containerPort": 8080}] == container["ports"]
    env = {row["name"]: row.get("value", hashed(token)) for row in container["env"]}
    assert "1" == env["ORT_DISABLE_TELEMETRY"]
    told = {**image_env(folder), **env}
    replay(folder, told, health=container["startupProbe"]["httpGet"]["path"], token=token)


def test_the_commands_come_in_order_and_hold_the_tokens_hash_only(cloud_bundle) -> None:
    record = CloudRun(**GIVEN).apply(cloud_bundle, "colours")
    starts = [" ".join(line.split()[:2]) for line in record["commands"]]
    assert ["docker build", "docker push", "printf %s", "gcloud run"] == starts
    text = (Path(record["folder"]) / "commands.txt").read_text()
    assert hashed(store.token("colours")) in text
    assert store.token("colours") not in text


def test_gcloud_says_how_it_is_and_goes_back(cloud_bundle, version_of, tools: Tools) -> None:
    tools.add("gcloud", "docker").real("rm")
    tools.answer({"describe": READY, "logs read": "one\ntwo"})
    place = CloudRun(**GIVEN)
    record = place.apply(cloud_bundle, "colours")
    assert ("up", "https://colours.example") == (place.status(record)["state"], place.status(record)["url"])
    assert ["two"] == place.logs(record, 1)
    with pytest.raises(ProviderError, match="this very release"):
        place.update(cloud_bundle, record)
    record = place.update(version_of("2.0.0"), record)
    assert "gcloud run services replace service.yaml --region=europe-west1" == tools.calls[-1]
    record = place.rollback(record)
    assert f"--to-revisions=colours-{tag_of(cloud_bundle)}=100" in tools.calls[-1]
    place.remove(record)
    assert any("run services delete colours --quiet" in call for call in tools.calls)
    assert not Path(record["folder"]).exists()
    place.remove(record)


@pytest.mark.usefixtures("tools")
def test_without_gcloud_the_person_is_told_what_to_type(cloud_bundle, version_of) -> None:
    place = CloudRun(**GIVEN)
    record = place.apply(cloud_bundle, "colours")
    found = place.status(record)
    assert "unknown" == found["state"]
    assert "gcloud run services describe colours" in found["why"]
    assert ["not_run"] * 3 == [check.status.value for check in place.check()]
    for change in (lambda: place.update(version_of("2.0.0"), record), lambda: place.remove(record)):
        with pytest.raises(ProviderError, match="gcloud.* not installed here"):
            change()
