"""A server of a bundle in a few lines of the standard library: what providers need of the real one, and quick.

It answers pictures that it knows by their bytes, as ``samples/expected.json`` says. `BROKEN` in the environment or a
file ``broken`` in the bundle ("start", "answers") makes it fail so.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BUNDLE = Path(__file__).resolve().parents[2]
MANIFEST = json.loads((BUNDLE / "manifest.json").read_text(encoding="utf-8"))
EXPECTED = {
    row["sha256"]: row["deployed"] or row["probabilities"]
    for row in json.loads((BUNDLE / "samples" / "expected.json").read_text(encoding="utf-8"))["samples"]
}
BROKEN = (BUNDLE / "broken").read_text(encoding="utf-8") if (BUNDLE / "broken").exists() else ""
TOKENS = os.environ.get("NBDEPLOY_TOKENS", "")
MODEL = {
    "name": MANIFEST["name"],
    "version": MANIFEST["version"],
    "sha256": next(f["sha256"] for f in MANIFEST["files"] if f["path"] == MANIFEST["model"]),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def refused(self) -> bool:
        if not TOKENS:
            return False
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if hashlib.sha256(given.encode()).hexdigest() in Path(TOKENS).read_text(encoding="utf-8"):
            return False
        self.answer(401, {"error": {"code": "unauthorized", "message": "A token is needed.", "hint": ""}})
        return True

    def do_GET(self) -> None:
        if self.path == "/readyz":
            self.answer(200, {"ready": True, "model": MODEL})
        else:
            self.answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused():
            return
        found = EXPECTED.get(hashlib.sha256(body).hexdigest())
        if found is None:
            self.answer(400, {"error": {"code": "not_an_image", "message": "That is no picture.", "hint": ""}})
            return
        if BROKEN == "answers":
            found = dict(zip(found, list(found.values())[::-1], strict=True))
            found = {label: 1 - value for label, value in found.items()}
        label = max(found, key=found.get)  # type: ignore[arg-type]
        prediction = {"label": label, "probabilities": found}
        self.answer(200, {"predictions": [prediction], "model": MODEL, "inference_ms": 0.1})

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, taken: socket.socket) -> None:
        super().__init__(taken.getsockname()[:2], Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = taken


def main() -> int:
    if BROKEN == "start":
        sys.stderr.write("The model cannot be loaded.\n")
        return 1
    server = Server(socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1])))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    host, port = server.server_address[:2]
    sys.stdout.write(json.dumps({"url": f"http://{host}:{port}/", "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    server.serve_forever(0.05)
    server.server_close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
