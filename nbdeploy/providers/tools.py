"""A place's own command (kubectl, gcloud, fly): whether it is here, and what it says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nbdeploy.core import working
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError

_PATIENCE_S = 900  # a push of a few hundred megabytes, or a rolling update


def here(tool: str) -> bool:
    """Whether `tool` can be started."""
    return shutil.which(tool) is not None


def ask(command: str, *, folder: Path | None = None, patience_s: float = _PATIENCE_S) -> str:
    """What `command`, one line without a shell's tricks, prints. Raises ProviderError where it is not here or fails."""
    words = shlex.split(command)
    if not here(words[0]):
        raise ProviderError(f"{words[0]} is not installed here.", hint=f"Where it is, type: {command}")
    try:
        done = working.run(words, cwd=folder, timeout=patience_s)  # a line of the plan that the person was shown
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProviderError(f"{words[0]} did not end well ({error}).", hint=f"Type: {command}") from error
    if done.returncode:
        said = (_text(done.stderr).strip() or _text(done.stdout).strip() or f"status {done.returncode}").splitlines()[
            -1
        ]
        raise ProviderError(f"{' '.join(words[:3])} failed: {said}", hint=f"To see all it says, type: {command}")
    return _text(done.stdout)


def _text(printed: bytes) -> str:
    return printed.decode(errors="replace").replace("\r\n", "\n")


def tool_check(tool: str, get: str) -> Check:
    """Whether `tool` is here; `get` says how it is had."""
    if here(tool):
        return Check(f"{tool}_installed", Status.passed, why=f"{tool} is on the PATH.")
    return Check(f"{tool}_installed", Status.not_run, why=f"{tool} is not installed here. {get}")


def credentials_check(names: Sequence[str], sign_in: str) -> Check:
    """Whether one of the environment variables `names` is set; else `sign_in` says what to type."""
    found = [name for name in names if os.environ.get(name)]
    if found:
        return Check("credentials", Status.passed, why=f"{found[0]} is set.")
    return Check(
        "credentials",
        Status.not_run,
        why=f"{' and '.join(names) if len(names) < 3 else ', '.join(names)} not set: {sign_in}",  # noqa: PLR2004
    )
