"""The outermost layer: every request gets an id, is counted and logged, and ends with an answer whatever happened."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .log import Log
from .metrics import Metrics
from .pool import Pool, State
from .refusal import Refused, fault

GONE = 499
"""What is logged of a client that did not wait for its answer."""
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
]


class Observe:
    """`route` gives a request's route as it was declared, so that no address of a user's making is kept."""

    def __init__(self, app: ASGIApp, *, route: Callable[[Scope], str], metrics: Metrics, log: Log, pool: Pool) -> None:
        self.app, self.route, self.metrics, self.log, self.pool = app, route, metrics, log, pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, answer = time.perf_counter(), _Answer(send, _request_id(scope), self.pool)
        self.metrics.in_flight.inc()
        try:
            await self._answer(scope, receive, answer)
        finally:
            self.metrics.in_flight.dec()
            seconds, route = time.perf_counter() - start, self.route(scope)
            self.metrics.answered(scope["method"], route, answer.status, seconds)
            self.log.event(
                "request",
                method=scope["method"][:10],
                route=route,
                status=answer.status,
                ms=round(seconds * 1000, 1),
                id=answer.request_id.decode(),
                **_caller(scope),
            )

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self.app(scope, receive, answer.send)
        except ClientDisconnect:
            return
        except Refused as refused:
            if not answer.started:
                await refused.response(scope["path"])(scope, receive, answer.send)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server lives on
            self.log.fault(error, id=answer.request_id.decode())
            if not answer.started:
                await fault().response(scope["path"])(scope, receive, answer.send)


class _Answer:
    """What is sent: its status, and the headers that every answer has."""

    def __init__(self, send: Send, request_id: bytes, pool: Pool) -> None:
        self._send, self.request_id, self._pool = send, request_id, pool
        self.status, self.started = GONE, False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            headers = list(message.get("headers", []))
            there = {name for name, _ in headers}
            headers += [(name, value) for name, value in _ALWAYS if name not in there]
            headers.append((b"x-request-id", self.request_id))
            if self._pool.state is State.draining:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)


def _caller(scope: Scope) -> dict[str, Any]:
    caller = scope.get("state", {}).get("caller")
    return {"caller": caller} if caller else {}


def _request_id(scope: Scope) -> bytes:
    """The client's own where it is harmless, else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _ID.fullmatch(given) else secrets.token_hex(8).encode()
