"""The provider local: a real server, its supervisor, and what they do when things go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import nbdeploy as nd
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.asking import ask
from tests.providers.contract import ProviderContract
from tests.providers.load import Load, load

Quick = Callable[..., nd.Bundle]


class TestLocal(ProviderContract):
    provider = "local"


@pytest.fixture
def pets(quick: Quick, own_state: Path) -> Iterator[nd.Endpoint]:
    """An endpoint whose server starts in a moment."""
    made = nd.deploy(quick(), provider="local", endpoint="pets")
    assert own_state.is_dir()
    yield made
    made.remove()


def picture(bundle_of: nd.Endpoint) -> bytes:
    """The first sample of its bundle."""
    bundle = nd.Bundle.open(bundle_of.record["bundle"])
    return (bundle.path / bundle.manifest["samples"][0]).read_bytes()


def state(one: nd.Endpoint) -> dict[str, Any]:
    """What its supervisor says of itself."""
    return dict(json.loads(Path(one.record["folder"], "state.json").read_text(encoding="utf-8")))


def until(true: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def lost_nothing(one: nd.Endpoint, two: nd.Bundle) -> Load:
    """An update, a rollback and the end of the server's process, all under load."""
    with load(one.url, picture(one), token=one.token) as found:
        until(lambda: found.seen("1.0.0"))
        one.update(two)
        until(lambda: found.seen("2.0.0"))
        one.rollback()
        found.versions.clear()
        until(lambda: found.seen("1.0.0"))
        server = state(one)["server"]["pid"]
        os.kill(server, signal.SIGTERM)
        until(lambda: state(one)["ready"] and state(one)["server"]["pid"] != server)
        found.versions.clear()
        until(lambda: found.seen("1.0.0"))
    return found


@pytest.mark.usefixtures("own_state")
def test_an_update_a_rollback_and_sigterm_lose_no_request(
    cloud_bundle: nd.Bundle, version_of: Callable[[str], nd.Bundle]
) -> None:
    one = nd.deploy(cloud_bundle, provider="local", endpoint="pets")
    try:
        assert [] == lost_nothing(one, version_of("2.0.0")).failures
    finally:
        one.remove()


def test_after_a_crash_requests_wait_and_are_answered(pets: nd.Endpoint) -> None:
    for crash in (1, 2):
        server = state(pets)["server"]["pid"]
        os.kill(server, signal.SIGKILL)
        assert 200 == ask(pets.url, "/predict", body=picture(pets)).status
        until(lambda: state(pets)["ready"])
        assert crash == pets.status()["restarts"]
    assert any("was ended by the signal SIGKILL" in line for line in pets.logs())


def test_one_that_answers_otherwise_is_taken_back_and_the_check_is_named(pets: nd.Endpoint, quick: Quick) -> None:
    before = sorted(Path(pets.record["folder"], "releases").iterdir())
    with pytest.raises(ProviderError, match="pets was not changed .check endpoint_answers.: 01.jpg: a probability is"):
        pets.update(quick("2.0.0", broken="answers"))
    with pytest.raises(ProviderError, match="2.0.0 does not start there: The server ended with status 1") as error:
        pets.update(quick("2.0.0", broken="start"))
    assert "The model cannot be loaded" in error.value.hint
    assert before == sorted(Path(pets.record["folder"], "releases").iterdir())
    assert ("up", "1.0.0") == (pets.status()["state"], pets.status()["model"]["version"])
    assert 200 == ask(pets.url, "/predict", body=picture(pets)).status


def test_one_that_never_was_up_leaves_nothing(quick: Quick, own_state: Path) -> None:
    with pytest.raises(ProviderError, match="endpoint_answers"):
        nd.deploy(quick(broken="answers"), provider="local", endpoint="pets", settings={"token": "yes"})
    assert not list((own_state / "endpoints").iterdir())
    assert not list((own_state / "secrets").iterdir())
    assert [] == list(nd.endpoints())


@pytest.mark.usefixtures("own_state")
def test_it_goes_on_when_the_process_that_made_it_is_killed(quick: Quick, root: Path) -> None:
    code = f"""
import time, nbdeploy as nd
one = nd.deploy({str(quick().path)!r}, provider="local", endpoint="pets")
print(one.url, flush=True)
time.sleep(600)
"""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    kernel = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    assert kernel.stdout is not None
    url = kernel.stdout.readline().strip()
    os.killpg(kernel.pid, signal.SIGKILL)
    kernel.wait()
    kernel.stdout.close()
    pets = nd.endpoints()["pets"]
    assert url == pets.url
    assert "up" == pets.status()["state"]
    pets.remove()


