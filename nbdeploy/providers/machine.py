"""A machine that commands are run on: this one, or one that is reached over a network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.errors import ProviderError

SUPERVISOR = Path(__file__).resolve().parents[1] / "templates" / "supervisor"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line of what it said of itself."""
        lines = (self.err or self.out).strip().splitlines()
        return lines[-1] if lines else f"status {self.code}"

    def json(self) -> dict[str, Any]:
        """The line of JSON that it printed; {} where it printed none."""
        for line in reversed(self.out.splitlines()):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
        return {}


class Going(ABC):
    """A command that goes on until it is ended."""

    @abstractmethod
    def line(self) -> str:
        """Its next line of output; "" when there is none any more."""

    @abstractmethod
    def end(self) -> None:
        """End its standard input, and wait for it."""


class Machine(ABC):
    """Where an endpoint's folder lies. Paths are the machine's own."""

    @abstractmethod
    def run(self, command: Sequence[str], *, given: Iterable[bytes] = (), timeout: float = 600.0) -> Done:
        """Run it with `given` as its standard input."""

    @abstractmethod
    def begin(self, command: Sequence[str]) -> Going:
        """Start it and leave it going."""

    @abstractmethod
    def connect(self, host: str, port: int) -> Any:
        """A connection to `port` as the machine itself sees it: what behaves as a connected socket."""

    def absolute(self, path: str) -> str:
        """`path` with the home folder of the machine's user in the place of ``~``."""
        return path

    def write(self, path: str, content: bytes, *, private: bool = False) -> None:
        """Write a file whole or not at all, and its folder where it is not there."""
        script = 'umask "$2"; mkdir -p "$(dirname "$1")" && cat > "$1.new" && mv -f "$1.new" "$1"'
        self.must(["sh", "-c", script, "sh", path, "077" if private else "022"], given=[content])

    def must(self, command: Sequence[str], *, given: Iterable[bytes] = ()) -> Done:
        """Run it. Raises ProviderError where it fails."""
        done = self.run(command, given=given)
        if done.code:
            raise ProviderError(f"{' '.join(command[:3])} failed: {done.last}", hint="The machine said so.")
        return done


class Here(Machine):
    """This machine."""

    def run(self, command: Sequence[str], *, given: Iterable[bytes] = (), timeout: float = 600.0) -> Done:
        with subprocess.Popen(  # noqa: S603 - nbdeploy's own commands
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdin is not None
            try:
                for chunk in given:
                    process.stdin.write(chunk)
                out, err = process.communicate(timeout=timeout)
            except BrokenPipeError:  # it ended before it had read all
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def begin(self, command: Sequence[str]) -> Going:
        return _Process(command)

    def connect(self, host: str, port: int) -> Any:
        return socket.create_connection((host, port), timeout=30)


class _Process(Going):
    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - nbdeploy's own commands
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def environment() -> dict[str, str]:
    """This process's, without what would change how another Python starts."""
    mine = {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "MPLBACKEND"}
    return {name: value for name, value in os.environ.items() if name not in mine and not name.startswith("JPY_")}


def python_here() -> str:
    """The Python that runs this."""
    return sys.executable or shutil.which("python3") or "python3"
