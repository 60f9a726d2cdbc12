"""Vertex AI: routes and bodies as it documents them, asked of the real server."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.vertex import Vertex, number
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, expected, image_env, served

GIVEN = {"image": "europe-docker.example/p/colours", "region": "europe-west1"}

pytestmark = pytest.mark.usefixtures("work")


class TestVertex(ProviderContract):
    provider = "vertex"
    settings = GIVEN
    cannot_act = "acts with gcloud and an account only"


def _options(line: str) -> dict[str, str]:
    return dict(word.lstrip("-").split("=", 1) for word in shlex.split(line) if word.startswith("--") and "=" in word)


def test_the_server_keeps_vertex_contract(cloud_bundle) -> None:
    record = Vertex(**GIVEN).apply(cloud_bundle, "colours")
    folder = Path(record["folder"])
    told = _options(next(line for line in record["commands"] if " models upload " in line))
    env = dict(pair.split("=", 1) for pair in told["container-env-vars"].split(","))
    health, predict = told["container-health-route"], told["container-predict-route"]
    aip = {"AIP_HEALTH_ROUTE": health, "AIP_PREDICT_ROUTE": predict}
    body = (folder / "request.json").read_bytes()
    assert len(body) < 1_500_000
    with served(folder, {**image_env(folder), **env, **aip}, port="AIP_HTTP_PORT") as server:
        assert 200 == server.ask(health)[0]
        status, said = server.ask(predict, body, Content_Type="application/json")
        assert (200, 1) == (status, len(said["predictions"]))
        sizes = {name: (folder / name).stat().st_size for name in cloud_bundle.manifest["samples"]}
        small = min(sizes, key=lambda name: sizes[name])
        answer = said["predictions"][0]
        assert expected(folder, Path(small).name) == pytest.approx(answer["probabilities"], abs=1e-4)
        assert 0 == server.end()


def test_names_of_vertex_are_short_and_always_the_same() -> None:
    assert number("colours") == number("colours") != number("colors")
    assert number("colours").isdecimal()
    assert len(number("colours")) <= 10


def test_every_release_is_taken_away(cloud_bundle, version_of, tools: Tools) -> None:
    tools.add("gcloud", "docker").real("rm")
    tools.answer({"describe": json.dumps({"trafficSplit": {"7": 100}})})
    place = Vertex(**GIVEN)
    record = place.update(version_of("2.0.0"), place.apply(cloud_bundle, "colours"))
    assert "up" == place.status(record)["state"]
    tools.answer({"describe": "{}"})
    assert "down" == place.status(record)["state"]
    record = place.rollback(record)
    assert f"--traffic-split={number(tag_of(cloud_bundle))}=100" in tools.calls[-1]
    place.remove(record)
    assert 2 == sum("undeploy-model" in call for call in tools.calls)
    assert 2 == sum("models delete" in call for call in tools.calls)
