"""Bundles with a server, and a place of their own for what is remembered of endpoints."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.core.bundle import sealed
from nbdeploy.core.files import sha256_of, write_json
from tests.providers.places import Tools

STANDIN = Path(__file__).with_name("standin.py")


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("state")
        patch.setenv("NBDEPLOY_STATE", str(place))
        yield place


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for one test alone."""
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="session")
def cloud_bundle(conv_learner: Any, tmp_path_factory: pytest.TempPathFactory) -> nd.Bundle:
    """A bundle with the real server."""
    out = tmp_path_factory.mktemp("cloud") / "bundle"
    bundle: nd.Bundle = nd.deploy(conv_learner, target="cloud", out=out, name="colours", samples=4, latency_runs=0)
    return bundle


def sealed_again(bundle: nd.Bundle, out: Path, **changed: Any) -> nd.Bundle:
    """The files that now lie in `out`, under a manifest that lists them."""
    paths = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != "manifest.json")
    files = [{"path": p, "sha256": sha256_of(out / p), "bytes": (out / p).stat().st_size} for p in paths]
    write_json(out / "manifest.json", sealed({**bundle.manifest, **changed, "files": files}))
    return nd.Bundle.load(out)


@pytest.fixture(scope="session")
def version_of(cloud_bundle: nd.Bundle, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], nd.Bundle]:
    """The same bundle under another version."""
    made: dict[str, nd.Bundle] = {}

    def version(number: str) -> nd.Bundle:
        if number not in made:
            out = shutil.copytree(cloud_bundle.path, tmp_path_factory.mktemp("version") / "bundle")
            made[number] = sealed_again(cloud_bundle, out, version=number)
        return made[number]

    return version


@pytest.fixture(scope="session")
def quick(cloud_bundle: nd.Bundle, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., nd.Bundle]:
    """The same bundle with a server that starts in a moment, of a `version`, and `broken` in a way that it knows."""

    def make(version: str = "1.0.0", broken: str = "", requirements: str = "") -> nd.Bundle:
        out = shutil.copytree(cloud_bundle.path, tmp_path_factory.mktemp("quick") / "bundle")
        shutil.rmtree(out / "app" / "server")
        (out / "app" / "server").mkdir()
        shutil.copy(STANDIN, out / "app" / "server" / "__main__.py")
        (out / "app" / "server" / "requirements.txt").write_text(requirements, encoding="utf-8")
        if broken:
            (out / "broken").write_text(broken, encoding="utf-8")
        return sealed_again(cloud_bundle, out, version=version)

    return make


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """The commands of places, of the test's own making; nothing else is on the PATH."""
    return Tools(tmp_path / "bin", monkeypatch)


@pytest.fixture
def work(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and a state of its own."""
    place = tmp_path_factory.mktemp("place") / "work"
    monkeypatch.setenv("NBDEPLOY_STATE", str(place.with_name("state")))
    place.mkdir()
    monkeypatch.chdir(place)
    return place
