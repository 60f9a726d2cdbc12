"""A share of the requests passed on to another endpoint, a new version say; where it fails this one answers."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics

PASSED_ON = "x-nbdeploy-canary"
_LOOK_S = 1  # at most so often is the file looked at
_PATIENCE_S = 10
_THREADS = 16
_OK = 200
_THERE = ("authorization", "content-type", "inference-header-content-length", "x-request-id")
_BACK = ("content-type", "inference-header-content-length")


class Canary:
    """`file` holds ``{"url", "share"}``; while it is missing or makes no sense, nothing is passed on."""

    def __init__(self, app: ASGIApp, *, file: Path, paths: Collection[str], metrics: Metrics) -> None:
        self.app, self.file, self.paths, self.metrics = app, file, frozenset(paths), metrics
        self._url, self._share, self._looked = "", 0.0, -1.0
        self._threads = ThreadPoolExecutor(_THREADS, "canary")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._chosen(scope):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        headers = {name: request.headers[name] for name in _THERE if name in request.headers}
        path = scope["raw_path"].decode("ascii")
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, _ask, self._url, path, headers, body)
        self.metrics.canary.labels("answered" if answer else "failed").inc()
        if answer:
            await answer(scope, receive, send)
            return
        parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return parts.pop() if parts else await receive()

        await self.app(scope, again, send)

    def _chosen(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST":
            return False
        if scope["path"] not in self.paths and not scope["path"].endswith("/infer"):
            return False
        if any(name == PASSED_ON.encode() for name, _ in scope["headers"]):
            return False  # it was passed on already
        self._look()
        return bool(self._url) and random.random() < self._share  # noqa: S311 - which request it is is no secret

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        try:
            said = json.loads(self.file.read_text(encoding="utf-8"))
            url, share = str(said["url"]).rstrip("/"), float(said["share"])
            good = urlsplit(url).scheme in {"http", "https"} and 0 <= share <= 1
        except (OSError, ValueError, KeyError, TypeError):
            good, url, share = False, "", 0.0
        self._url, self._share = (url, share) if good else ("", 0.0)


def _ask(url: str, path: str, headers: dict[str, str], body: bytes) -> Response | None:
    """The other endpoint's answer, or None where it is anything but 200."""
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=_PATIENCE_S)
    try:
        connection.request("POST", address.path + path, body, {**headers, PASSED_ON: "1"})
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    if response.status != _OK:
        return None
    back = {name: value for name in _BACK if (value := response.getheader(name))}
    return Response(content, headers={**back, PASSED_ON: "1"})
