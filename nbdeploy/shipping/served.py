"""The page of a web bundle, served from this process; and the QR code of an address."""

from __future__ import annotations

import io
import ipaddress
import threading
from pathlib import Path
from urllib.parse import urlsplit

from nbdeploy.core.progress import quiet
from nbdeploy.serve.running import Listening, listen, own_address

LOOPBACK = "127.0.0.1"
ONLY_HERE = (
    "Opens on this computer only; or on a phone by USB, with the port forwarded to its localhost, which gives it the "
    "camera too."
)
ANYONE = (
    "Anyone on your network can open it, over plain HTTP, until it is stopped. Phones give a page the camera and "
    "offline use only over HTTPS; choosing a photo works. With a certificate: "
    "nbdeploy serve BUNDLE --host 0.0.0.0 --certfile CERT.pem --keyfile KEY.pem"
)


class Served:
    """A page that answers until `stop`, or until this process ends."""

    def __init__(self, bundle: Path, *, host: str = LOOPBACK) -> None:
        with quiet():
            self._listening: Listening = listen(bundle, host=host, port=0)
        self.host = host
        self.url = self._listening.url
        self._thread = threading.Thread(target=self._listening.run, name="nbdeploy-page", daemon=True)
        self._thread.start()

    @property
    def caption(self) -> str:
        """Who can open it."""
        return caption(self.url)

    def stop(self) -> None:
        """End it."""
        self._listening.server.should_exit = True
        self._thread.join(10)


def network_address() -> str:
    """This machine's own address in its network; "" where it has none."""
    address = own_address()
    try:
        return "" if ipaddress.ip_address(address).is_loopback else address
    except ValueError:
        return ""


def caption(url: str) -> str:
    """Who can open the address."""
    host = urlsplit(url).hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return ONLY_HERE if here else ANYONE


def qr(text: str) -> str:
    """A QR code as SVG, black on white in every theme, for it has to be read by cameras."""
    import segno  # noqa: PLC0415 - only where a code is shown

    data = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        data, kind="svg", border=2, xmldecl=False, svgns=True, omitsize=True, light="#fff", dark="#000"
    )
    return data.getvalue().decode()
