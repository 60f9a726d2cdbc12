"""The unit by which systemd starts an endpoint's supervisor, also after the machine itself was started again."""

from __future__ import annotations

from dataclasses import dataclass

from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers.site import Site

_SYSTEM, _USER = "/etc/systemd/system", "~/.config/systemd/user"
_THERE = "test -d /run/systemd/system && command -v systemctl"


@dataclass(frozen=True)
class Unit:
    """The unit of one endpoint; the user's own, or the system's where root logs in."""

    site: Site
    name: str
    root: bool

    @classmethod
    def on(cls, site: Site, name: str, wanted: str) -> Unit | None:
        """None where systemd does not run there, or is not wanted. Raises ProviderError where only it is wanted."""
        if wanted not in {"yes", "no", "auto"}:
            raise UsageError(f"systemd is yes, no or auto, not {wanted}.", hint="Type: --set systemd=no")
        if wanted == "no":
            return None
        if site.machine.run(["sh", "-c", _THERE]).code:
            if wanted == "yes":
                raise ProviderError("systemd does not run on that machine.", hint="Type: --set systemd=no")
            return None
        return cls(site, name, root=site.machine.run(["id", "-u"]).out.strip() == "0")

    @property
    def path(self) -> str:
        """Of the unit's file."""
        folder = _SYSTEM if self.root else self.site.machine.absolute(_USER)
        return f"{folder}/nbdeploy-{self.name}.service"

    def install(self) -> None:
        """Write it and let systemd start it, now and with the machine."""
        python = self.site.machine.must(["sh", "-c", 'command -v "$1"', "sh", self.site.python]).out.strip()
        text = unit_text(self.name, self.site.folder, python, root=self.root)
        self.site.machine.write(self.path, text.encode())
        if not self.root:
            self.site.machine.run(["loginctl", "enable-linger"])  # so that it outlives the login
        self._systemctl("daemon-reload")
        self._systemctl("enable", "--now", f"nbdeploy-{self.name}.service")

    def remove(self) -> None:
        """Take it away."""
        if self.site.machine.run(["test", "-e", self.path]).code:
            return
        self._systemctl("disable", "--now", f"nbdeploy-{self.name}.service")
        self.site.machine.run(["rm", "-f", "--", self.path])
        self._systemctl("daemon-reload")

    def _systemctl(self, *words: str) -> None:
        # A login without a session of its own has no address of the user's systemd.
        script = 'export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; exec systemctl "$@"'
        self.site.machine.must(["sh", "-c", script, "sh", *([] if self.root else ["--user"]), *words])


def unit_text(name: str, folder: str, python: str, *, root: bool = False) -> str:
    """The unit's file. The supervisor is told to end first, and ends its server when that has answered."""
    return f"""[Unit]
Description=nbdeploy endpoint {name}
After=network.target

[Service]
WorkingDirectory={folder}
ExecStart={python} -S -m supervisor run {folder}
Environment=ORT_DISABLE_TELEMETRY=1
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=45
NoNewPrivileges=yes
PrivateTmp=yes

[Install]
WantedBy={"multi-user.target" if root else "default.target"}
"""
