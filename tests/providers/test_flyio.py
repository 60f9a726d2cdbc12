"""Fly.io: fly.toml as documented, and what it says kept by the real server."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from nbdeploy.providers import store
from nbdeploy.providers.flyio import FlyIo
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.store import hashed
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, image_env, replay

GIVEN = {"region": "fra"}
SERVICE = {
    "internal_port",
    "force_https",
    "auto_stop_machines",
    "auto_start_machines",
    "min_machines_running",
    "processes",
    "concurrency",
    "checks",
}

pytestmark = pytest.mark.usefixtures("work")


class TestFlyIo(ProviderContract):
    provider = "flyio"
    settings = GIVEN
    cannot_act = "acts with fly and an account only"


def test_the_file_has_flys_keys_and_the_server_keeps_it(cloud_bundle) -> None:
    record = FlyIo(**GIVEN).apply(cloud_bundle, "colours")
    folder, token = Path(record["folder"]), store.token("colours")
    told = tomllib.loads((folder / "fly.toml").read_text())
    top = {"app", "primary_region", "kill_signal", "kill_timeout", "build", "env", "deploy", "http_service", "vm"}
    assert top == set(told)
    assert ("colours", "SIGTERM") == (told["app"], told["kill_signal"])
    assert set(told["http_service"]) == SERVICE
    assert str(told["http_service"]["internal_port"]) == told["env"]["PORT"]
    assert (folder / told["build"]["dockerfile"]).is_file()
    (check,) = told["http_service"]["checks"]
    env = {**image_env(folder), **told["env"], "NBDEPLOY_TOKEN_SHA256": hashed(token)}
    replay(folder, env, health=check["path"], token=token)
    assert any(f"NBDEPLOY_TOKEN_SHA256={hashed(token)}" in line for line in record["commands"])
    assert "https://colours.fly.dev" == record["url"]


def test_fly_says_how_it_is_and_goes_back_to_the_image_before(cloud_bundle, version_of, tools: Tools) -> None:
    tools.add("fly").real("rm")
    tools.answer({"fly status": json.dumps({"Machines": [{"state": "started"}]}), "fly logs": "a\nb"})
    place = FlyIo(**GIVEN, url="http://127.0.0.1:1")
    record = place.update(version_of("2.0.0"), place.apply(cloud_bundle, "colours"))
    assert "up" == place.status(record)["state"]
    tools.answer({"fly status": json.dumps({"Machines": []})})
    assert "down" == place.status(record)["state"]
    assert ["a", "b"] == place.logs(record)
    record = place.rollback(record)
    assert f"--image registry.fly.io/colours:{tag_of(cloud_bundle)}" in tools.calls[-1]
    place.remove(record)
    assert "fly apps destroy colours --yes" in tools.calls
