"""A real SSH server on 127.0.0.1, with its own keys and settings; skipped with the reason where there is none."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and the files of its keys."""

    port: int
    host_key: Path
    user_key: Path
    home: Path

    @property
    def public_key(self) -> str:
        """The machine's own key, as its .pub file says it."""
        return self.host_key.with_suffix(".pub").read_text(encoding="utf-8").strip()

    def settings(self, **more: str) -> dict[str, str]:
        """What the provider is told."""
        return {
            "host": "127.0.0.1",
            "user": getpass.getuser(),
            "ssh_port": str(self.port),
            "key": str(self.user_key),
            "host_key": self.public_key,
            "known_hosts": str(self.home / "known_hosts"),
            "config": str(self.home / "no_config"),
            "folder": str(self.home / "endpoints"),
            "systemd": "no",
            **more,
        }


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """The server ends with the block."""
    program = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else "")
    if not program or not shutil.which("ssh-keygen"):
        pytest.skip("there is no sshd here (Debian: openssh-server)")
    folder.chmod(0o700)
    for name in ("host", "user"):
        line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
    shutil.copy(folder / "user.pub", folder / "authorized")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # what it separates its privileges in
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized'}",
        f"PidFile {folder / 'pid'}",
        "StrictModes no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "PermitRootLogin yes",
        "MaxSessions 100",
        "MaxStartups 100",
    ]
    (folder / "config").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                pytest.skip(f"sshd does not start here: {(folder / 'log').read_text(encoding='utf-8').strip()[-200:]}")
            time.sleep(0.05)
        yield Sshd(port, folder / "host", folder / "user", folder)
    finally:
        process.terminate()
        process.wait()
