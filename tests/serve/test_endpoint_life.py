"""Starting, sharing a socket, handing over, ending: no request is lost on the way."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.serve.made import Served, picture, served, write_bundle

RED = picture()


@dataclass
class Load:
    """What clients with connections that stay open saw."""

    port: int
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    ending: threading.Event = field(default_factory=threading.Event)
    """From then on nobody may be there any more to connect to."""


def ask_on(load: Load, stop: threading.Event) -> None:
    connection = None
    while not stop.is_set():
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=60)
            try:
                connection.connect()
            except OSError as error:
                if not load.ending.is_set():
                    load.lost.append(f"not connected: {error!r}")
                return
        try:
            connection.request("POST", "/predict", RED)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            load.lost.append(repr(error))
            return
        if response.status == 200:
            load.answered += 1
            load.versions.add(answer["model"]["version"])
        else:
            load.lost.append(str(answer))
        if response.getheader("Connection", "").lower() == "close":
            connection.close()
            connection = None


@contextmanager
def under_load(port: int, clients: int = 6) -> Iterator[Load]:
    load, stop = Load(port), threading.Event()
    threads = [threading.Thread(target=ask_on, args=(load, stop)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=60)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_sigterm_under_load_loses_no_request_and_ends_with_status_0(cloud_bundle: Path) -> None:
    with served(cloud_bundle) as one, under_load(one.port) as load:
        until(lambda: load.answered > 50)
        load.ending.set()
        assert 0 == one.end()
    assert [] == load.lost
    assert ["ready", "draining", "ended"] == [e["event"] for e in one.events() if e["event"] != "request"]
    statuses = {event["status"] for event in one.events() if event["event"] == "request"}
    assert {200} == statuses
    assert load.answered == sum(event["event"] == "request" for event in one.events())


def test_a_new_version_on_the_same_socket_takes_over_without_a_lost_request(cloud_bundle: Path, tmp_path: Path) -> None:
    newer = write_bundle(tmp_path / "newer", version="2.0.0")
    with socket.create_server(("127.0.0.1", 0), backlog=512) as shared:
        number = shared.fileno()
        options = ("--fd", str(number))
        with served(cloud_bundle, *options, pass_fds=(number,)) as old:
            assert shared.getsockname()[1] == old.port
            with under_load(old.port) as load:
                until(lambda: load.answered > 30)
                with served(newer, *options, pass_fds=(number,)) as new:
                    assert 0 == old.end()
                    before = load.answered
                    until(lambda: load.answered > before + 30)
                    assert {"1.0.0", "2.0.0"} == load.versions
                    shared.close()
                    load.ending.set()
                    assert 0 == new.end()
    assert [] == load.lost


def test_an_idle_connection_does_not_keep_it_from_ending(cloud_bundle: Path) -> None:
    with served(cloud_bundle) as one:
        connection = http.client.HTTPConnection("127.0.0.1", one.port)
        connection.request("GET", "/healthz")
        assert 200 == connection.getresponse().status
        assert 0 == one.end()


def test_ctrl_c_ends_it_too(cloud_bundle: Path) -> None:
    with served(cloud_bundle) as one:
        one.process.send_signal(signal.SIGINT)
        assert 0 == one.process.wait(timeout=60)


def test_a_bundle_that_answers_otherwise_than_when_it_was_made_does_not_start(
    cloud_bundle: Path, tmp_path: Path
) -> None:
    wrong = shutil.copytree(cloud_bundle, tmp_path / "b")
    expected = wrong / "samples" / "expected.json"
    expected.write_text(expected.read_text(encoding="utf-8").replace('"red apple": 0.9', '"red apple": 0.1'))
    with pytest.raises(AssertionError, match="is answered otherwise"), served(wrong):
        pass


def test_the_line_that_says_ready_comes_when_it_is_ready(cloud_bundle: Path) -> None:
    with served(cloud_bundle) as one:
        assert 200 == one.ask("GET", "/readyz").status
        assert one.process.pid == one.pid


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path, Path]]:
    """A server of version 1.0.0, the file that tells it of a canary, and a bundle of version 2.0.0."""
    folder = tmp_path_factory.mktemp("canary")
    file = folder / "canary.json"
    old, new = write_bundle(folder / "old"), write_bundle(folder / "new", version="2.0.0")
    with served(old, env={"NBDEPLOY_CANARY": str(file)}) as one:
        yield one, file, new


def said_by(one: Served) -> str:
    answer = one.predict(RED, "image/png")
    assert 200 == answer.status
    return str(answer.json()["model"]["version"])


def test_a_share_of_requests_goes_to_the_canary_and_comes_back_when_it_fails(
    canary: tuple[Served, Path, Path],
) -> None:
    one, file, bundle = canary
    assert "1.0.0" == said_by(one)
    with served(bundle) as new:
        file.write_text(json.dumps({"url": new.url, "share": 1}))
        until(lambda: said_by(one) == "2.0.0")
        assert 422 == one.predict(b"no picture").status
        data = json.dumps(
            {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 24, 24, 3], "data": [0] * 1728}]}
        )
        assert "2.0.0" == one.ask("POST", "/v2/models/colours/infer", data).json()["model_version"]
        file.write_text(json.dumps({"url": new.url, "share": 0.5}))
        time.sleep(1.1)
        seen = [said_by(one) for _ in range(60)]
        assert 10 < seen.count("2.0.0") < 50
        file.write_text(json.dumps({"url": new.url, "share": 1}))
        until(lambda: said_by(one) == "2.0.0")
    assert "1.0.0" == said_by(one)  # nobody is there any more
    metrics = one.ask("GET", "/metrics").body.decode()
    assert 'nbdeploy_canary_total{result="failed"}' in metrics
    file.write_text("{")
    time.sleep(1.1)
    assert "1.0.0" == said_by(one)


def test_a_canary_that_points_at_itself_does_not_go_round(canary: tuple[Served, Path, Path]) -> None:
    one, file, _ = canary
    file.write_text(json.dumps({"url": one.url, "share": 1}))
    time.sleep(1.1)
    assert "1.0.0" == said_by(one)


def test_a_reader_that_leaves_the_log_unread_does_not_stop_it(cloud_bundle: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NBDEPLOY_", "PYTHON"))}
    import sys

    command = [sys.executable, str(cloud_bundle / "app" / "server"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept) as process:
        try:
            one = Served(json.loads(process.stdout.readline())["url"], process)
            connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
            for _ in range(700):  # more lines than a pipe holds
                connection.request("GET", "/healthz", headers={"X-Request-Id": "i" * 60})
                response = connection.getresponse()
                response.read()
                assert 200 == response.status
            assert 200 == one.predict(RED).status
        finally:
            process.kill()
