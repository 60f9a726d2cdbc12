"""Hugging Face: the Space's files, the hub's client held to its own signatures, and the real server."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import create_autospec

import pytest
import yaml
from huggingface_hub import HfApi

from nbdeploy.errors import ProviderError
from nbdeploy.providers import huggingface, store
from nbdeploy.providers.huggingface import HuggingFace
from nbdeploy.providers.store import hashed
from tests.providers.contract import ProviderContract
from tests.providers.places import image_env, served

pytestmark = pytest.mark.usefixtures("work")


class TestHuggingFace(ProviderContract):
    provider = "huggingface"
    settings: ClassVar[dict[str, str]] = {"owner": "you"}
    cannot_act = "acts with an account only; its life is below, with the hub's client in its own signatures"


class Hub:
    """What the hub does, behind huggingface_hub's own client as far as calls go: every call fits its signature."""

    def __init__(self, root: Path) -> None:
        self.root, self.commits, self.stage = root, [], "RUNNING"
        self.secrets: dict[str, str] = {}
        self.api: Any = create_autospec(HfApi, instance=True)
        self.api.create_repo.side_effect = self.create
        self.api.upload_folder.side_effect = self.upload
        self.api.snapshot_download.side_effect = self.download
        self.api.get_space_runtime.side_effect = lambda *_, **__: SimpleNamespace(stage=self.stage)
        self.api.list_repo_commits.side_effect = lambda *_, **__: [
            SimpleNamespace(commit_id=name) for name in reversed(self.commits)
        ]
        self.api.fetch_space_logs.side_effect = lambda *_, **__: iter(["one\n", "two\n"])

    def create(self, repo_id: str, *, space_secrets: list[dict[str, str]], **_: Any) -> None:
        assert "you/colours" == repo_id
        self.secrets = {row["key"]: row["value"] for row in space_secrets}

    def upload(self, *, folder_path: Path, ignore_patterns: list[str], **_: Any) -> None:
        name = f"c{len(self.commits)}"
        shutil.copytree(folder_path, self.root / name, ignore=shutil.ignore_patterns(*ignore_patterns))
        self.commits.append(name)

    def download(self, *_: Any, revision: str, local_dir: str, **__: Any) -> None:
        shutil.copytree(self.root / revision, local_dir, dirs_exist_ok=True)

    @property
    def now(self) -> Path:
        return self.root / self.commits[-1]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(tmp_path / "hub")
    monkeypatch.setattr(HuggingFace, "api", lambda _: made.api)
    monkeypatch.setattr(huggingface, "_PAUSE_S", 0)
    return made


def test_a_space_is_made_held_to_the_samples_updated_and_taken_back(
    hub: Hub, cloud_bundle, version_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = HuggingFace(owner="you")
    asked: list[str] = []

    def probe(url: str, bundle: Any, token: str, **_: Any) -> list[Any]:
        """What the Space runs, started as its Dockerfile says, answers the real probe."""
        env = {**image_env(hub.now, "Dockerfile"), **hub.secrets}
        asked.append(url)
        with served(hub.now, env) as server:
            return real(f"http://127.0.0.1:{server.port}", bundle, token)

    real = huggingface.probe
    monkeypatch.setattr(huggingface, "probe", probe)
    record = place.apply(cloud_bundle, "colours")
    assert ["https://you-colours.hf.space"] == asked
    assert {"NBDEPLOY_TOKEN_SHA256": hashed(store.token("colours"))} == hub.secrets
    assert ("up", ["two"]) == (place.status(record)["state"], place.logs(record, 1))
    text = (hub.now / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert ("docker", 7860) == (front["sdk"], front["app_port"])
    assert {"title", "emoji", "colorFrom", "colorTo", "sdk", "app_port", "pinned", "short_description"} == set(front)
    assert "7860" == image_env(hub.now, "Dockerfile")["PORT"]
    assert not (hub.now / "commands.txt").exists()

    record = place.update(version_of("2.0.0"), record)
    assert '"version": "2.0.0"' in (hub.now / "manifest.json").read_text(encoding="utf-8")
    record = place.rollback(record)
    assert '"version": "1.0.0"' in (hub.now / "manifest.json").read_text(encoding="utf-8")
    with pytest.raises(ProviderError, match="no release before"):
        place.rollback(record)
    place.remove(record)
    place.remove(record)
    hub.api.delete_repo.assert_called_with("you/colours", repo_type="space", missing_ok=True)
    assert not Path(record["folder"]).exists()


def test_a_space_that_does_not_build_is_taken_away_again(hub: Hub, cloud_bundle) -> None:
    hub.stage = "BUILD_ERROR"
    with pytest.raises(ProviderError, match="does not run"):
        HuggingFace(owner="you").apply(cloud_bundle, "colours")
    hub.api.delete_repo.assert_called_once()


def test_a_name_that_is_taken_is_left_as_it_is(hub: Hub, cloud_bundle) -> None:
    hub.api.create_repo.side_effect = ValueError("you already have it")
    with pytest.raises(ProviderError, match="already have it"):
        HuggingFace(owner="you").apply(cloud_bundle, "colours")
    hub.api.delete_repo.assert_not_called()


def test_without_a_token_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    (check,) = HuggingFace(owner="you").check()
    assert ("failed", True) == (check.status.value, "HF_TOKEN" in check.why)
