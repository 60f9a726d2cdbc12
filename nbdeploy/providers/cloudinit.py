"""User data for any machine to rent: what cloud-init does at the first start of a Linux machine."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.core.bundle import MANIFEST
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError
from nbdeploy.providers.base import Record, Setting
from nbdeploy.providers.plain import as_yaml
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.site import needs_server
from nbdeploy.providers.written import COMMANDS, COMMON, HASH, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

_ARCHIVE = "bundle.tar.gz"
ROOT = "/opt/nbdeploy"
_INSTALL = """\
#!/bin/sh
# Fetch the bundle, hold it to its hashes, give it an environment of its own, and start it. Run again, it does no harm.
set -eu
release={root}/{tag}
if [ ! -e "$release/ready" ]; then
  rm -rf "$release"
  mkdir -p "$release/bundle"
  curl --fail --silent --show-error --location --retry 5 --output "$release/bundle.tar.gz" {source}
  tar -xzf "$release/bundle.tar.gz" -C "$release/bundle" --strip-components=1 --no-same-owner
  rm "$release/bundle.tar.gz"
  echo "{sha256}  $release/bundle/{manifest}" | sha256sum --check --quiet
  python3 {root}/hashes.py "$release/bundle"
  python3 -m venv "$release/python"
  "$release/python/bin/pip" install --quiet --no-cache-dir -r "$release/bundle/app/server/requirements.txt"
  touch "$release/ready"
fi
ln -sfn "$release" {root}/current
systemctl daemon-reload
systemctl enable --now nbdeploy
systemctl restart nbdeploy
for attempt in $(seq 60); do
  curl --fail --silent http://127.0.0.1:{port}/readyz && exit 0
  sleep 1
done
echo "nbdeploy: the endpoint does not answer /readyz; see journalctl -u nbdeploy" >&2
exit 1
"""
_HASHES = """\
# Every file of a bundle is what its manifest says; else it ends with status 1.
import hashlib, json, pathlib, sys
bundle = pathlib.Path(sys.argv[1])
for file in json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]:
    if hashlib.sha256((bundle / file["path"]).read_bytes()).hexdigest() != file["sha256"]:
        sys.exit("changed: " + file["path"])
"""
_UNIT = """\
[Unit]
Description=nbdeploy endpoint {name}
After=network-online.target
Wants=network-online.target

[Service]
User=nbdeploy
Environment=HOST={host} PORT={port} ORT_DISABLE_TELEMETRY=1 NBDEPLOY_TOKENS={root}/tokens
ExecStart={root}/current/python/bin/python {root}/current/bundle/app/server serve
Restart=always
RestartSec=2
TimeoutStopSec=60
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
CapabilityBoundingSet=

[Install]
WantedBy=multi-user.target
"""


class CloudInit(Written):
    """``user-data.yaml`` in the cloud-config form: a user, a systemd unit, hardening, a probe."""

    name = "cloudinit"
    summary = "any rented machine: cloud-config user data, with a systemd unit"
    tool = "cloud-init"
    get = "It is needed on the rented machine only, where images of all large providers have it."
    settings = (
        Setting("source", "where the machine fetches the bundle: https://.../bundle.tar.gz"),
        Setting("host", "the address it listens at; 127.0.0.1 leaves TLS to a proxy beside it", "127.0.0.1"),
        Setting("port", "the port it listens at", "8000"),
        *COMMON,
    )
    notes = (
        "Give user-data.yaml to the machine's provider when you make the machine; it runs once, at the first start.",
        "The machine speaks HTTP without TLS: put a proxy with a certificate before it, or reach it through ssh.",
        "User data can be read by everything that runs on the machine: it holds the token's hash, never the token.",
    )

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        seal = hashlib.sha256((bundle.path / MANIFEST).read_bytes()).hexdigest()
        of = {
            **self.given,
            "source": shlex.quote(self.given["source"]),
            "root": ROOT,
            "name": name,
            "tag": tag_of(bundle),
            "sha256": seal,
            "manifest": MANIFEST,
        }
        config = {
            "package_update": True,
            "packages": ["python3-venv", "curl", "ca-certificates"],
            "users": [
                "default",
                {"name": "nbdeploy", "system": True, "shell": "/usr/sbin/nologin", "lock_passwd": True},
            ],
            "write_files": [
                _file("/etc/systemd/system/nbdeploy.service", _UNIT.format(**of), "0644"),
                _file(f"{ROOT}/install", _INSTALL.format(**of), "0755"),
                _file(f"{ROOT}/hashes.py", _HASHES, "0644"),
                {**_file(f"{ROOT}/tokens", f"{name} sha256:{HASH}\n", "0640"), "owner": "root:nbdeploy", "defer": True},
            ],
            "runcmd": [[f"{ROOT}/install"]],
        }
        return {"user-data.yaml": "#cloud-config\n" + as_yaml(config)}

    def commands(self, name: str, tag: str) -> Commands:
        upload = (
            f"tar -czf {_ARCHIVE} --exclude=*.tar.gz --exclude={COMMANDS} .",
            f"curl --upload-file {_ARCHIVE} {shlex.quote(self.given['source'])}",
        )
        machine, unit = "ssh $MACHINE", "/etc/systemd/system/nbdeploy.service"
        return Commands(
            create=upload,
            update=(
                *upload,
                "scp user-data.yaml $MACHINE:",
                f"{machine} sudo cloud-init single --name write_files --file user-data.yaml",
                f"{machine} sudo {ROOT}/install",
            ),
            rollback=(
                f"{machine} sudo ln -sfn {ROOT}/{tag} {ROOT}/current",
                f"{machine} sudo systemctl restart nbdeploy",
            ),
            remove=(f"{machine} sudo systemctl disable --now nbdeploy", f"{machine} sudo rm -rf {ROOT} {unit}"),
        )

    def image(self, bundle: Bundle) -> dict[str, str]:
        needs_server(bundle)
        return {}

    def check(self) -> list[Check]:
        ok = self.given["source"].startswith("https://")
        why = "The machine fetches the bundle over HTTPS." if ok else "source has to start with https://."
        return [Check("source", Status.passed if ok else Status.failed, value=self.given["source"], why=why)]

    def logs(self, record: Record, lines: int = 100) -> list[str]:
        line = f"ssh $MACHINE journalctl -u nbdeploy -n {lines}"
        raise ProviderError("nbdeploy does not know the machine's address.", hint=f"Type: {line}")


def _file(path: str, content: str, mode: str) -> dict[str, Any]:
    return {"path": path, "content": content, "permissions": mode, "owner": "root:root"}
