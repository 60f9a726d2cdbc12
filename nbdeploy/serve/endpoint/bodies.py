"""Request bodies: bounded before anything looks at them, one by one and all together, and in the time they may take."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .refusal import Refused, busy

_PACE = 16_384  # bytes a second that a body has to keep up, after the first seconds of patience
_SMALL = 65_536  # bytes that uvicorn has read anyway
_GONE = {"http.disconnect"}


class Bodies:
    """`most` bytes a request, `memory` bytes of all that are held. Who is slower than `patience` and a modest pace gets
    408. What is refused is read to its end for a while and thrown away: only then do most clients see the answer.
    """

    def __init__(self, app: ASGIApp, *, most: int, memory: int, patience: float) -> None:
        self.app, self.most, self.memory, self.patience = app, most, memory, patience
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        length = int(headers.get(b"content-length", b"0"))  # h11 has checked that it is a number
        if not length and b"transfer-encoding" not in headers:
            await self.app(scope, receive, send)
            return
        body = _Body(self, headers, length, receive, send)
        try:
            await self.app(scope, body.receive, body.send)
        finally:
            self.held -= body.taken


class _Body:
    def __init__(self, bounds: Bodies, headers: dict[bytes, bytes], length: int, receive: Receive, send: Send) -> None:
        self.bounds, self.length = bounds, length
        self.encoding = headers.get(b"content-encoding", b"identity")
        self.asks_first = b"expect" in headers
        self.taken, self.whole, self.begun = 0, False, False
        self._receive, self._send = receive, send
        self._start = asyncio.get_running_loop().time()

    async def receive(self) -> Message:
        """The next part of the body. Raises Refused."""
        if self.whole:
            return await self._receive()
        if self.encoding.lower() != b"identity":
            raise Refused(415, "encoded", "Packed bodies are not taken.", hint="Leave out Content-Encoding.")
        if self.length > self.bounds.most:
            raise self._too_large()
        self.begun = True
        due = self._start + self.bounds.patience + self.taken / _PACE
        try:
            async with asyncio.timeout_at(due):
                message = await self._receive()
        except TimeoutError as error:
            raise Refused(
                408,
                "too_slow",
                f"The body came too slowly (less than {_PACE // 1024} KiB a second).",
                hint="Send it anew.",
            ) from error
        self._count(message)
        return message

    def _count(self, message: Message) -> None:
        size = len(message.get("body", b""))
        self.taken += size
        self.bounds.held += size
        self.whole = message["type"] in _GONE or not message.get("more_body", False)
        if self.taken > self.bounds.most:
            raise self._too_large()
        if self.bounds.held > self.bounds.memory:
            raise busy("memory", "Too many large requests are on their way.")

    def _too_large(self) -> Refused:
        return Refused(
            413, "too_large", f"The body has more than {self.bounds.most:,} bytes.", hint="Send less at a time."
        )

    async def send(self, message: Message) -> None:
        """Send; an answer that comes before the end of the body ends the connection, after a while."""
        early = not self.whole and (self.length > _SMALL or not self.length)
        if early and message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
        if not early or message["type"] != "http.response.body" or message.get("more_body", False):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        if self.begun or not self.asks_first:
            await self._read_away()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read_away(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.bounds.patience):
                more = True
                while more:
                    message = await self._receive()
                    more = message["type"] not in _GONE and message.get("more_body", False)
        self.whole = True
