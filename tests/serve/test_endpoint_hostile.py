"""Input that means harm: a 4xx or 503 with a reason, memory bounded, and the server answers the next one."""

from __future__ import annotations

import contextlib
import json
import resource
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serve.made import Answer, Served, form, picture, saved, served

RED = picture()
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def patient(cloud_bundle: Path) -> Iterator[Served]:
    """A server with little patience, few places and a short queue."""
    env = {"NBDEPLOY_PATIENCE": "2", "NBDEPLOY_CONNECTIONS": "60", "NBDEPLOY_QUEUE": "3", "NBDEPLOY_THREADS": "1"}
    with served(cloud_bundle, env=env) as one:
        yield one


def lives(one: Served) -> None:
    end = time.monotonic() + 30
    while (answer := one.predict(RED)).status == 503:  # busy with what was left behind
        assert time.monotonic() < end
        time.sleep(0.1)
    assert "red apple" == answer.json()["predictions"][0]["label"]
    assert not [event for event in one.events() if event["event"] == "fault"]


def raw(one: Served, *parts: bytes, half_close: bool = False, pause: float = 0) -> Answer:
    """Send bytes as they are; gives what came back until the end of the connection, or of the answer."""
    with socket.create_connection(("127.0.0.1", one.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return read(connection)


def read(connection: socket.socket) -> Answer:
    data = b""
    while True:
        part = connection.recv(65536)
        data += part
        head, found, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        if not part or (found and len(body) >= int(headers.get("content-length", 1 << 40))):
            return Answer(int(lines[0].split()[1]) if data else 0, headers, body)


def post(length: str | None = None, *, path: str = "/predict", more: str = "") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/octet-stream"]
    lines += [f"Content-Length: {length}"] if length is not None else []
    return "\r\n".join([*lines, *more.splitlines(), "", ""]).encode()


def test_a_gigabyte_is_refused_without_being_held(patient: Served) -> None:
    before = patient.memory()
    said = raw(patient, post(str(1 << 30)), b"x" * 65536)
    assert (413, "too_large") == (said.status, said.error["code"])

    def endless() -> Iterator[bytes]:
        part = bytes(MEBIBYTE)
        for _ in range(200):
            yield part

    answer = patient.predict(endless())
    assert 413 == answer.status
    assert patient.memory() - before < 120 * MEBIBYTE
    lives(patient)


def test_many_large_bodies_at_the_same_time_are_bounded_together(cloud_bundle: Path) -> None:
    with served(cloud_bundle) as one:
        before, answers = one.memory(), []
        head, part = post("19000000"), bytes(MEBIBYTE)

        def send() -> None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", one.port), timeout=30) as there:
                there.sendall(head)
                for _ in range(18):
                    there.sendall(part)
                ready, _, _ = select.select([there], [], [], 3)
                if ready:
                    answers.append(read(there).status)

        threads = [threading.Thread(target=send) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {503} == set(answers)
        assert one.memory() - before < 700 * MEBIBYTE
        lives(one)


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",), 400),  # TLS to a plain port
        ((b"hello\r\n\r\n",), 400),
        ((b"GET / HTTP/9.9\r\n\r\n",), 400),
        ((b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",), 400),
        ((b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MEBIBYTE + b"\r\n\r\n",), 400),
        ((b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000,), 400),
        ((post("-1"), b"x"), 400),
        ((post("1e9"), b"x"), 400),
        ((post("9" * 5000), b"x"), 400),
        ((post("9" * 19), b"x"), 413),
        ((b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",), 400),
        ((b"GET /%ff%00..%2f..%2fetc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",), 404),
        ((b"GET /predict HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",), 405),
        ((b"GET /none HTTP/1.0\r\nHost: localhost\r\n\r\n",), 404),
        ((post("3", more="Content-Length: 4"), b"abc"), 400),
        ((post(more="Transfer-Encoding: chunked"), b"zz\r\nabc\r\n"), 400),
        ((post("3", more="Transfer-Encoding: gzip"), b"abc"), 400),
        ((post("3", more="Content-Encoding: gzip"), b"abc"), 415),
        ((b"POST /predict HTTP/1.1\r\nContent-Length: 0\r\n\r\n",), 400),  # no Host
        ((b"TRACE /predict HTTP/1.1\r\nHost: localhost\r\n\r\n",), 405),
        ((b"\x00" * 3000,), 400),
    ],
)
def test_what_is_no_proper_http_gets_an_answer_in_words(patient: Served, parts: tuple[bytes, ...], status: int) -> None:
    answer = raw(patient, *parts)
    assert status == answer.status, answer
    assert answer.error["message"]
    lives(patient)


def test_clients_that_are_slow_are_told_so(patient: Served) -> None:
    for parts in (
        (b"POST /predict HT",),
        (post("1000"), b"x"),
        (post(more="Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
    ):
        start = time.monotonic()
        answer = raw(patient, *parts)
        assert (408, "too_slow") == (answer.status, answer.error["code"])
        assert 1 < time.monotonic() - start < 15
    drops = [b"1\r\nx\r\n"] * 20
    answer = raw_dripping(patient, post(more="Transfer-Encoding: chunked"), drops)
    assert 408 == answer.status
    lives(patient)


def raw_dripping(one: Served, head: bytes, drops: list[bytes]) -> Answer:
    """One byte after another, each within the patience that silence would be given."""
    with socket.create_connection(("127.0.0.1", one.port), timeout=30) as connection:
        connection.sendall(head)
        for drop in drops:
            connection.sendall(drop)
            ready, _, _ = select.select([connection], [], [], 0.3)
            if ready:
                break
        return read(connection)


def test_a_second_request_may_not_be_slow_either(patient: Served) -> None:
    with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert 200 == read(connection).status
        connection.sendall(b"GET /healthz HT")
        assert 408 == read(connection).status


def test_a_client_that_says_no_more_still_gets_its_answer(patient: Served) -> None:
    answer = raw(patient, post(str(len(RED))) + RED, half_close=True)
    assert 200 == answer.status
    lives(patient)


def test_clients_that_go_away_leave_nothing_behind(patient: Served) -> None:
    for part in (b"", b"POST", post("1000"), post("1000") + b"x" * 500, post(str(len(RED))) + RED):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as connection:
                connection.sendall(part)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # an abrupt end
    lives(patient)


def test_requests_sent_in_one_go_are_all_answered(patient: Served) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as connection:
        connection.sendall(one * 5)
        data = b""
        while data.count(b"200 OK") < 5:
            part = connection.recv(65536)
            assert part, data
            data += part


def test_who_asks_first_whether_to_send_is_told_before_it_does(patient: Served) -> None:
    answer = raw(patient, post(str(1 << 30), more="Expect: 100-continue"))
    assert 413 == answer.status


def test_past_the_queue_it_is_busy_and_says_when_to_come_again(patient: Served) -> None:
    large = saved(Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), dtype=np.uint8)), "PNG")
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(patient.predict(large))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = {answer.status for answer in answers}
    assert {200, 503} == statuses
    refused = next(answer for answer in answers if answer.status == 503)
    assert "busy" == refused.error["code"]
    assert 1 <= int(refused.headers["Retry-After"])
    lives(patient)


def test_bombs_are_refused_before_they_take_memory(patient: Served) -> None:
    before = patient.memory()
    bombs = {
        "ones and zeros": saved(Image.new("1", (12_000, 12_000)), "PNG"),
        "16 bits": saved(Image.new("I;16", (6_000, 6_000)), "PNG"),
    }
    for name, data in bombs.items():
        answer = patient.predict(data)
        assert (422, "too_many_pixels") == (answer.status, answer.error["code"]), name
    for body in (b'{"a":' * 500_000, b"[[]," * 1_000_000, b'{"instances":[' + b'{"b64":""},' * 300_000):
        assert 413 == patient.predict(body, "application/json").status
    assert patient.memory() - before < 150 * MEBIBYTE
    lives(patient)


def test_the_largest_pictures_are_opened_one_at_a_time_and_their_memory_is_given_back(patient: Served) -> None:
    data = saved(Image.new("RGBA", (8192, 6144), (200, 40, 40, 255)), "PNG", compress_level=1)
    before, peak, done = patient.memory(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], patient.memory())

    watching = threading.Thread(target=watch)
    watching.start()
    threads = [threading.Thread(target=patient.predict, args=(data,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watching.join()
    assert peak[0] - before < 700 * MEBIBYTE
    assert patient.memory() - before < 150 * MEBIBYTE
    lives(patient)


def test_broken_forms_are_refused(patient: Served) -> None:
    rng = np.random.default_rng(0)
    body, kind = form(RED, RED)
    for _ in range(40):
        broken = bytearray(body)
        for place in rng.integers(0, len(broken), 5):
            broken[place] = rng.integers(0, 256)
        answer = patient.predict(bytes(broken), kind)
        assert answer.status in {200, 400, 422}, answer
    many = b"".join(b"--limit\r\nA: b\r\n\r\n\r\n" for _ in range(100_000)) + b"--limit--\r\n"
    assert 422 == patient.predict(many, "multipart/form-data; boundary=limit").status
    assert 400 == patient.predict(body, "multipart/form-data; boundary=" + "x" * 5000).status
    lives(patient)


def test_ten_thousand_connections_are_refused_in_words_and_the_server_lives(patient: Served) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(hard, 12_000) if hard != resource.RLIM_INFINITY else 12_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    before, most = patient.memory(), min(10_000, soft - 500)
    open_now: list[socket.socket] = []
    try:
        for _ in range(most):
            one = socket.socket()
            one.settimeout(30)
            one.connect(("127.0.0.1", patient.port))
            open_now.append(one)
        grown = patient.memory() - before
        answer = read(open_now[-1])
        assert (503, "too_many_connections") == (answer.status, answer.error["code"])
        assert "1" == answer.headers["retry-after"]
    finally:
        for one in open_now:
            one.close()
    assert grown < 300 * MEBIBYTE
    end = time.monotonic() + 30
    while patient.ask("GET", "/healthz").status != 200:
        assert time.monotonic() < end
        time.sleep(0.2)
    lives(patient)


def test_when_all_places_are_taken_a_silent_connection_makes_room(patient: Served) -> None:
    keep = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    quiet: list[socket.socket] = []
    try:
        for _ in range(60):
            one = socket.create_connection(("127.0.0.1", patient.port), timeout=30)
            one.sendall(keep)
            assert 200 == read(one).status
            quiet.append(one)
        assert json.loads(raw(patient, keep).body)["live"]
    finally:
        for one in quiet:
            one.close()
