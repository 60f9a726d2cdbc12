"""Who may ask: by the name the server is called, by token, and not more often than agreed."""

from __future__ import annotations

import math
import time
from collections.abc import Collection

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from .refusal import Refused, Unusable
from .tokens import Tokens

HERE = ("127.0.0.1", "localhost", "[::1]")
_BEARER = "bearer "
_NEEDED = "Send the header Authorization: Bearer TOKEN."


class Guard:
    """Lets `free` paths through, and others with a good token. `hosts` (empty: any) are the names it answers to, so
    that no page from elsewhere reaches this machine's own server under a name of its own.
    """

    def __init__(
        self, app: ASGIApp, *, tokens: Tokens, rate: str, free: Collection[str], hosts: Collection[str]
    ) -> None:
        self.app, self.tokens, self.free, self.hosts = app, tokens, frozenset(free), frozenset(hosts)
        try:
            self._rate = parse(rate) if rate else None
        except ValueError as error:
            raise Unusable(f"{rate} is no rate.", hint="Say how many in which time: 600/minute") from error
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._check(scope)
            except Refused as refused:
                await refused.response(scope["path"])(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = {name: value for name, value in scope["headers"] if name in {b"host", b"authorization"}}
        if self.hosts and _host(headers.get(b"host", b"")) not in self.hosts:
            raise Refused(
                400,
                "wrong_host",
                "This server answers to this machine's own names only.",
                hint=f"One of {', '.join(HERE)}.",
            )
        if scope["path"] in self.free:
            return
        caller = str((scope.get("client") or ("?",))[0])
        if self.tokens.asked:
            caller = self._caller(headers.get(b"authorization", b"").decode("latin-1"))
            scope.setdefault("state", {})["caller"] = caller
        self._count(caller)

    def _caller(self, shown: str) -> str:
        asked = {"WWW-Authenticate": 'Bearer realm="nbdeploy"'}
        if not shown[: len(_BEARER)].lower() == _BEARER:
            raise Refused(401, "no_token", "A token is needed.", hint=_NEEDED, headers=asked)
        caller = self.tokens.caller(shown[len(_BEARER) :].strip())
        if caller is None:
            raise Refused(401, "wrong_token", "The token is not good (any more).", hint=_NEEDED, headers=asked)
        return caller

    def _count(self, caller: str) -> None:
        if self._rate is None or self._limiter.hit(self._rate, caller):
            return
        left = self._limiter.get_window_stats(self._rate, caller).reset_time - time.time()
        seconds = {"Retry-After": str(max(1, math.ceil(left)))}
        raise Refused(
            429, "too_often", f"More than {self._rate}.", hint="Ask again after Retry-After seconds.", headers=seconds
        )


def _host(header: bytes) -> str:
    """The name in a Host header, without the port."""
    text = header.decode("latin-1").lower()
    return text.partition("]")[0] + "]" if text.startswith("[") else text.partition(":")[0]
