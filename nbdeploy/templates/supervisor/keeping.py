"""The process that stays: it holds the socket, and gives it to one server after another."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .states import BEAT_S, GRACE_S, READY_S, read_json, service, started, wanted, write_json

BACKLOG = 1024
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 60.0
"""After that long a server is taken to be well, and the next crash is the first again."""
LOG_BYTES = 8 << 20


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections, whether or not a server is there to answer yet."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    taken = socket.socket(family, kind, protocol)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(address)
    taken.listen(BACKLOG)
    taken.set_inheritable(True)
    return taken


class Server:
    """One process of a release's server, on a socket that it is given."""

    def __init__(self, folder: Path, release: str, taken: socket.socket, log: Path, *, canary: bool = True) -> None:
        self.release, self.log, self.ready, self.since = release, log, False, time.monotonic()
        place = folder / "releases" / release
        python = str(read_json(place / "release.json").get("python") or sys.executable)
        known: dict[str, str] = {
            "ORT_DISABLE_TELEMETRY": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "NBDEPLOY_BUNDLE": str(place / "bundle"),
        }
        if (folder / "tokens").exists():
            known["NBDEPLOY_TOKENS"] = str(folder / "tokens")
        if canary:
            known["NBDEPLOY_CANARY"] = str(folder / "canary.json")
        with log.open("ab") as out:
            self.at = out.tell()
            self.process = subprocess.Popen(  # noqa: S603 - what this program is for
                [python, "app/server", "serve", "--fd", str(taken.fileno())],
                cwd=place / "bundle",
                env={**os.environ, **known, **service(folder).get("environment", {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[taken.fileno()],
                start_new_session=True,
            )

    def look(self) -> bool:
        """Whether it has said that it is ready."""
        if not self.ready:
            with self.log.open("rb") as file:
                file.seek(self.at)
                lines = file.read().split(b"\n")
            for line in lines[:-1]:
                with contextlib.suppress(ValueError):
                    said = json.loads(line)
                    if isinstance(said, dict) and "url" in said and said.get("pid") == self.process.pid:
                        self.ready = True
        return self.ready

    def over(self, ready_s: float) -> str:
        """Why it will never be ready, or answers no longer; "" while there is hope."""
        code = self.process.poll()
        if code is not None:
            return f"ended with status {code}" if code >= 0 else f"was ended by the signal {signal.Signals(-code).name}"
        if not self.ready and time.monotonic() - self.since > ready_s:
            return f"was not ready after {ready_s:.0f} s"
        return ""

    def end(self, grace_s: float) -> None:
        """Let it finish what it has begun, and no longer than `grace_s`."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """The process that stays: it owns the socket, and gives it to one server after another."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.stopping = folder, folder / "log", False
        about = service(folder)
        self.ready_s, self.grace_s = float(about.get("ready_s", READY_S)), float(about.get("grace_s", GRACE_S))
        self.taken = listen(str(about.get("host", "127.0.0.1")), int(about.get("port", 0)))
        host, port = self.taken.getsockname()[:2]
        if not about.get("port"):
            write_json(folder / "service.json", {**about, "port": port})  # the same one after a restart
        self.address = {"host": host, "port": port}
        self.now: Server | None = None
        self.next: Server | None = None
        self.leaving: list[tuple[Server, float]] = []
        self.failed: dict[str, str] = {}
        self.ticket, self.why, self.restarts, self.crashes, self.again = "", "", 0, 0, 0.0
        self.told: dict[str, Any] = {}

    def run(self) -> int:
        """Until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.stopping:
            self._beat()
            self._tell()
            time.sleep(BEAT_S)
        self.taken.close()  # whoever comes now is refused at once, and whoever was let in is answered
        for one in [self.next, self.now, *(server for server, _ in self.leaving)]:
            if one is not None:
                one.end(self.grace_s)
        self.now = self.next = None
        self.why = "it was stopped"
        self._tell()
        return 0

    def _stop(self, *_: Any) -> None:
        self.stopping = True

    def _beat(self) -> None:
        release, ticket = wanted(self.folder)
        if self.now is not None and (why := self.now.over(self.ready_s)):
            self._lost(self.now, why)
        if self.now is None and self.next is None and release and time.monotonic() >= self.again:
            self.now, self.ticket = Server(self.folder, release, self.taken, self.log), ticket
        elif self.now is not None:
            self._follow(release, ticket)
            if self.now.look() and time.monotonic() - self.now.since > STEADY_S:
                self.crashes = 0
        for one, until in list(self.leaving):
            if one.process.poll() is not None:
                self.leaving.remove((one, until))
            elif time.monotonic() > until:
                one.process.kill()
        if self.next is None and self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_name("log.1"))
            os.truncate(self.log, 0)
            for server in filter(None, [self.now]):
                server.at = 0

    def _follow(self, release: str, ticket: str) -> None:
        """Put the wanted release in the place of what runs, once it is ready."""
        if self.next is None:
            if release and ticket not in {self.ticket, self.failed.get("ticket")}:
                self.next, self.next_ticket = Server(self.folder, release, self.taken, self.log), ticket
            return
        if why := self.next.over(self.ready_s):
            self.failed = {"ticket": self.next_ticket, "release": self.next.release, "why": f"The server {why}."}
            self.next.end(0)
            self.next = None
        elif self.next.look():
            old, self.now, self.next, self.ticket = self.now, self.next, None, self.next_ticket
            self.crashes = 0
            if old is not None:
                with contextlib.suppress(ProcessLookupError):
                    old.process.terminate()
                self.leaving.append((old, time.monotonic() + self.grace_s))

    def _lost(self, one: Server, why: str) -> None:
        """The server is gone: connections wait in the socket for the next one, which comes at once, later slowly."""
        one.end(0)
        if self.next is not None:  # a release that is on its way takes over
            self.now, self.next, self.ticket = self.next, None, self.next_ticket
        else:
            self.now = None
        wait = BACKOFF_S[min(self.crashes, len(BACKOFF_S) - 1)]
        self.again = time.monotonic() + wait
        self.crashes += 1
        self.restarts += 1
        self.why = f"The server of {one.release} {why}."
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{self.why} It is started again{f' in {wait:g} s' if wait else ''}.\n")

    def _tell(self) -> None:
        one = self.now
        state = {
            "pid": os.getpid(),
            "started": started(os.getpid()),
            **self.address,
            "ready": one is not None and one.ready,
            "release": one.release if one else "",
            "ticket": self.ticket,
            "server": None if one is None else {"pid": one.process.pid, "started": started(one.process.pid)},
            "restarts": self.restarts,
            "failed": self.failed,
            "why": self.why,
        }
        if state != self.told:
            write_json(self.folder / "state.json", state)
            self.told = state
