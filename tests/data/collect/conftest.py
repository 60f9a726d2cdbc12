"""Pictures that look like something, and a web server that misbehaves on request."""

from __future__ import annotations

import gzip
import io
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from nbdeploy.core.progress import quiet
from nbdeploy.data.collect.collection import Collection


@pytest.fixture(autouse=True)
def _no_progress() -> Iterator[None]:
    with quiet():
        yield


def scene(seed: int, *, side: int = 96) -> Image.Image:
    """A picture of coarse blocks and fine grain: sharp, and unlike that of any other seed."""
    numbers = np.random.default_rng(seed)
    blocks = numbers.integers(30, 220, (6, 6, 3)).astype(np.uint8)
    large = np.asarray(Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST)).astype(int)
    return Image.fromarray((large + numbers.integers(-3, 4, large.shape)).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    """The bytes of a file."""
    data = io.BytesIO()
    image.save(data, kind, **settings)
    return data.getvalue()


@pytest.fixture
def png() -> Callable[[int], bytes]:
    """png(seed): the bytes of another picture for every seed."""
    return lambda seed: encoded(scene(seed))


@pytest.fixture
def collection(tmp_path) -> Collection:
    return Collection(tmp_path / "pets")


BOMB = gzip.compress(bytes(20_000_000), 1)
"""20 MB in a hundredth of that."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.at_once = self.most = 0
        self.guard = threading.Lock()
        self.headers_seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken connections are meant."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, body: bytes, kind: str = "image/png", code: int = 200, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        with self.server.guard:
            self.server.asked[self.path] += 1
            self.server.headers_seen.append(dict(self.headers))
        self.respond(self.path.strip("/").split("/"))

    def respond(self, words: list[str]) -> None:  # noqa: C901, PLR0912, PLR0915 - one case a misbehaviour
        first = self.server.asked[self.path] == 1
        picture = encoded(scene(int(words[1]) if len(words) > 1 and words[1].isdigit() else 1))
        match words[0]:
            case "ok":
                self.answer(picture)
            case "slow-ok":
                with self.server.guard:
                    self.server.at_once += 1
                    self.server.most = max(self.server.most, self.server.at_once)
                time.sleep(0.05)
                with self.server.guard:
                    self.server.at_once -= 1
                self.answer(picture)
            case "mistyped":
                self.answer(picture, "text/plain")
            case "packed":
                self.answer(gzip.compress(picture), Content_Encoding="gzip")
            case "html":
                self.answer(b"<!DOCTYPE html><html>Sign in</html>", "image/jpeg")
            case "empty":
                self.answer(b"")
            case "missing":
                self.answer(b"no", "text/plain", 404)
            case "once-500":
                self.answer(b"oh", "text/plain", 500) if first else self.answer(picture)
            case "once-429":
                self.answer(b"", "text/plain", 429, Retry_After="7") if first else self.answer(picture)
            case "never":
                self.answer(b"", "text/plain", 429, Retry_After="3600")
            case "always-503":
                self.answer(b"", "text/plain", 503)
            case "round":
                self.answer(b"", code=302, Location="/round/again")
            case "moved":
                self.answer(b"", code=301, Location="/ok/5")
            case "to-cloud":
                self.answer(b"", code=302, Location="http://169.254.169.254/latest/meta-data/")
            case "to-file":
                self.answer(b"", code=302, Location="file:///etc/passwd")
            case "bomb":
                self.answer(BOMB, Content_Encoding="gzip")
            case "endless":
                self.send_response(200)
                self.end_headers()
                while True:
                    self.wfile.write(bytes(1 << 16))
            case "drip":
                self.send_response(200)
                self.end_headers()
                for _ in range(200):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            case "silent":
                time.sleep(3)
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            case "half":
                self.answer(picture[: len(picture) // 2], Content_Length=str(len(picture)))
            case "cookie":
                self.answer(picture, Set_Cookie="a=b; Path=/")
            case _:
                self.answer(b"", code=404)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def _straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
