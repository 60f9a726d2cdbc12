"""The bundle's endpoint inside this process, asked without a socket. Plain Python beside the bundle's own server."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# onnxruntime reports usage to its makers unless told not to before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

App = Callable[[Any, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def load(bundle: str | Path) -> App:
    """The endpoint's ASGI application, its model loaded and held to the bundle's samples. Told by the environment."""
    folder = Path(bundle).resolve() / "app" / "server"
    spec = importlib.util.spec_from_file_location(
        "bundle_server", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["bundle_server"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    parts = {
        part: importlib.import_module(f"bundle_server.{part}") for part in ("app", "log", "model", "pool", "settings")
    }
    settings = parts["settings"].Settings.from_environment()
    pool = parts["pool"].Pool(
        parts["model"].Model.open(folder.parents[1]), threads=settings.workers, waiting=settings.queue
    )
    pool.load()
    # Where no token is asked and none in front asks, it answers only to this machine's own names.
    app: App = parts["app"].application(pool, settings, parts["log"].Log(), local=True)
    return app


def scope(
    method: str,
    path: str,
    *,
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    client: str = "127.0.0.1",
) -> dict[str, Any]:
    """The ASGI scope of one request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "client": (client, 0),
        "server": ("endpoint", 443),
    }


async def ask(app: App, asked: Mapping[str, Any], body: bytes) -> tuple[int, Headers, bytes]:
    """What the app answers: status, headers, body."""
    given, status, headers, parts = [body], 500, [], []

    async def receive() -> dict[str, Any]:
        if given:
            return {"type": "http.request", "body": given.pop(), "more_body": False}
        await asyncio.Event().wait()  # the caller stays until it has its answer
        raise AssertionError("unreachable")

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(dict(asked), receive, send)
    return status, headers, b"".join(parts)
