"""User data: the cloud-config as documented, and what its scripts do, run here in a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nbdeploy.errors import ProviderError
from nbdeploy.providers import store
from nbdeploy.providers.cloudinit import CloudInit
from nbdeploy.providers.store import hashed
from tests.providers.contract import ProviderContract
from tests.providers.places import replay

GIVEN = {"source": "https://files.example/bundle.tar.gz"}

pytestmark = pytest.mark.usefixtures("work")


class TestCloudInit(ProviderContract):
    provider = "cloudinit"
    settings = GIVEN
    cannot_act = "acts on a rented machine only"


def _files(record) -> dict[str, str]:
    text = (Path(record["folder"]) / "user-data.yaml").read_text()
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    assert {"package_update", "packages", "users", "write_files", "runcmd"} == set(config)
    for file in config["write_files"]:
        assert {"path", "content", "permissions", "owner"} <= set(file)
    assert len(text) < 16_384, "the smallest limit of the large providers"
    return {file["path"]: file["content"] for file in config["write_files"]}


def test_the_unit_starts_the_server_with_what_the_server_keeps(cloud_bundle, work: Path) -> None:
    record = CloudInit(**GIVEN).apply(cloud_bundle, "colours")
    files, token = _files(record), store.token("colours")
    unit = files["/etc/systemd/system/nbdeploy.service"]
    env = dict(pair.split("=", 1) for pair in re.search("^Environment=(.*)$", unit, re.MULTILINE)[1].split())
    assert "User=nbdeploy" in unit
    tokens = work / "tokens"
    tokens.write_text(files["/opt/nbdeploy/tokens"])
    assert f"colours sha256:{hashed(token)}\n" == tokens.read_text()
    replay(Path(record["folder"]), {**env, "NBDEPLOY_TOKENS": str(tokens)}, health="/readyz", token=token)


def test_the_install_script_fetches_checks_and_starts_and_does_no_harm_again(cloud_bundle, work: Path) -> None:
    """Run here with everything it calls in a folder: the download, systemd and pip only note that they were called."""
    record = CloudInit(**GIVEN).apply(cloud_bundle, "colours")
    root, bin_ = work / "root", work / "bin"
    root.mkdir()
    bin_.mkdir()
    archive = work / "b.tar.gz"
    subprocess.run(["tar", "-czf", str(archive), "-C", record["folder"], "."], check=True)
    for path, content in _files(record).items():
        if path.startswith("/opt/nbdeploy/"):
            (root / Path(path).name).write_text(content.replace("/opt/nbdeploy", str(root)))
    venv = (
        'for last; do :; done; mkdir -p "$last/bin"; printf "#!/bin/sh\\n" > "$last/bin/pip"; chmod 755 "$last/bin/pip"'
    )
    fakes = {
        "curl": f'case "$*" in *--output*) cp {archive} "${{8}}";; *) echo ready;; esac',
        "systemctl": f'echo "$*" >> {work}/systemctl',
        "python3": f'case "$*" in *venv*) {venv};; *) exec {sys.executable} "$@";; esac',
    }
    for name, text in fakes.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{bin_}:/usr/bin:/bin"}
    for _ in range(2):
        done = subprocess.run(["sh", str(root / "install")], env=env, check=False, capture_output=True, text=True)
        assert 0 == done.returncode, done.stderr
    assert (root / "current" / "bundle" / "manifest.json").is_file()
    assert (root / "current" / "ready").is_file()
    assert "enable --now nbdeploy" in (work / "systemctl").read_text()
    # An archive that somebody changed is not started.
    shutil.rmtree((root / "current").resolve())
    (Path(record["folder"]) / "labels.txt").write_text("other\n")
    subprocess.run(["tar", "-czf", str(archive), "-C", record["folder"], "."], check=True)
    done = subprocess.run(["sh", str(root / "install")], env=env, check=False, capture_output=True, text=True)
    assert 0 != done.returncode
    assert "changed: labels.txt" in done.stderr


def test_a_source_without_https_stands_in_the_way_and_the_machine_is_the_persons(cloud_bundle) -> None:
    assert ["failed"] == [check.status.value for check in CloudInit(source="http://x.example/b").check()]
    place = CloudInit(**GIVEN)
    record = place.apply(cloud_bundle, "colours")
    assert "unknown" == place.status(record)["state"]
    for change in (lambda: place.logs(record), lambda: place.remove(record)):
        with pytest.raises(ProviderError, match="MACHINE"):
            change()
