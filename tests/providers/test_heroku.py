"""Heroku: its two files as documented, its command, and the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from nbdeploy.providers import store
from nbdeploy.providers.heroku import Heroku
from nbdeploy.providers.store import hashed
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, image_env, replay

pytestmark = pytest.mark.usefixtures("work")


class TestHeroku(ProviderContract):
    provider = "heroku"
    cannot_act = "acts with heroku and an account only"


def test_the_files_have_herokus_keys_and_the_server_keeps_them(cloud_bundle) -> None:
    record = Heroku().apply(cloud_bundle, "colours")
    folder, token = Path(record["folder"]), store.token("colours")
    build = yaml.safe_load((folder / "heroku.yml").read_text())
    assert {"build": {"docker": {"web": "Containerfile"}}} == build
    assert (folder / build["build"]["docker"]["web"]).is_file()
    app = json.loads((folder / "app.json").read_text())
    assert {"name", "stack", "env", "formation"} == set(app)
    assert ("container", {"quantity": 1, "size": "basic"}) == (app["stack"], app["formation"]["web"])
    env = {key: row.get("value", hashed(token)) for key, row in app["env"].items()}
    replay(folder, {**image_env(folder), **env}, health="/readyz", token=token)


def test_heroku_says_how_it_is_and_goes_back(cloud_bundle, version_of, tools: Tools) -> None:
    tools.add("heroku", "git").real("rm")
    tools.answer({"heroku ps": json.dumps([{"type": "web", "state": "up"}]), "heroku logs": "one"})
    place = Heroku()
    record = place.update(version_of("2.0.0"), place.apply(cloud_bundle, "colours"))
    assert "git push --force https://git.heroku.com/colours.git main" == tools.calls[-1]
    assert "up" == place.status(record)["state"]
    tools.answer({"heroku ps": "[]"})
    assert "down" == place.status(record)["state"]
    assert ["one"] == place.logs(record)
    place.rollback(record)
    assert "heroku releases:rollback -a colours" == tools.calls[-1]
    place.remove(record)
    assert "heroku apps:destroy -a colours --confirm colours" in tools.calls
