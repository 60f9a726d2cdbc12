"""A page for one telephone that adds pictures to a collection: off by default, and opened once by its code."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.items import Item, Source, new_session
from nbdeploy.data.records import shown
from nbdeploy.errors import OutputError, UsageError

CODE_LIVES_S = 600.0
"""How long a code opens the page, when nobody used it."""
MOST_BYTES = 30 << 20
"""Of one picture."""
_WRONG, _WRONG_S = 10, 60.0  # codes that may be wrong in that time
_RATE, _RATE_S = 60, 3.0  # pictures in that time


class Door:
    """Who may come in: whoever brings the code first, and then only that one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._wrong: deque[float] = deque(maxlen=_WRONG)
        self._rate: deque[float] = deque(maxlen=_RATE)
        self._cookie = ""
        self.renew()

    def renew(self) -> None:
        """A new code; who is in stays in until it is used."""
        with self._guard:
            self.code = secrets.token_urlsafe(18)
            self._until = self._clock() + CODE_LIVES_S

    def open(self, code: str) -> str:
        """The cookie for the one who brings the code; nothing for a code that is wrong, used or too old."""
        with self._guard:
            now = self._clock()
            if len(self._wrong) == _WRONG and now - self._wrong[0] < _WRONG_S:
                return ""
            right = secrets.compare_digest(code.encode(), self.code.encode())
            if not right or not self.code or now > self._until:
                self._wrong.append(now)
                return ""
            self.code = ""
            self._cookie = secrets.token_urlsafe(32)
            return self._cookie

    def knows(self, cookie: str) -> bool:
        """Whether that is the one who came in last."""
        return bool(self._cookie) and secrets.compare_digest(cookie.encode(), self._cookie.encode())

    def too_fast(self) -> bool:
        """Whether pictures come faster than hands and cameras give them."""
        with self._guard:
            now = self._clock()
            if len(self._rate) == _RATE and now - self._rate[0] < _RATE_S:
                return True
            self._rate.append(now)
            return False

    @property
    def used(self) -> bool:
        """Whether the code opens nothing any more."""
        return not self.code or self._clock() > self._until


class Phone:
    """The page, on `host`, until `stop` or the end of the process.

    Raises UsageError for an address or a certificate that cannot be, OutputError where it cannot be listened on.
    """

    def __init__(
        self,
        collection: Collection,
        host: str,
        *,
        port: int = 0,
        certfile: str | os.PathLike[str] | None = None,
        keyfile: str | os.PathLike[str] | None = None,
        seen: Callable[[Item], None] | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        if not isinstance(host, str) or not host.strip():
            raise UsageError(
                "Phone capture needs an address.", hint='As phone(host="0.0.0.0"), or one of this machine.'
            )
        self.collection, self.host = collection, host.strip()
        self.secure = certfile is not None
        self.door = Door()
        self.pictures = 0
        self.visitor = ""
        self._seen, self._changed = seen or (lambda _: None), changed or (lambda: None)
        self._visit = new_session("phone")
        self._socket = _listen(self.host, port)
        self.port = int(self._socket.getsockname()[1])
        self._server = _server(self, certfile, keyfile)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="nbdeploy-phone", daemon=True
        )
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if not self._server.started:
            self.stop()
            raise OutputError(f"The page cannot be opened on {self.host}.", hint="Choose another address or port.")

    @property
    def url(self) -> str:
        """The address with the code, for one visit; without it once that was used."""
        shown_host = reachable(self.host)
        place = f"[{shown_host}]" if ":" in shown_host else shown_host
        address = f"{'https' if self.secure else 'http'}://{place}:{self.port}/"
        return address if self.door.used else f"{address}#{self.door.code}"

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the page. What was sent is stored."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
        with contextlib.suppress(OSError):
            self._socket.close()

    def renew(self) -> None:
        """A new code, for another telephone; the one that is in stays until it is used."""
        self.door.renew()
        self._changed()

    def state(self) -> dict[str, Any]:
        """What the widget shows."""
        return {
            "url": self.url,
            "svg": "" if self.door.used else qr_svg(self.url),
            "used": self.door.used,
            "secure": self.secure,
            "pictures": self.pictures,
            "visitor": self.visitor,
        }

    def entered(self, visitor: str) -> None:
        """Somebody came in: a new session."""
        self.visitor, self._visit, self.pictures = visitor, new_session("phone"), 0
        self._changed()

    def took(self, data: bytes, label: str, part: int) -> Item:
        """A picture came; `part` counts the sessions of this visit."""
        session = f"{self._visit}-{part}"
        item = self.collection.take(data, label, source=Source("phone"), session=session, batch=session)
        self.pictures += item.status == "kept"
        self._seen(item)
        self._changed()
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Phone({self.url})" if self.running else "Phone(stopped)"

    def _repr_html_(self) -> str:
        from nbdeploy.core.look import Html, head, output, quiet  # noqa: PLC0415 - only a notebook shows it

        if not self.running or self.door.used:
            return output(head("Phone page stopped" if not self.running else "Phone page: the code was used"))
        white = f'<div style="background:#fff;display:inline-block;padding:4px;width:200px">{qr_svg(self.url)}</div>'
        return output(head("Scan with the telephone’s camera"), Html(white), quiet(self.url))


def qr_svg(text: str) -> str:
    """A QR code as SVG."""
    import segno  # noqa: PLC0415 - only where a code is shown

    data = io.BytesIO()
    segno.make(text, error="m").save(data, kind="svg", border=2, xmldecl=False, svgns=True, omitsize=True)
    return data.getvalue().decode()


def reachable(host: str) -> str:
    """The address at which others reach `host`: of all addresses, the one of the way out."""
    if host not in {"0.0.0.0", "::"}:  # noqa: S104 - it is looked at, not listened on
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which of our addresses would be used
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        made = socket.socket(found[0][0], socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(found[0][4])
        except BaseException:
            made.close()
            raise
    except (OSError, UnicodeError, OverflowError) as error:
        why = getattr(error, "strerror", "") or error
        raise OutputError(
            f"{host}:{port} cannot be listened on ({why}).", hint="Use an address of this machine, or 0.0.0.0 for all."
        ) from error
    return made


def _server(phone: Phone, certfile: str | os.PathLike[str] | None, keyfile: str | os.PathLike[str] | None) -> Any:
    import uvicorn  # noqa: PLC0415 - a web server, only where one is asked for

    from nbdeploy.data.collect.phone_app import app_of  # noqa: PLC0415

    for file in (certfile, keyfile):
        if file is not None and not Path(file).is_file():
            raise UsageError(f"There is no certificate {shown(file)}.", hint="Give the .pem files of one.")
    config = uvicorn.Config(
        app_of(phone),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        limit_concurrency=64,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
        ssl_certfile=None if certfile is None else str(certfile),
        ssl_keyfile=None if keyfile is None else str(keyfile),
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"The certificate cannot be used ({error}).", hint="Give certfile and its keyfile.") from error
    return uvicorn.Server(config)
