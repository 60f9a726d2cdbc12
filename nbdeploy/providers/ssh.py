"""ssh: any machine that one can log in to, a VPS say: releases in folders, and systemd where the machine has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers.asking import Reach
from nbdeploy.providers.base import Record, Setting
from nbdeploy.providers.machine import Machine
from nbdeploy.providers.released import SETTINGS, Released
from nbdeploy.providers.site import LOOPBACK, Site
from nbdeploy.providers.sshmachine import SshMachine, pinned_fingerprint
from nbdeploy.providers.unit import Unit, unit_text

_LOOK = """
import sys
print("%d.%d" % sys.version_info[:2])
import venv
try:
    import pip
except ImportError:
    import ensurepip
"""
_OLDEST = (3, 11)


class SshProvider(Released):
    """A machine reached by SSH."""

    name = "ssh"
    summary = "any machine that you can log in to by SSH"
    settings = (
        Setting("host", "the machine: a name, an address, or a Host of ~/.ssh/config; USER@ may stand before it"),
        *SETTINGS,
        Setting("user", "who logs in", ""),
        Setting("ssh_port", "the port of SSH (22)", ""),
        Setting("key", "the file of the private key; without it ssh-agent and ~/.ssh are asked", ""),
        Setting("passphrase", "of the private key", "", secret=True),
        Setting("host_key", "the machine's own key: SHA256:..., or the line of a .pub file", ""),
        Setting("known_hosts", "the file of known host keys, where host_key is not given", "~/.ssh/known_hosts"),
        Setting("config", "the configuration of SSH", "~/.ssh/config"),
        Setting("folder", "where endpoints are kept on that machine", "~/.nbdeploy/endpoints"),
        Setting("python", "the Python there that environments are made of", "python3"),
        Setting("wheels", "a folder here with packages to install, in place of an index that machine would ask", ""),
        Setting("systemd", "whether systemd starts it: yes, no, or auto (where it runs)", "auto"),
    )
    requires = ("paramiko",)
    status_here = "run"
    environment = "own"
    shared = True
    no_price = "You know what the machine costs; nbdeploy does not."
    notes = ("The server runs as the user who logs in: one that may do little else is best.",)

    _machine: SshMachine | None = None

    def machine(self) -> Machine:
        if self._machine is None or not self._machine.usable:
            self._machine = SshMachine.connected(self.given)
        return self._machine

    def folder(self, name: str) -> str:
        return f"{self.given['folder']}/{name}"

    @property
    def python(self) -> str:
        return self.given["python"]

    def wheels(self) -> list[Path]:
        if not self.given["wheels"]:
            return []
        found = sorted(Path(self.given["wheels"]).expanduser().glob("*.whl"))
        if not found:
            raise UsageError(f"There are no wheels in {self.given['wheels']}.", hint="pip download -d FOLDER ...")
        return found

    def check(self) -> list[Check]:
        try:
            if self.given["host_key"]:
                pinned_fingerprint(self.given["host_key"])
            machine = self.machine()
        except ProviderError as error:
            return [Check("reached", Status.failed, why=str(error))]
        reached = Check(
            "reached", Status.passed, value=self.given["host"], why="Logged in, to a machine with a known key."
        )
        done = machine.run([self.python, "-c", _LOOK])
        version = done.out.strip()
        numbers = tuple(int(part) for part in version.split(".")) if version.replace(".", "").isdigit() else ()
        why, status = f"{self.python} is Python {version}.", Status.passed
        if numbers < _OLDEST:
            why, status = f"{self.python} there is no Python 3.11 or later ({version or done.last}).", Status.failed
        elif done.code and self._environment() == "own":
            why, status = f"{self.python} there cannot make environments: install its venv package.", Status.failed
        return [reached, Check("python", status, value=version, limit="3.11", why=why)]

    def unit(self, name: str) -> dict[str, str]:
        text = unit_text(name, self.folder(name), self.python)
        return {f"nbdeploy-{name}.service": text} if self.given["systemd"] != "no" else {}

    def began(self, site: Site, name: str) -> dict[str, Any]:
        unit = Unit.on(site, name, self.given["systemd"])
        if unit is not None:
            unit.install()
        return site.supervise("start").json()

    def ending(self, site: Site, name: str) -> None:
        unit = Unit.on(site, name, self.given["systemd"])
        if unit is not None:
            unit.remove()

    def reach(self, record: Record) -> Reach | None:
        if not self.loopback():
            return None
        return lambda: self.machine().connect(LOOPBACK, int(record["port"]))

    def public_host(self) -> str:
        if self.loopback():
            return LOOPBACK
        host = self.given["host"].rpartition("@")[2]
        return f"[{host}]" if ":" in host else host

    def _address(self, state: dict[str, Any]) -> dict[str, Any]:
        found = super()._address(state)
        if self.loopback():
            port = state["port"]
            found["tunnel"] = f"ssh -L {port}:{LOOPBACK}:{port} {self.given['host']}"
        return found
