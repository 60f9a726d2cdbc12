"""Keep a bundle's server running: hold its socket, start it again when it fails, put another release in its place.

    python -m supervisor run FOLDER              in the foreground, for systemd
    python -m supervisor take FOLDER RELEASE     a release as a tar archive from standard input, held to its manifest
    python -m supervisor fit FOLDER RELEASE      a Python for it, as release.json says, with what its server needs
    python -m supervisor start FOLDER            in a process of its own; done when the server is ready
    python -m supervisor try FOLDER RELEASE      RELEASE on a port of its own, until standard input ends
    python -m supervisor switch FOLDER RELEASE   RELEASE takes the place of what runs; no request is lost
    python -m supervisor status FOLDER
    python -m supervisor stop FOLDER
    python -m supervisor clear FOLDER            all that was made there goes

Each but `run` prints one line of JSON. FOLDER holds ``service.json`` (host, port, environment),
``releases/NAME/bundle`` with ``releases/NAME/release.json`` (python), and the link ``current``, which says what is
wanted; ``state.json`` says what is. Needs Python 3.9 and nothing else, and a system with POSIX's signals and links.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .keeping import Server, Supervisor, listen
from .releases import clear, fit, take
from .states import BEAT_S, GRACE_S, READY_S, alive, hold, point, read_json, service, started, wanted, write_json


def run(folder: Path) -> int:
    """Be the supervisor of `folder`."""
    lock = hold(folder)
    for _ in range(20):  # whoever asks whether one runs holds it for a moment too
        if lock is None:
            time.sleep(BEAT_S)
            lock = hold(folder)
    if lock is None:
        sys.stderr.write(f"Another supervisor runs for {folder}.\n")
        return 1
    with lock:
        end_left(folder)
        (folder / "state.json").unlink(missing_ok=True)  # it tells of another
        try:
            return Supervisor(folder).run()
        except OSError as error:
            write_json(folder / "state.json", {"why": f"{error}", "ready": False})
            sys.stderr.write(f"{error}\n")
            return 1


def end_left(folder: Path) -> None:
    """End the server that a supervisor which was killed has left."""
    left = read_json(folder / "state.json").get("server") or {}
    if left and started(int(left["pid"])) == left["started"]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(left["pid"]), signal.SIGTERM)
        until = time.monotonic() + GRACE_S
        while started(int(left["pid"])) == left["started"] and time.monotonic() < until:
            time.sleep(BEAT_S)


def start(folder: Path) -> dict[str, Any]:
    """Start a supervisor in a session of its own, which outlives whoever asked for it, and wait for its server."""
    if not alive(folder):
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - this file again
                [sys.executable, "-S", "-m", "supervisor", "run", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).resolve().parent.parent,
                start_new_session=True,
            )
        while process.poll() is None and read_json(folder / "state.json").get("pid") != process.pid:
            time.sleep(BEAT_S)
    until = time.monotonic() + float(service(folder).get("ready_s", READY_S))
    while time.monotonic() < until and alive(folder):
        state = read_json(folder / "state.json")
        if state.get("ready") or state.get("restarts"):
            break
        time.sleep(BEAT_S)
    return status(folder)


def status(folder: Path) -> dict[str, Any]:
    """What ``state.json`` says, and whether somebody stands for it."""
    return {**read_json(folder / "state.json"), "alive": alive(folder)}


def switch(folder: Path, release: str) -> dict[str, Any]:
    """Let `release` take over. Where its server does not get ready, what ran before is wanted again."""
    before, _ = wanted(folder)
    ticket = point(folder, release)
    if not alive(folder):
        return start(folder)
    until = time.monotonic() + 2 * float(service(folder).get("ready_s", READY_S))
    while time.monotonic() < until and alive(folder):
        state = read_json(folder / "state.json")
        if state.get("ticket") == ticket and state.get("ready"):
            return status(folder)
        if state.get("failed", {}).get("ticket") == ticket:
            break
        time.sleep(BEAT_S)
    state = read_json(folder / "state.json")
    if before:
        point(folder, before)
    why = state.get("failed", {}).get("why") or "The server was not ready in time."
    return {**status(folder), "ready": False, "why": why}


def attempt(folder: Path, release: str) -> dict[str, Any] | None:
    """Run `release` on a port of its own, for whoever holds standard input open; gives why it did not get ready."""
    taken, log = listen("127.0.0.1", 0), folder / "try.log"
    log.unlink(missing_ok=True)
    one = Server(folder, release, taken, log, canary=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while not one.look():
            if why := one.over(float(service(folder).get("ready_s", READY_S))):
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                return {"ready": False, "why": f"The server {why}.", "log": said[-20:]}
            time.sleep(BEAT_S)
        say({"ready": True, "port": taken.getsockname()[1]})
        sys.stdin.read()
    finally:
        one.end(GRACE_S)
    return None


def stop(folder: Path) -> dict[str, Any]:
    """End the supervisor of `folder` and its server, and no other process."""
    state, grace_s = read_json(folder / "state.json"), float(service(folder).get("grace_s", GRACE_S))
    pid = int(state.get("pid", 0))
    if pid and alive(folder) and started(pid) == state["started"]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + grace_s + 5
        while alive(folder) and time.monotonic() < until:
            time.sleep(BEAT_S)
        if alive(folder) and started(pid) == state["started"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    else:
        end_left(folder)
    return status(folder)


def say(value: dict[str, Any]) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    """The command line."""
    does: dict[str, Any] = {
        "take": take,
        "fit": fit,
        "start": start,
        "try": attempt,
        "switch": switch,
        "status": status,
        "stop": stop,
        "clear": clear,
    }
    if len(argv) < 2 or argv[0] not in {"run", *does} or not Path(argv[1]).is_dir():  # noqa: PLR2004 - verb, folder
        sys.stderr.write(f"{__doc__}\n")
        return 2
    folder = Path(argv[1]).resolve()
    if argv[0] == "run":
        return run(folder)
    found = does[argv[0]](folder, *argv[2:])
    if found is not None:
        say(found)
    return 0 if found is None or argv[0] in {"status", "stop"} or found.get("ready") else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
