"""Who runs a run: a process is its number and when it began, so that a number used again is noticed."""

from __future__ import annotations

import platform
from pathlib import Path


def started(pid: int) -> str:
    """When the process `pid` began, as the system tells it; "" for none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return ""
    import psutil  # noqa: PLC0415 - not on Linux

    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return ""


def host() -> str:
    """This machine's name: processes of others cannot be asked."""
    return platform.node()


def gone(host_: str, pid: int, began: str) -> bool:
    """Whether that process is known to have ended."""
    return host_ == host() and started(pid) != began
