"""One connection: who sends nothing, or comes when all places are taken, is told so and does not stay."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .refusal import Refused, busy

_GOODBYE_S = 1  # for a refusal to be read before the connection ends


class Connection(H11Protocol):
    """uvicorn's, with a bound on how many there are and on how long the head of a request may take."""

    most: ClassVar[int] = 1000
    patience: ClassVar[float] = 10
    _watch: asyncio.TimerHandle | None = None
    _refused = False

    @classmethod
    def bounded(cls, *, most: int, patience: float) -> type[Connection]:
        """The class with these bounds; uvicorn makes the instances."""
        return type("Bounded", (cls,), {"most": most, "patience": patience})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most and not self._make_room():
            self.connections.discard(self)
            self._say(busy("too_many_connections", "All connections are taken."))
            return
        self._expect()

    def _make_room(self) -> bool:
        """End the connection of somebody who asked, got an answer, and is silent."""
        for other in self.connections:
            if other is not self and isinstance(other, Connection) and other.idle:
                other.shutdown()
                return True
        return False

    @property
    def idle(self) -> bool:
        """Whether the last request was answered and no other has begun."""
        return (
            self.cycle is not None
            and self.cycle.response_complete
            and self._watch is None
            and not self.transport.is_closing()
        )

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._watch is None and self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._expect()  # a part of the next request's head

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that has said all it has to say may still be waiting for the answer."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return None
        self.cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._unwatch()
        self._say(Refused(400, "not_http", msg, hint="Speak HTTP/1.1; https:// where a certificate was given."))

    def _expect(self) -> None:
        self._watch = self.loop.call_later(self.patience, self._too_slow)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _too_slow(self) -> None:
        self._watch = None
        if not self.transport.is_closing():
            self._say(Refused(408, "too_slow", f"No whole request within {self.patience:g} seconds."))

    def _say(self, refusal: Refused) -> None:
        """Answer outside of any request, then end the connection."""
        self._refused = True
        response = refusal.response()
        body = bytes(response.body)
        head = [f"HTTP/1.1 {refusal.status} {_REASONS[refusal.status]}", "Connection: close"]
        head += [f"{name.decode()}: {value.decode()}" for name, value in response.raw_headers]
        self.transport.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_GOODBYE_S, self.transport.close)


_REASONS: dict[int, Any] = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}
