"""The application by itself: while it loads, and when something happens that nobody foresaw."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from nbdeploy.serve.endpoint import settings as of_settings
from nbdeploy.serve.endpoint.app import application
from nbdeploy.serve.endpoint.log import Log
from nbdeploy.serve.endpoint.model import Model
from nbdeploy.serve.endpoint.pool import Pool
from nbdeploy.serve.endpoint.refusal import Unusable
from nbdeploy.serve.endpoint.settings import Settings, processors
from tests.serve.made import picture


@pytest.fixture
def pool(cloud_bundle: Path) -> Pool:
    return Pool(Model.open(cloud_bundle), threads=1, waiting=1)


def ask(app: Any, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One request without a server."""
    sent: list[dict[str, Any]] = []
    headers = [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({**scope, "headers": headers, "client": ("127.0.0.1", 1)}, receive, send))
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:])


def test_while_the_model_is_loaded_it_lives_and_is_not_ready(pool: Pool) -> None:
    app = application(pool, Settings(), Log(io.StringIO()), local=True)
    assert 200 == ask(app, "GET", "/healthz")[0]
    for path in ("/readyz", "/ping", "/v2/health/ready", "/v2/models/colours/ready"):
        status, headers, _ = ask(app, "GET", path)
        assert (503, "1") == (status, headers["retry-after"]), path
    status, headers, body = ask(app, "POST", "/predict", picture())
    assert (503, "1", "not_ready") == (status, headers["retry-after"], json.loads(body)["error"]["code"])
    pool.load()
    assert 200 == ask(app, "GET", "/readyz")[0]
    assert 200 == ask(app, "POST", "/predict", picture())[0]


def test_what_was_not_foreseen_is_a_fault_in_the_log_without_a_word_of_the_user(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.load()
    lines = io.StringIO()
    log = Log(lines)
    app = application(pool, Settings(), log, local=True)

    async def broken(_: Any) -> None:
        raise RuntimeError("what the user sent")

    monkeypatch.setattr(pool, "run", broken)
    status, headers, body = ask(app, "POST", "/predict", picture())
    assert 500 == status
    assert "fault" == json.loads(body)["error"]["code"]
    assert b"what the user sent" not in body
    log.close()
    fault, request = (json.loads(line) for line in lines.getvalue().splitlines())
    assert ("fault", "RuntimeError", headers["x-request-id"]) == (fault["event"], fault["type"], fault["id"])
    assert any("test_endpoint_app.py" in where for where in fault["where"])
    assert 500 == request["status"]
    assert "what the user sent" not in lines.getvalue()


@pytest.mark.parametrize(("text", "count"), [("150000 100000\n", 2), ("max 100000\n", 8), ("50000 100000", 1), ("", 8)])
def test_a_container_gets_as_many_threads_as_processors_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, count: int
) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(of_settings, "_CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(of_settings.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert count == processors()


def test_settings_come_from_the_environment_and_wrong_ones_say_what_is_right() -> None:
    given = {"PORT": "1", "AIP_HTTP_PORT": "2", "NBDEPLOY_CORS": "https://a, https://b", "NBDEPLOY_PUBLIC": "0"}
    found = Settings.from_environment(given)
    assert (2, ("https://a", "https://b"), False) == (found.port, found.cors, found.public)
    assert Settings.from_environment({"NBDEPLOY_PUBLIC": "1"}).public
    with pytest.raises(Unusable, match="NBDEPLOY_MAX_BODY=0 is no whole number of at least 1"):
        Settings.from_environment({"NBDEPLOY_MAX_BODY": "0"})


def test_a_log_that_nobody_reads_fast_enough_loses_lines_and_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from nbdeploy.serve.endpoint import log as module

    monkeypatch.setattr(module, "_WAITING", 3)
    gate, lines = threading.Event(), []

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait(20)
            lines.extend(map(json.loads, text.splitlines()))
            return len(text)

    log = Log(Slow())
    for number in range(10):
        log.event("request", number=number)
    assert 3 <= log.lost <= 7  # those that wait are taken together, which may happen before the last one came
    lost = log.lost
    gate.set()
    while log._lines.full():
        pass
    log.event("request", number=11)
    log.close()
    assert lost == lines[-1]["lost"]
