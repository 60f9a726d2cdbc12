"""Runs the endpoint in AWS Lambda: events come from Lambda's runtime API, and are asked as if they came over HTTP.

    python awslambda.py BUNDLE

It needs what the bundle's server needs, and nothing of AWS. Events are those of an HTTP API of API Gateway and of a
function URL (payload format 2.0). Lambda takes 6 MB of event or answer at most, and binary bodies travel as base64:
a picture may have 4.4 MB. Only /tmp can be written to there; nothing is written.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MOST_BYTES = 4_400_000
"""Of a request's body: what 6 MB hold as base64, with room for the rest of the event."""
MOST_ANSWER = 6_000_000
_TEXT = ("text/", "application/json", "application/openmetrics-text")


def request_of(event: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The ASGI scope and the body of an event of payload format 2.0. Raises KeyError or ValueError for another kind."""
    import inprocess

    http = event["requestContext"]["http"]
    body = event.get("body") or ""
    raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in event["headers"].items()]
    headers = [pair for pair in headers if pair[0] != b"content-length"] + [(b"content-length", b"%d" % len(raw))]
    if event.get("cookies"):
        headers.append((b"cookie", "; ".join(event["cookies"]).encode("latin-1")))
    query, caller = (event.get("rawQueryString") or "").encode(), http.get("sourceIp") or "unknown"
    path = event.get("rawPath") or "/"
    return inprocess.scope(http["method"], path, query=query, headers=headers, client=caller), raw


def answer_of(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> dict[str, Any]:
    """The answer in payload format 2.0; text as it is, else base64."""
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    if named.get("content-type", "").startswith(_TEXT):
        text, encoded = body.decode("utf-8", "replace"), False
    else:
        text, encoded = base64.b64encode(body).decode(), True
    if len(text.encode()) > MOST_ANSWER:
        return _refused(502, "too_large", "The answer is larger than Lambda lets through.")
    return {"statusCode": status, "headers": named, "body": text, "isBase64Encoded": encoded}


def _refused(status: int, code: str, message: str) -> dict[str, Any]:
    body = json.dumps({"error": {"code": code, "message": message, "hint": "Send one picture of at most 4.4 MB."}})
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": body,
        "isBase64Encoded": False,
    }


class Handler:
    """Answers events with the endpoint, one after another, as Lambda sends them."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._loop = asyncio.new_event_loop()

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:
        """The answer to one event. What is no event gets a 400, what is too large a 413."""
        import inprocess

        try:
            scope, body = request_of(event)
        except (KeyError, TypeError, AttributeError, ValueError):
            return _refused(400, "bad_event", "This is no event of an HTTP API or a function URL (payload format 2.0).")
        if len(body) > MOST_BYTES:
            return _refused(413, "too_large", f"The body has {len(body)} bytes; {MOST_BYTES} fit through Lambda.")
        return answer_of(*self._loop.run_until_complete(inprocess.ask(self.app, scope, body)))


def serve(handler: Callable[[Any], Any], api: str) -> None:
    """Take events from Lambda's runtime API at `api` (host:port) and answer them, for as long as it lives."""
    root = f"http://{api}/2018-06-01/runtime/invocation"
    while True:
        with urllib.request.urlopen(f"{root}/next") as asked:  # noqa: S310 - Lambda's own address
            number, event = asked.headers["Lambda-Runtime-Aws-Request-Id"], json.load(asked)
        try:
            place, said = f"{root}/{number}/response", handler(event)
        except Exception as error:  # noqa: BLE001 - one event must not end the function
            traceback.print_exc()
            place, said = f"{root}/{number}/error", {"errorMessage": str(error), "errorType": type(error).__name__}
        urllib.request.urlopen(urllib.request.Request(place, json.dumps(said).encode(), method="POST")).close()  # noqa: S310


if __name__ == "__main__":
    os.environ.setdefault("NBDEPLOY_MAX_BODY", str(MOST_BYTES))
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import inprocess as endpoint

    serve(Handler(endpoint.load(sys.argv[1])), os.environ["AWS_LAMBDA_RUNTIME_API"])
