"""Servers of one bundle in processes of their own: started, asked, weighed and ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

HERE = Path(__file__).resolve().parent
_LOOK_S = 0.02
_PATIENCE_S = 60


@dataclass(frozen=True)
class Engine:
    """How one server is started; `{port}` in the command stands for a free port of this machine."""

    name: str
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    ready: str = ""
    """A path that answers 200 when the model can be asked, where the engine has one."""


@dataclass(frozen=True)
class Upload:
    """The body of a request."""

    file: Path
    kind: str
    """Its content type."""


@dataclass
class Started:
    """A server that answered a picture."""

    process: subprocess.Popen[bytes]
    port: int
    first_s: float
    """From the start of its process to the first picture that it answered."""
    ready_s: float | None
    """To the first 200 of `Engine.ready`."""

    def spent(self) -> float:
        """CPU seconds of the whole tree of processes, user and system, ended ones included."""
        total = 0.0
        for one in _tree(self.process.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def memory(self) -> float:
        """Resident MB of the whole tree of processes."""
        return memory(self.process.pid)


@dataclass(frozen=True)
class Load:
    """What some clients saw, and what it cost the server."""

    cpu_ms: float
    """A request."""
    ms: list[float]
    per_s: float
    peak_mb: float
    failed: dict[str, int]


def memory(pid: int) -> float:
    """Resident MB of a tree of processes."""
    total = 0
    for one in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total / 1e6


def _tree(pid: int) -> list[psutil.Process]:
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextlib.contextmanager
def running(engine: Engine, upload: Upload, *, log: Path) -> Iterator[Started]:
    """The server, from when it answered `upload`. Raises RuntimeError with its last words where it does not."""
    port = _free()
    command = [part.format(port=port) for part in engine.command]
    with log.open("wb") as told:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=clean(engine.env), stdout=told, stderr=told, cwd=log.parent)
        try:
            ready = None
            if engine.ready:
                _until(process, f"127.0.0.1:{port}", engine.ready, None, log)
                ready = time.perf_counter() - start
            _until(process, f"127.0.0.1:{port}", "/predict", upload, log)
            yield Started(process, port, time.perf_counter() - start, ready)
        finally:
            _end(process)


def clean(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that must not see ours."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "NBDEPLOY_", "AIP_"))}
    return {**kept, "ORT_DISABLE_TELEMETRY": "1", **more}


def _until(process: subprocess.Popen[bytes], address: str, path: str, upload: Upload | None, log: Path) -> None:
    """Ask until it says 200."""
    said: Any = "nothing"
    method, body, headers = "GET", b"", {}
    if upload:
        method, body, headers = "POST", upload.file.read_bytes(), {"Content-Type": upload.kind}
    due = time.monotonic() + _PATIENCE_S
    while time.monotonic() < due:
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            connection.request(method, path, body, headers)
            said = connection.getresponse().status
            if said == 200:
                return
            if said < 500:
                break
        except (OSError, http.client.HTTPException) as error:
            said = type(error).__name__
        finally:
            connection.close()
        if process.poll() is not None:
            break
        time.sleep(_LOOK_S)
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
    raise RuntimeError(f"{method} {path}: {said}; {words[-1][:200]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started."""
    others = _tree(process.pid)
    process.terminate()
    _, alive = psutil.wait_procs(others, timeout=20)
    for one in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()


def _free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def load(server: Started, clients: int, requests: int, upload: Upload) -> Load:
    """Ask `requests` times from a process of its own, whose work is not counted."""
    _ask(server, clients, 2 * clients, upload)
    with _Peak(server) as peak:
        before = server.spent()
        said = _ask(server, clients, requests, upload)
        after = server.spent()
    answered = max(1, len(said["ms"]))
    return Load(1000 * (after - before) / answered, said["ms"], answered / said["seconds"], peak.mb, said["failed"])


def _ask(server: Started, clients: int, requests: int, upload: Upload) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}/predict"
    command = [sys.executable, str(HERE / "client.py"), url, str(clients), str(requests), str(upload.file), upload.kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


class _Peak:
    """The most memory that a server's tree had meanwhile, looked at 20 times a second."""

    def __init__(self, server: Started) -> None:
        self.server, self.mb = server, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.mb = max(self.mb, self.server.memory())
            if self._over.wait(0.05):
                return
