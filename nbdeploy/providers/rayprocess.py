"""The processes that speak to Ray: one that holds a cluster of this machine's own, others that connect to a cluster."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdeploy.errors import ProviderError

_PATIENCE_S = 900.0


def start_holder(folder: Path, told: Mapping[str, Any]) -> int:
    """Start the process that holds a cluster of this machine; gives its id. Raises ProviderError."""
    log = folder.parent / "ray.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603 - nbdeploy's own script
            [sys.executable, str(folder / "rayserve.py"), "hold"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(local=True),
            start_new_session=True,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        for line in process.stdout:
            if line.startswith("{"):
                process.stdout.close()
                return process.pid
    except KeyboardInterrupt:
        end_holder(process.pid, folder.parent)
        raise
    process.wait()
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise ProviderError(f"Ray could not be started: {said[-1] if said else process.returncode}", hint=f"See {log}")


def end_holder(pid: int, folder: Path) -> None:
    """End the process `pid`, where it is the one that holds the cluster of `folder`, and all that it started."""
    import psutil  # noqa: PLC0415

    try:
        holder = psutil.Process(pid)
        if not pid or not any(str(folder) in word for word in holder.cmdline()):
            return
        all_of_it = [holder, *holder.children(recursive=True)]
        holder.terminate()
        holder.wait(30)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        pass
    for left in psutil.wait_procs(all_of_it, timeout=10)[1]:
        left.kill()


def ask_holder(place: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the process that listens at the socket `place` says of `told`. Raises ProviderError."""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(_PATIENCE_S)
            asked.connect(str(place))
            with asked.makefile("rw", encoding="utf-8") as lines:
                lines.write(json.dumps(told) + "\n")
                lines.flush()
                return dict(json.loads(lines.readline()))
    except (OSError, ValueError) as error:
        raise ProviderError(
            f"The process that holds the cluster does not answer ({error}).", hint="Remove it, and put it there anew."
        ) from error


def ask_cluster(file: Path, verb: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the script `file` says, which connects to a cluster. Raises ProviderError."""
    done = subprocess.run(  # noqa: S603 - nbdeploy's own script
        [sys.executable, str(file), verb],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        env=_environment(local=False),
        timeout=_PATIENCE_S,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        raise ProviderError(
            f"Ray could not be reached: {said[-1] if said else done.returncode}",
            hint="Is --set address right? Where the cluster has a token, export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=...",
        )
    return dict(json.loads(lines[-1]))


def _environment(*, local: bool) -> dict[str, str]:
    mine = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if not local:
        return mine  # with RAY_AUTH_MODE and RAY_AUTH_TOKEN, where the cluster asks for them
    own = {key: value for key, value in mine.items() if not key.startswith("RAY_")}
    # Ray's own processes speak to the loopback address (this is the name for that), and to none that lacks the token.
    lone = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {**own, **lone}
