"""Render: render.yaml as documented, a real git repository, and the real server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from nbdeploy.errors import ProviderError
from nbdeploy.providers import store
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.render import Render
from nbdeploy.providers.store import hashed
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, image_env, replay

SERVICE = {
    "type",
    "name",
    "runtime",
    "plan",
    "region",
    "dockerfilePath",
    "dockerContext",
    "numInstances",
    "healthCheckPath",
    "maxShutdownDelaySeconds",
    "envVars",
}

pytestmark = pytest.mark.usefixtures("work")


class TestRender(ProviderContract):
    provider = "render"
    settings: ClassVar[dict[str, str]] = {"repository": "git@git.example:you/colours.git"}
    cannot_act = "acts with an account only"


def test_the_blueprint_has_renders_keys_and_the_server_keeps_it(cloud_bundle) -> None:
    record = Render(repository="r").apply(cloud_bundle, "colours")
    folder, token = Path(record["folder"]), store.token("colours")
    (service,) = yaml.safe_load((folder / "render.yaml").read_text())["services"]
    assert set(service) == SERVICE
    assert (folder / service["dockerfilePath"]).is_file()
    assert 1 <= service["maxShutdownDelaySeconds"] <= 300
    env = {row["key"]: row.get("value", hashed(token)) for row in service["envVars"]}
    replay(folder, {**image_env(folder), **env}, health=service["healthCheckPath"], token=token)


def test_releases_are_pushed_and_the_one_before_comes_back(
    cloud_bundle, version_of, work: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.real("git", "rm", "sh")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "t")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "t@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    there = work.parent / "there.git"
    subprocess.run(["git", "init", "-q", "--bare", str(there)], check=True)

    def released() -> str:
        done = subprocess.run(
            ["git", "-C", str(there), "log", "-1", "--format=%s", "main"], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    place = Render(repository=str(there), url="http://127.0.0.1:1")
    record = place.apply(cloud_bundle, "colours")
    place.run(record["commands"], record)
    assert tag_of(cloud_bundle) == released()
    record = place.update(version_of("2.0.0"), record)
    assert tag_of(version_of("2.0.0")) == released()
    record = place.rollback(record)
    assert tag_of(cloud_bundle) == released()
    with pytest.raises(ProviderError, match="only you can fill in|not installed"):
        place.remove(record)
    with pytest.raises(ProviderError, match="its own page"):
        place.logs(record)
    assert "unknown" == place.status(record)["state"]
