"""What the tests of places share: a place's own command that only says what it is told, and the real server, started as
a place starts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_TOOL = """#!{python}
import json, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
answers = json.load(open({answers!r}))
line = " ".join([{name!r}, *sys.argv[1:]])
for start, (status, said) in answers.items():
    if start in line:
        print(said)
        sys.exit(status)
"""


class Tools:
    """A PATH with nothing but commands that note how they were called, and those of the system that are asked for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.calls_file, self.answers_file = folder, folder / "calls", folder / "answers.json"
        folder.mkdir()
        self.calls_file.touch()
        self.answers: dict[str, tuple[int, str]] = {}
        self.answer({})
        monkeypatch.setenv("PATH", str(folder))

    def add(self, *names: str) -> Tools:
        for name in names:
            file = self.folder / name
            about = {"python": sys.executable, "name": name, "calls": str(self.calls_file)}
            file.write_text(_TOOL.format(**about, answers=str(self.answers_file)))
            file.chmod(0o755)
        return self

    def real(self, *names: str) -> Tools:
        for name in names:
            found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
            if found is None:
                pytest.skip(f"{name} is not installed")
            (self.folder / name).symlink_to(found)
        return self

    def answer(self, answers: Mapping[str, str | tuple[int, str]]) -> None:
        """What is said to a call that holds the key; a pair gives the exit status too."""
        self.answers |= {key: (0, value) if isinstance(value, str) else value for key, value in answers.items()}
        self.answers_file.write_text(json.dumps(self.answers))

    @property
    def calls(self) -> list[str]:
        return [" ".join(json.loads(line)) for line in self.calls_file.read_text().splitlines()]


@dataclass
class Served:
    """A server that was started as a place starts it."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, sent)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def end(self) -> int:
        """The exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def served(bundle: Path, env: Mapping[str, str], *arguments: str, port: str = "PORT") -> Iterator[Served]:
    """The bundle's own server with a place's environment; the variable `port` names a port that is free here."""
    number = free_port()
    mine = {key: os.environ[key] for key in ("LD_LIBRARY_PATH", "TMPDIR") if key in os.environ}
    # A container listens everywhere; here only this machine is to reach it.
    told = {**mine, "PATH": "/usr/bin:/bin", **env, "HOST": "127.0.0.1", port: str(number)}
    with subprocess.Popen(
        [sys.executable, str(bundle / "app" / "server"), *arguments],
        env=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["url"].endswith(f":{number}/"), "the port variable is not honoured"
            yield Served(process, number)
        finally:
            process.kill()


def replay(bundle: Path, env: Mapping[str, str], *, health: str, predict: str = "/predict", token: str = "") -> None:
    """A place's whole contract: port, health, predict with a raw picture, the token, SIGTERM."""
    with served(bundle, env) as server:
        assert 200 == server.ask(health)[0]
        allowed = {"Authorization": f"Bearer {token}"} if token else {}
        picture = next(p for p in sorted((bundle / "samples").iterdir()) if p.suffix != ".json")
        status, said = server.ask(predict, picture.read_bytes(), **allowed)
        assert 200 == status, said
        assert expected(bundle, picture.name) == pytest.approx(said["predictions"][0]["probabilities"], abs=1e-4)
        if token:
            assert 401 == server.ask(predict, picture.read_bytes())[0]
        assert 0 == server.end()


def expected(bundle: Path, file: str) -> dict[str, float]:
    """What the bundle answers to a sample."""
    rows = json.loads((bundle / "samples" / "expected.json").read_text(encoding="utf-8"))["samples"]
    row = next(row for row in rows if Path(row["file"]).name == file)
    return dict(row["deployed"] or row["probabilities"])


def image_env(folder: Path, file: str = "Containerfile") -> dict[str, str]:
    """The environment that the written image gives its process."""
    lines = (folder / file).read_text(encoding="utf-8").splitlines()
    pairs = [pair for line in lines if line.startswith("ENV ") for pair in line.split()[1:]]
    return dict(pair.split("=", 1) for pair in pairs)
