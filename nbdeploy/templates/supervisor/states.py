"""What is known of an endpoint's folder: files of JSON, the link ``current``, the lock, and who runs."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any, TextIO

BEAT_S = 0.05
READY_S = 60.0
GRACE_S = 30.0


def started(pid: int) -> str:
    """When the process `pid` began, as the system tells it, so that a number used again is noticed; "" for none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return ""
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607 - macOS
    return done.stdout.strip()


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write it whole or not at all."""
    work = path.with_name(f".{path.name}.{os.getpid()}")
    work.write_text(json.dumps(value), encoding="utf-8")
    work.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """What is in the file; {} where there is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def wanted(folder: Path) -> tuple[str, str]:
    """The release that ``current`` names, and a ticket that differs each time the link is made."""
    link = folder / "current"
    try:
        about = link.lstat()
        return link.readlink().name, f"{about.st_ino}-{about.st_mtime_ns}"
    except OSError:
        return "", ""


def point(folder: Path, release: str) -> str:
    """Let ``current`` name `release`, in one step; gives the ticket."""
    work = folder / f".current.{os.getpid()}"
    work.unlink(missing_ok=True)
    work.symlink_to(Path("releases") / release)
    work.replace(folder / "current")
    return wanted(folder)[1]


def service(folder: Path) -> dict[str, Any]:
    """What ``service.json`` says."""
    return read_json(folder / "service.json")


def hold(folder: Path) -> TextIO | None:
    """The lock of the one supervisor of `folder`; None where another has it."""
    lock = (folder / "lock").open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def alive(folder: Path) -> bool:
    """Whether a supervisor runs for `folder`."""
    if not (folder / "lock").exists():
        return False
    lock = hold(folder)
    if lock is None:
        return True
    lock.close()
    return False
