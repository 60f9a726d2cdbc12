"""The page of a web bundle, served from this process; who can reach an address; and the QR code of it."""

from __future__ import annotations

import io
import ipaddress
import shlex
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nbdeploy.core.progress import quiet
from nbdeploy.errors import UsageError
from nbdeploy.serve.running import Listening, listen, own_address

LOOPBACK = "127.0.0.1"
_ONLY_HERE = "Opens on this computer only. On an Android phone by USB, camera included: type this, then scan the code."
_BY_USB = "adb reverse tcp:{port} tcp:{port}"
_ANYONE = (
    "Anyone on your network can open it, over plain HTTP, until it is stopped. Phones give a page the camera and "
    "offline use only over HTTPS; choosing a photo works. With a certificate of yours:"
)
_BY_HTTPS = "nbdeploy serve {bundle} --host 0.0.0.0 --certfile CERT.pem --keyfile KEY.pem"


class WebApp:
    """The page of a web bundle: served to nobody, to this computer or to its network, until `stop` or until this
    process ends. ``shown`` is what there is to be said of it: ``url caption command qr network``; empty while stopped.
    """

    def __init__(self) -> None:
        self.shown: dict[str, Any] = {}
        self._listening: Listening | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def open(self, bundle: Path, *, network: bool = False) -> None:
        """Serve it at a free port, in place of where it was served. Raises BundleError, and UsageError where this
        machine has no address in a network; then what was served is served still.
        """
        with self._lock:
            if self.shown and self.shown["network"] == network:
                return
            host = network_address() if network else LOOPBACK
            if not host:
                raise UsageError("This machine has no address in a network.", hint="Connect it to one, then try again.")
            with quiet():
                listening = listen(bundle, host=host, port=0)
            self._end()
            self._listening = listening
            self._thread = threading.Thread(target=listening.run, name="nbdeploy-page", daemon=True)
            self._thread.start()
            told, command = (_ANYONE, _BY_HTTPS) if network else (_ONLY_HERE, _BY_USB)
            self.shown = {
                "url": listening.url,
                "caption": told,
                "command": command.format(port=urlsplit(listening.url).port, bundle=shlex.quote(str(bundle))),
                "qr": qr(listening.url),
                "network": network,
            }

    def stop(self) -> None:
        """Serve it no longer. Twice is once."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._listening is not None and self._thread is not None:
            self._listening.server.should_exit = True
            self._thread.join(10)
        self.shown, self._listening, self._thread = {}, None, None


def network_address() -> str:
    """This machine's own address in its network; "" where it has none."""
    address = own_address()
    try:
        return "" if ipaddress.ip_address(address).is_loopback else address
    except ValueError:
        return ""


def who_reaches(url: str, *, token: bool) -> str:
    """Who can ask an endpoint at that address; `token`: it asks for one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    if here:
        return f"Only programs on this computer reach it{', and they need its token' if token else ''}."
    shown = "with its token" if token else "and no token is asked"
    clear = "" if parts.scheme == "https" else " Over plain HTTP, others on the way can read what is sent."
    return f"Whoever reaches that address can ask it, {shown}.{clear}"


def qr(text: str) -> str:
    """A QR code as SVG, black on white in every theme, for it has to be read by cameras."""
    import segno  # noqa: PLC0415 - only where a code is shown

    data = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        data, kind="svg", border=2, xmldecl=False, svgns=True, omitsize=True, light="#fff", dark="#000"
    )
    return data.getvalue().decode()
