"""The provider ssh, against a real SSH server on this machine."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers.asking import ask
from nbdeploy.providers.ssh import SshProvider
from nbdeploy.providers.sshmachine import fingerprint, pinned_fingerprint
from nbdeploy.providers.unit import unit_text
from tests.providers.contract import ProviderContract
from tests.providers.load import load
from tests.providers.sshd import Sshd, sshd

Quick = Callable[..., nd.Bundle]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def told(server: Sshd) -> dict[str, str]:
    """Settings of a machine whose Python has what is needed."""
    return server.settings(python=sys.executable, environment="system")


class TestSsh(ProviderContract):
    provider = "ssh"

    @pytest.fixture(scope="class")
    def given(self, told: dict[str, str]) -> dict[str, Any]:
        return told


def until_seen(found: Any, version: str) -> None:
    """Wait for an answer of that version."""
    import time

    end = time.monotonic() + 60
    while not found.seen(version):
        assert time.monotonic() < end, found.failures
        time.sleep(0.05)


@pytest.mark.usefixtures("own_state")
def test_an_update_a_rollback_and_sigterm_lose_no_request(
    cloud_bundle: nd.Bundle, version_of: Callable[[str], nd.Bundle], told: dict[str, str]
) -> None:
    import json
    import os
    import signal

    one = nd.deploy(cloud_bundle, provider="ssh", endpoint="pets", settings=told)
    body = (cloud_bundle.path / cloud_bundle.manifest["samples"][0]).read_bytes()
    try:
        with load(one.url, body, token=one.token) as found:
            until_seen(found, "1.0.0")
            one.update(version_of("2.0.0"))
            until_seen(found, "2.0.0")
            one.rollback()
            found.versions.clear()
            until_seen(found, "1.0.0")
            state = json.loads(Path(one.record["folder"], "state.json").read_text(encoding="utf-8"))
            os.kill(state["server"]["pid"], signal.SIGTERM)
            found.versions.clear()
            until_seen(found, "1.0.0")
        assert [] == found.failures
    finally:
        one.remove()


@pytest.mark.usefixtures("own_state")
def test_it_is_asked_through_the_connection_and_only_with_its_token(quick: Quick, told: dict[str, str]) -> None:
    one = nd.deploy(quick(), provider="ssh", endpoint="pets", settings=told)
    try:
        body = (Path(one.record["bundle"]) / nd.Bundle.open(one.record["bundle"]).manifest["samples"][0]).read_bytes()
        assert one.place.reach(one.record) is not None
        assert one.predict(body).label
        assert 401 == ask(one.url, "/predict", body=body).status
        assert f"ssh -L {one.record['port']}:127.0.0.1:{one.record['port']} 127.0.0.1" in str(one)
        assert one.token not in str(one.to_dict())
    finally:
        one.remove()
    assert not Path(told["folder"], "pets").exists()
    assert not Path(told["folder"], "environments").exists()


@pytest.mark.usefixtures("own_state")
def test_one_that_answers_otherwise_is_taken_back(quick: Quick, told: dict[str, str]) -> None:
    one = nd.deploy(quick(), provider="ssh", endpoint="pets", settings=told)
    try:
        with pytest.raises(ProviderError, match="check endpoint_answers"):
            one.update(quick("2.0.0", broken="answers"))
        assert ("up", "1.0.0") == (one.status()["state"], one.status()["model"]["version"])
        assert ["0001-1.0.0"] == [place.name for place in Path(one.record["folder"], "releases").iterdir()]
    finally:
        one.remove()


@pytest.mark.usefixtures("own_state")
def test_one_whose_machine_is_gone_can_be_forgotten(server: Sshd) -> None:
    from nbdeploy.providers import store

    store.keep("pets", "ssh", server.settings(ssh_port="1"), {"folder": "/nowhere/pets"})
    with pytest.raises(ProviderError, match="remove --forget"):
        nd.endpoints()["pets"].remove()
    assert "unknown" == nd.endpoints()["pets"].status()["state"]
    nd.endpoints()["pets"].remove(forget=True)
    assert [] == list(nd.endpoints())


def test_an_unknown_host_key_is_refused_with_what_to_type(server: Sshd) -> None:
    (check,) = SshProvider(**server.settings(host_key="")).check()
    there = pinned_fingerprint(server.public_key)
    assert f"The host key of 127.0.0.1 is not known: {there}" in check.why
    assert f"--set host_key={there}" in check.why
    said = subprocess.run(["ssh-keygen", "-lf", server.host_key], capture_output=True, text=True, check=True).stdout
    assert there in said


def test_a_pinned_key_is_taken_by_its_fingerprint_and_another_is_not(server: Sshd) -> None:
    right = pinned_fingerprint(server.public_key)
    assert ["passed", "passed"] == [
        str(check.status) for check in SshProvider(**server.settings(host_key=right)).check()
    ]
    (check,) = SshProvider(**server.settings(host_key=fingerprint(b"another"))).check()
    assert f"shows the host key {right}, not" in check.why
    with pytest.raises(UsageError, match="is no host key"):
        SshProvider(**server.settings(host_key="ssh-ed25519 ???")).check()


def test_a_known_host_that_shows_another_key_is_refused(server: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = (tmp_path / "other.pub").read_text(encoding="utf-8")
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {other}", encoding="utf-8")
    (check,) = SshProvider(**server.settings(host_key="", known_hosts=str(known))).check()
    assert "shows another host key" in check.why
    known.write_text(f"[127.0.0.1]:{server.port} {server.public_key}\n", encoding="utf-8")
    assert "passed" == SshProvider(**server.settings(host_key="", known_hosts=str(known))).check()[0].status


def test_a_key_that_is_not_let_in_and_a_machine_that_is_not_there_are_said(server: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "stranger")], check=True)
    (check,) = SshProvider(**server.settings(key=str(tmp_path / "stranger"))).check()
    assert "does not let" in check.why
    (check,) = SshProvider(**server.settings(ssh_port="1")).check()
    assert "127.0.0.1:1 cannot be reached by SSH" in check.why


def test_a_host_of_the_ssh_configuration_is_found(server: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host vps\n  HostName 127.0.0.1\n  Port {server.port}\n  IdentityFile {server.user_key}\n")
    given = server.settings(host="vps", config=str(config), key="", ssh_port="")
    assert "passed" == SshProvider(**given).check()[0].status


def wheel(folder: Path) -> None:
    """A package of one line, as a wheel."""
    name, info = "standin_needs", "standin_needs-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as file:
        parts = {
            f"{name}.py": "HERE = True\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = ""
        for path, text in parts.items():
            file.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text)}\n"
        file.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


@pytest.mark.usefixtures("own_state")
def test_an_environment_is_made_once_a_list_of_packages_and_one_half_made_is_made_anew(
    quick: Quick, server: Sshd, tmp_path: Path
) -> None:
    wheel(tmp_path)
    given = server.settings(python=sys.executable, wheels=str(tmp_path), folder=str(server.home / "own"))
    needs = "standin_needs==1.0\n"
    one = nd.deploy(quick("1", requirements=needs), provider="ssh", endpoint="pets", settings=given)
    (own,) = (server.home / "own" / "environments").iterdir()
    try:
        assert (own / "complete").is_file()
        assert list(own.glob("lib/*/site-packages/standin_needs.py"))
        mark = own / "mark"
        mark.touch()
        one.update(quick("2", requirements=needs))
        assert mark.exists(), "the same list of packages, the same environment"
        (own / "complete").unlink()
        one.update(quick("3", requirements=needs))
        assert (own / "complete").is_file()
        assert not mark.exists()
        with pytest.raises(
            ProviderError, match="cannot run there: .*could not be made: ERROR: No matching distribution"
        ):
            one.update(quick("4", requirements="no-such-package==1.0\n"))
        assert [own] == list((server.home / "own" / "environments").iterdir())
    finally:
        one.remove()
    assert not list((server.home / "own").iterdir())


def test_a_file_that_was_spoilt_on_the_way_is_noticed(quick: Quick, tmp_path: Path) -> None:
    """What the far side does with an archive, without the network between."""
    from nbdeploy.providers.machine import Here
    from nbdeploy.providers.site import Site, _archive

    site = Site(Here(), str(tmp_path / "pets"), sys.executable)
    site.set_up({"endpoint": "pets"}, "")
    bundle = quick()
    spoilt = nd.Bundle.open(shutil.copytree(bundle.path, tmp_path / "spoilt"))
    (spoilt.path / "labels.txt").write_text("other\n", encoding="utf-8")
    with _archive(spoilt, {}, []) as archive:
        done = site.supervise("take", "0001", given=iter([archive.read()] if archive.seek(0) == 0 else []))
    assert "Not as the manifest says after copying: labels.txt." == done.json()["why"]
    assert [] == list((tmp_path / "pets" / "releases").iterdir())


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = unit_text("pets", str(tmp_path), sys.executable, root=True)
    assert "KillMode=mixed" in text
    assert "Restart=always" in text
    assert "ORT_DISABLE_TELEMETRY=1" in text
    program = shutil.which("systemd-analyze")
    if not program:
        pytest.skip("there is no systemd-analyze here")
    (tmp_path / "nbdeploy-pets.service").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / "nbdeploy-pets.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nbdeploy-pets" not in done.stderr
