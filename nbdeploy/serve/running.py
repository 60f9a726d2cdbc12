"""A server that runs: its socket, its address, its certificate, and a clean end."""

from __future__ import annotations

import contextlib
import errno
import io
import ipaddress
import os
import signal
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.bundle import Bundle
from nbdeploy.errors import OutputError, UsageError, say
from nbdeploy.serve import application

if TYPE_CHECKING:
    import uvicorn

_GRACE_S = 3  # for answers that are on their way when the server is told to end
_ANYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - only compared with what a person chose
_ELSEWHERE = (
    "192.0.2.1",
    9,
)  # an address for documentation: nothing is sent, the system only says by which way it would go


@dataclass(frozen=True)
class Listening:
    """A server whose socket takes connections already; `run` answers them until the process is told to end."""

    url: str
    server: uvicorn.Server
    taken: socket.socket

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``url`` and ``pid``."""
        return {"url": self.url, "pid": os.getpid()}

    def heed_signals(self) -> None:
        """From now on SIGTERM and Ctrl-C end the server, and with it the process, with status 0."""

        def end(*_: Any) -> None:
            self.server.should_exit = True

        # uvicorn's own way ends, and then sends itself the signal once more: a status as of a killed process.
        self.server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)

    def run(self) -> None:
        """Answer. Returns when the server was told to end and what was on its way has been sent."""
        self.server.run(sockets=[self.taken])


def listen(
    bundle: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    certfile: str | None = None,
    keyfile: str | None = None,
) -> Listening:
    """Take `port` (0: any free one) of `host` for `bundle`. Raises BundleError, UsageError, OutputError.

    `certfile` and `keyfile` are PEM files; with them the server speaks HTTPS, which phones ask for.
    """
    import uvicorn  # noqa: PLC0415 - only this verb needs it

    loopback = _is_loopback(host)
    app = application(Bundle.load(bundle), loopback=loopback)
    secure = _certificate(certfile, keyfile)
    taken = _socket(host, port)
    url = f"{'https' if secure else 'http'}://{_name(host)}:{taken.getsockname()[1]}/"
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    )
    say(f"Serving {bundle} at {url} (Ctrl-C ends it)")
    if not loopback:
        say(qr(url))
        if not secure:
            say(
                "Phones give a page the camera and offline use only over HTTPS: add --certfile CERT.pem --keyfile "
                "KEY.pem, or connect the phone by USB and forward the port to its localhost."
            )
    return Listening(url, uvicorn.Server(config), taken)


def qr(url: str) -> str:
    """A QR code of `url`, in the characters of a terminal."""
    import segno  # noqa: PLC0415 - only an address for a phone needs it

    out = io.StringIO()
    segno.make(url, micro=False).terminal(out, compact=True)
    return out.getvalue()


def _socket(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
        if os.name == "posix":
            taken.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # a server that just ended leaves the port waiting
        taken.bind(address)
        taken.listen(128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OutputError(f"Port {port} is in use.", hint="Choose another: --port 8001, or --port 0.") from error
        if error.errno == errno.EACCES:
            raise OutputError(f"Port {port} may not be taken.", hint="Choose one above 1023: --port 8000.") from error
        raise UsageError(f"{host} is no address of this machine ({error}).", hint="Type: --host 127.0.0.1") from error
    return taken


def _certificate(certfile: str | None, keyfile: str | None) -> bool:
    """Whether there is one. Raises UsageError for one that cannot be used."""
    if not certfile and not keyfile:
        return False
    if not certfile or not keyfile:
        raise UsageError("HTTPS needs two files.", hint="Give --certfile CERT.pem and --keyfile KEY.pem.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"{certfile} and {keyfile} are no certificate with its key ({error}).", hint="Give two PEM files that fit."
        ) from error
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(host: str) -> str:
    """`host` as it stands in an address; this machine's own in its network where every address was chosen."""
    if host in _ANYWHERE:
        host = _own_address()
    return f"[{host}]" if ":" in host else host


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return str(probe.getsockname()[0])
        except OSError:  # no network
            return socket.gethostname()