def test_a_supervisor_that_was_killed_is_seen_and_an_update_starts_it_again(pets: nd.Endpoint) -> None:
    port = state(pets)["port"]
    os.kill(state(pets)["pid"], signal.SIGKILL)
    until(lambda: pets.status()["state"] == "down")
    assert "nbdeploy endpoints pets update" in pets.status()["why"]
    left = state(pets)["server"]["pid"]
    assert psutil.pid_exists(left)
    pets.update()
    assert "up" == pets.status()["state"]
    assert port == state(pets)["port"]
    assert left != state(pets)["server"]["pid"]


def test_remove_ends_no_process_that_only_has_its_number(pets: nd.Endpoint) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    folder = Path(pets.record["folder"])
    os.kill(state(pets)["pid"], signal.SIGTERM)
    until(lambda: pets.status()["state"] == "down")
    about = state(pets)
    about |= {"pid": stranger.pid, "server": {"pid": stranger.pid, "started": "1"}}
    (folder / "state.json").write_text(json.dumps(about), encoding="utf-8")
    pets.remove()
    assert stranger.poll() is None
    assert not folder.exists()
    stranger.kill()
    stranger.wait()


def test_where_others_can_reach_it_a_token_is_asked_and_kept_apart(quick: Quick, own_state: Path) -> None:
    settings = {"bind": "0.0.0.0"}
    with pytest.raises(UsageError, match="asks for a token"):
        nd.deploy(quick(), provider="local", endpoint="open", settings={**settings, "token": "no"})
    one = nd.deploy(quick(), provider="local", endpoint="open", settings=settings)
    try:
        assert 401 == ask(one.url, "/predict", body=picture(one)).status
        assert one.predict(picture(one)).label
        assert 0o600 == (own_state / "secrets" / "open.json").stat().st_mode & 0o777
        assert 0o600 == Path(one.record["folder"], "tokens").stat().st_mode & 0o777
        kept = [own_state / "endpoints.sqlite", Path(one.record["folder"], "tokens"), Path(one.record["folder"], "log")]
        assert [] == [file for file in kept if one.token.encode() in file.read_bytes()]
        assert one.token not in f"{one} {one!r} {one._repr_html_()} {one.to_dict()}"
        assert "Authorization" in str(one)
    finally:
        one.remove()


def test_a_canary_answers_beside_it_until_it_is_ended(pets: nd.Endpoint, quick: Quick) -> None:
    file = Path(pets.record["folder"], "canary.json")
    pets.canary(quick("2.0.0"), 0.25)
    said = json.loads(file.read_text(encoding="utf-8"))
    assert 0.25 == said["share"] == pets.status()["canary"]["share"]
    assert "2.0.0" == ask(said["url"], "/readyz").json()["model"]["version"]
    assert "25.0 % of requests go to colours 2.0.0" in str(nd.endpoints())
    pets.canary(None)
    assert not file.exists()
    assert "canary" not in pets.status()
    with pytest.raises(OSError, match="refused"):
        ask(said["url"], "/readyz")
    with pytest.raises(UsageError, match="between 0 and 1"):
        pets.canary(quick("2.0.0"), 1.5)


@pytest.mark.usefixtures("own_state")
def test_only_so_many_releases_are_kept(quick: Quick) -> None:
    one = nd.deploy(quick("1"), provider="local", endpoint="pets", settings={"keep": "2"})
    try:
        one.update(quick("2")).update(quick("3"))
        assert ["0002-2", "0003-3"] == sorted(p.name for p in Path(one.record["folder"], "releases").iterdir())
        one.rollback()
        assert "2" == one.status()["model"]["version"] == ask(one.url, "/readyz").json()["model"]["version"]
        with pytest.raises(ProviderError, match="no release before"):
            one.rollback()
    finally:
        one.remove()


@pytest.mark.usefixtures("own_state")
def test_a_bundle_without_a_server_is_refused(cloud_bundle: nd.Bundle, tmp_path: Path) -> None:
    import shutil

    from tests.providers.conftest import sealed_again

    out = shutil.copytree(cloud_bundle.path, tmp_path / "bare")
    shutil.rmtree(out / "app" / "server")
    with pytest.raises(UsageError, match="holds no server"):
        nd.deploy(sealed_again(cloud_bundle, out), provider="local")
    assert [] == store.every()


def test_a_port_that_is_taken_is_said(pets: nd.Endpoint, quick: Quick) -> None:
    port = str(pets.record["port"])
    with pytest.raises(ProviderError, match="did not start: .*in use"):
        nd.deploy(quick(), provider="local", endpoint="other", settings={"port": port})
    assert ["pets"] == list(nd.endpoints())


@pytest.mark.usefixtures("own_state")
def test_a_python_that_lacks_what_is_needed_is_said(quick: Quick) -> None:
    needs = quick(requirements="numpy==2.0  # and\nno-such-package==1.0\n")
    with pytest.raises(ProviderError, match="lacks no-such-package==1.0") as error:
        nd.deploy(needs, provider="local", endpoint="pets")
    assert "--set environment=own" in error.value.hint
