"""What the endpoint says when it does not answer: a fitting status, and what was wrong in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


class Unusable(Exception):
    """The endpoint cannot start like this; `hint` says what to type."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class Refused(Exception):
    """One request gets no answer but `status`, with ``{"error": {"code", "message", "hint"}}``."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.hint = status, code, message, hint
        self.headers = dict(headers or {})

    def response(self, path: str = "") -> Response:
        """What is sent; the Open Inference Protocol, whose paths begin with /v2, has a text as its error."""
        body: dict[str, Any] = {"error": {"code": self.code, "message": self.message, "hint": self.hint}}
        if path.startswith("/v2"):
            body = {"error": f"{self.message} {self.hint}".strip()}
        return as_json(body, status=self.status, headers=self.headers)


def busy(code: str, message: str, *, seconds: int = 1) -> Refused:
    """503: come again after `seconds`."""
    return Refused(
        503, code, message, hint="Ask again after Retry-After seconds.", headers={"Retry-After": f"{seconds}"}
    )


def fault() -> Refused:
    """500: an error of the server's own, which its log has."""
    return Refused(500, "fault", "This was not foreseen.", hint="The log has more under this request id.")


def as_json(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`data` as a JSON answer."""
    return Response(encoded(data), status_code=status, media_type="application/json", headers=dict(headers or {}))


def encoded(data: Any) -> bytes:
    """`data` as JSON; what JSON cannot hold (NaN) is an error here, not at the client."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
