"""A machine that is reached by SSH. Its host key has to be known: one that is not is refused, with what to type."""

from __future__ import annotations

import base64
import binascii
import getpass
import hashlib
import shlex
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers.machine import Done, Going, Machine

if TYPE_CHECKING:
    import paramiko

_CONNECT_S = 20.0
_ALIVE_S = 15


class SshMachine(Machine):
    """Connected by `connected`; ends with `close`, or with the process."""

    def __init__(self, client: paramiko.SSHClient, *, home: str) -> None:
        self.client, self.home = client, home

    @classmethod
    def connected(cls, given: Mapping[str, str]) -> SshMachine:
        """Connect as the settings of the provider `ssh` say. Raises ProviderError, UsageError."""
        import paramiko  # noqa: PLC0415 - the extra ssh

        where = _where(given)
        client = paramiko.SSHClient()
        pinned = given["host_key"]
        if not pinned:
            known = Path(given["known_hosts"]).expanduser()
            if known.is_file():
                client.load_host_keys(str(known))
        client.set_missing_host_key_policy(_policy(pinned, where["hostname"]))
        try:
            client.connect(
                **where,
                passphrase=given["passphrase"] or None,
                timeout=_CONNECT_S,
                banner_timeout=_CONNECT_S,
                auth_timeout=_CONNECT_S,
            )
        except paramiko.BadHostKeyException as error:
            raise ProviderError(
                f"{where['hostname']} shows another host key ({fingerprint(error.key.asbytes())}) than the known one.",
                hint="Somebody may be in between. Where the machine was set up anew, ask it for its key, and then: "
                "ssh-keygen -R HOST",
            ) from error
        except paramiko.AuthenticationException as error:
            raise ProviderError(
                f"{where['hostname']} does not let {where['username']} in ({error}).",
                hint="Name the user and the key: --set user=NAME --set key=~/.ssh/id_ed25519",
            ) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ProviderError(
                f"{where['hostname']}:{where['port']} cannot be reached by SSH ({error or type(error).__name__}).",
                hint="Try: ssh " + where["hostname"],
            ) from error
        transport = client.get_transport()
        assert transport is not None
        transport.set_keepalive(_ALIVE_S)
        made = cls(client, home="~")
        made.home = made.must(["sh", "-c", "cd && pwd"]).out.strip()
        return made

    @property
    def usable(self) -> bool:
        """Whether the connection still stands."""
        transport = self.client.get_transport()
        return transport is not None and transport.is_active()

    def close(self) -> None:
        """Hang up."""
        self.client.close()

    def absolute(self, path: str) -> str:
        return self.home + path[1:] if path == "~" or path.startswith("~/") else path

    def run(self, command: Sequence[str], *, given: Iterable[bytes] = (), timeout: float = 600.0) -> Done:
        channel = self._started(command, timeout)
        said: dict[str, bytes] = {}
        readers = [
            threading.Thread(target=lambda name=name, file=file: said.update({name: file.read()}), daemon=True)
            for name, file in (("out", channel.makefile("rb")), ("err", channel.makefile_stderr("rb")))
        ]
        for reader in readers:
            reader.start()
        try:
            for chunk in given:
                channel.sendall(chunk)
            channel.shutdown_write()
        except OSError:  # it ended before it had read all
            pass
        for reader in readers:
            reader.join(timeout)
        code = channel.recv_exit_status()
        channel.close()
        return Done(code, *(said.get(name, b"").decode(errors="replace") for name in ("out", "err")))

    def begin(self, command: Sequence[str]) -> Going:
        return _Channel(self._started(command, None))

    def connect(self, host: str, port: int) -> Any:
        transport = self.client.get_transport()
        assert transport is not None
        try:
            channel = transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=_CONNECT_S)
        except Exception as error:  # paramiko's own and EOFError: nobody listens there, or the way is closed
            raise ConnectionRefusedError(f"{error}") from error
        channel.settimeout(30)
        return channel

    def _started(self, command: Sequence[str], timeout: float | None) -> paramiko.Channel:
        transport = self.client.get_transport()
        if transport is None or not transport.is_active():
            raise ProviderError("The SSH connection has ended.", hint="Try again.")
        channel = transport.open_session(timeout=_CONNECT_S)
        channel.settimeout(timeout)
        channel.exec_command(shlex.join(command))
        return channel


class _Channel(Going):
    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel, self._out = channel, channel.makefile("rb")

    def line(self) -> str:
        return str(self._out.readline().decode(errors="replace"))

    def end(self) -> None:
        self._channel.shutdown_write()
        self._channel.recv_exit_status()
        self._channel.close()


def fingerprint(key: bytes) -> str:
    """A host key as ``ssh-keygen -l`` shows it: ``SHA256:...``."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def pinned_fingerprint(text: str) -> str:
    """The fingerprint of a pinned key: one, or a public key as it stands in a ``.pub`` file. Raises UsageError."""
    if text.startswith("SHA256:"):
        return text.strip()
    try:
        words = text.split()
        return fingerprint(base64.b64decode(words[1] if len(words) > 1 else words[0], validate=True))
    except (IndexError, binascii.Error, ValueError) as error:
        raise UsageError(
            f"{text[:40]} is no host key.", hint='Type: --set host_key=SHA256:... (what "ssh-keygen -lf" shows)'
        ) from error


def _policy(pinned: str, host: str) -> Any:
    """What is done about a key that is in no file of known hosts: it is the pinned one, or the connection ends."""
    wanted = pinned_fingerprint(pinned) if pinned else ""

    class Policy:
        def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
            there = fingerprint(key.asbytes())
            if wanted and there == wanted:
                return
            if wanted:
                raise ProviderError(
                    f"{host} shows the host key {there}, not {wanted}.",
                    hint="It is another machine, or another key of it.",
                )
            raise ProviderError(
                f"The host key of {host} is not known: {there} ({key.get_name()}).",
                hint="Compare it with what the machine itself says (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), "
                f"then type: --set host_key={there}",
            )

    return Policy()


def _where(given: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of paramiko's connect: what the settings say, then what ``~/.ssh/config`` says."""
    import paramiko  # noqa: PLC0415 - the extra ssh

    user, _, host = given["host"].rpartition("@")
    config = paramiko.SSHConfig()
    file = Path(given["config"]).expanduser()
    if file.is_file():
        config = paramiko.SSHConfig.from_path(str(file))
    found = config.lookup(host)
    keys = [given["key"]] if given["key"] else found.get("identityfile", [])
    return {
        "hostname": str(found.get("hostname", host)),
        "port": int(given["ssh_port"] or found.get("port", 22)),
        "username": given["user"] or user or str(found.get("user", getpass.getuser())),
        "key_filename": [str(Path(key).expanduser()) for key in keys] or None,
    }
