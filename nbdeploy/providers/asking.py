"""Asking an endpoint over HTTP, by its address or through a connection that a provider opens to it."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from nbdeploy.errors import ProviderError, UsageError

Reach = Callable[[], Any]
"""Opens a connection to the endpoint: gives what behaves as a connected socket."""
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes

    def json(self) -> Any:
        """The body's JSON; {} where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    @property
    def reason(self) -> str:
        """What a refusal says of itself, in a line."""
        said = self.json()
        error = said.get("error") if isinstance(said, dict) else None
        words = " ".join(str(error.get(key) or "") for key in ("message", "hint")) if isinstance(error, dict) else ""
        return words.strip() or f"status {self.status}"


def ask(
    url: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    token: str = "",
    reach: Reach | None = None,
    timeout: float = TIMEOUT_S,
) -> Answer:
    """GET `path`, or POST `body` to it. Raises OSError or http.client.HTTPException where nothing answers."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{url} is no address of an endpoint.", hint="It starts with http:// or https://.")
    if parts.scheme == "https":
        made: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout, context=ssl.create_default_context()
        )
    else:
        made = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    sent = {"Connection": "close", **({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
    through = None if reach is None else reach()
    try:
        if through is not None:
            made.sock = _Open(through)
        made.request("GET" if body is None else "POST", parts.path.rstrip("/") + path, body=body, headers=sent)
        got = made.getresponse()
        return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
    finally:
        made.close()
        if through is not None:
            through.close()


class _Open:
    """A connection that stays open while the answer is read: HTTPConnection lets go of its socket before that."""

    def __init__(self, through: Any) -> None:
        self.sendall, self.makefile = through.sendall, through.makefile

    def close(self) -> None:
        """Nothing: `ask` does it."""


def ask_again(
    url: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    token: str = "",
    reach: Reach | None = None,
) -> Answer:
    """As `ask`, once more where the connection broke: what is asked here changes nothing. Raises ProviderError."""
    for last in (False, True):
        try:
            return ask(url, path, body=body, headers=headers, token=token, reach=reach)
        except (OSError, http.client.HTTPException) as error:
            if last:
                why = str(error) or type(error).__name__
                raise ProviderError(
                    f"{url} does not answer ({why}).", hint="Type: nbdeploy endpoints, which says how it is."
                ) from error
    raise AssertionError("unreachable")
