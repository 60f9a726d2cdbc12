"""A server that runs: its socket, its address, its certificate, and a clean end.

What a bundle holds decides what is served, not its target's name: its page where it has one, else the endpoint.
"""

from __future__ import annotations

import errno
import io
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.bundle import Bundle
from nbdeploy.core.progress import is_quiet
from nbdeploy.errors import OutputError, UsageError, say

if TYPE_CHECKING:
    import uvicorn

_GRACE_S = 3  # for answers that are on their way when the server is told to end
_PHONES = (
    "Phones give a page the camera and offline use only over HTTPS: add --certfile CERT.pem --keyfile KEY.pem, or "
    "connect the phone by USB and forward the port to its localhost."
)
_IN_CLEAR = (
    "Without HTTPS others on the way can read tokens and pictures: add --certfile CERT.pem --keyfile KEY.pem, or put a "
    "proxy in front."
)
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
        from nbdeploy.serve.endpoint.listening import heed_signals  # noqa: PLC0415 - uvicorn

        heed_signals(self.server)

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
    **guards: Any,
) -> Listening:
    """Take `port` (0: any free one) of `host` for `bundle`. Raises BundleError, UsageError, OutputError.

    `certfile` and `keyfile` are PEM files; with them the server speaks HTTPS, which phones ask for. `guards` are for an
    endpoint: ``tokens`` (a file), ``public``, ``cors`` (origins, with commas), ``threads``, ``rate``.
    """
    from nbdeploy.serve.site import HOME  # noqa: PLC0415 - starlette

    loaded = Bundle.load(bundle)
    loopback = _is_loopback(host)
    secure = _certificate(certfile, keyfile)
    certificate: dict[str, Any] = {"certfile": certfile, "keyfile": keyfile}
    a_page = any(file["path"] == HOME for file in loaded.manifest["files"])
    if a_page:
        server: Callable[[], uvicorn.Server] = _page(loaded, host=host, loopback=loopback, **certificate)
    else:
        from nbdeploy.serve.asked import endpoint  # noqa: PLC0415 - starlette, numpy and the runtime

        server = endpoint(loaded, host=host, loopback=loopback, **certificate, **guards)
    taken = _socket(host, port)
    url = f"{'https' if secure else 'http'}://{_name(host)}:{taken.getsockname()[1]}/"
    if not is_quiet():
        say(f"Serving {bundle} at {url} (Ctrl-C ends it)")
    if not loopback and not is_quiet():
        say(qr(url))
        if not secure:
            say(_PHONES if a_page else _IN_CLEAR)
    return Listening(url, server(), taken)


def new_token(name: str, file: str | None) -> str:
    """A token for the caller `name`; `file` keeps its hash only. Raises UsageError."""
    from nbdeploy.serve.endpoint.refusal import Unusable  # noqa: PLC0415 - starlette
    from nbdeploy.serve.endpoint.tokens import make  # noqa: PLC0415

    if not file:
        raise UsageError(
            "Where is the token's hash kept?", hint=f"Type: nbdeploy serve --new-token {name} --tokens FILE"
        )
    try:
        return make(name, Path(file))
    except Unusable as error:
        raise UsageError(error.message, hint=error.hint) from error


def _page(bundle: Bundle, *, host: str, loopback: bool, **certificate: str | None) -> Callable[[], uvicorn.Server]:
    import uvicorn  # noqa: PLC0415 - only this verb needs it

    from nbdeploy.serve.site import site  # noqa: PLC0415 - starlette

    config = uvicorn.Config(
        site(bundle, host=host, loopback=loopback),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=certificate["certfile"],
        ssl_keyfile=certificate["keyfile"],
    )
    return lambda: uvicorn.Server(config)


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
        host = own_address()
    return f"[{host}]" if ":" in host else host


def own_address() -> str:
    """This machine's own address in its network, or its name where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return str(probe.getsockname()[0])
        except OSError:  # no network
            return socket.gethostname()
