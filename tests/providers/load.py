"""Clients that ask without a pause, and count what went wrong. They try nothing twice."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Load:
    """What the clients saw."""

    failures: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)

    def seen(self, version: str) -> bool:
        """Whether a request was answered by that version of the model."""
        return version in self.versions


@contextmanager
def load(url: str, body: bytes, *, token: str = "", clients: int = 4) -> Iterator[Load]:
    """Half of the `clients` keep their connection, half open one for each request."""
    found, stop = Load(), threading.Event()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    threads = [
        threading.Thread(target=_client, args=(url, body, headers, found, stop, number % 2 == 0), daemon=True)
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _client(  # noqa: PLR0917 - a thread's arguments
    url: str, body: bytes, headers: dict[str, str], found: Load, stop: threading.Event, keeps: bool
) -> None:
    parts: Any = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    while not stop.is_set():
        try:
            connection.request("POST", "/predict", body, headers if keeps else {**headers, "Connection": "close"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status == 200:
                found.versions.append(json.loads(said)["model"]["version"])
            else:
                found.failures.append(f"status {answer.status}: {said[:200]!r}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            found.failures.append(repr(error))
            connection.close()
        stop.wait(0.02)
    connection.close()
