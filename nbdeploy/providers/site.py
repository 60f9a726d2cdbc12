"""One endpoint's folder on a machine: releases are put there, tried, and handed over to, by the supervisor in it."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nbdeploy.core import numbers
from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.core.files import file_name
from nbdeploy.core.progress import step
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers.machine import SUPERVISOR, Done, Going, Machine
from nbdeploy.providers.probe import insist, probe

SERVER = "app/server"
LOOPBACK = "127.0.0.1"
_IN = 'cd "$1" && shift && exec "$@"'
_CHUNK = 1 << 18


def needs_server(bundle: Bundle) -> None:
    """Raise UsageError for a bundle that brings no server."""
    if not any(file["path"] == f"{SERVER}/__main__.py" for file in bundle.manifest["files"]):
        raise UsageError(
            f"{bundle.path} ({bundle.target}) holds no server ({SERVER}).",
            hint="Make a bundle that does: nbdeploy deploy MODEL --target cloud",
        )


@dataclass(frozen=True)
class Site:
    """A folder of a machine. `home` is where the supervisor's own files are: the folder, or one above it."""

    machine: Machine
    folder: str
    python: str
    """Runs the supervisor, and is what environments are made of."""
    home: str = ""

    def within(self, name: str) -> Site:
        """A folder in this one, with the same supervisor's files."""
        return Site(self.machine, f"{self.folder}/{name}", self.python, self.home or self.folder)

    def set_up(self, service: Mapping[str, Any], token_line: str) -> None:
        """Write what a supervisor needs. `token_line` is empty where no token is asked."""
        if not self.home:
            for file in sorted(SUPERVISOR.glob("*.py")):
                self.machine.write(f"{self.folder}/supervisor/{file.name}", file.read_bytes())
        self.machine.write(f"{self.folder}/service.json", json.dumps(service).encode())
        if token_line:
            self.machine.write(f"{self.folder}/tokens", token_line.encode(), private=True)

    def exists(self) -> bool:
        """Whether it was set up."""
        return not self.machine.run(["test", "-e", f"{self.folder}/service.json"]).code

    def supervise(self, verb: str, *words: str, given: Iterator[bytes] | Sequence[bytes] = ()) -> Done:
        """One command of the supervisor."""
        return self.machine.run(self._command(verb, *words), given=given)

    def put(self, bundle: Bundle, releases: Sequence[str], *, environment: str, wheels: Sequence[Path] = ()) -> str:
        """Copy `bundle` as a release after `releases`, and give it a Python. Gives its name. Raises ProviderError."""
        number = 1 + max((int(one.partition("-")[0]) for one in releases), default=0)
        release = f"{number:04d}-{file_name(bundle.version) or 'x'}"
        about = {"base": self.python, "environment": environment}
        with step("copying the bundle") as note, _archive(bundle, about, wheels) as archive:
            note(numbers.size(archive.seek(0, 2)))
            archive.seek(0)
            done = self.supervise("take", release, given=iter(lambda: archive.read(_CHUNK), b""))
        if done.json().get("ready"):
            with step("seeing to its Python"):
                done = self.supervise("fit", release)
        if not done.json().get("ready"):
            self.drop(release)
            raise ProviderError(
                f"The release cannot run there: {done.json().get('why') or done.last}",
                hint="Name a Python that has what it needs (--set python=...), or let one be made: "
                "--set environment=own",
            )
        return release

    def point(self, release: str) -> None:
        """Let the link name `release`, before anything runs."""
        self.machine.must(["ln", "-sfn", f"releases/{release}", f"{self.folder}/current"])

    def drop(self, release: str) -> None:
        """Delete a release."""
        self.machine.run(["rm", "-rf", "--", f"{self.folder}/releases/{release}"])

    def attempt(self, release: str, bundle: Bundle, token: str, *, what: str) -> None:
        """Run `release` on a port of its own and ask it; what others reach is not touched. Raises ProviderError."""
        with step("asking it about its samples"):
            going: Going = self.machine.begin(self._command("try", release))
            try:
                said = Done(0, going.line(), "").json()
                if not said.get("ready"):
                    raise ProviderError(
                        f"{bundle.name} {bundle.version} does not start there: {said.get('why') or 'no word of it'}",
                        hint=" | ".join(said.get("log", [])[-3:]) or "It printed nothing.",
                    )
                self.ask(int(said["port"]), bundle, token, what=what)
            finally:
                going.end()

    def ask(self, port: int, bundle: Bundle, token: str, *, what: str) -> None:
        """Ask what listens on the machine's own `port`. Raises ProviderError, which begins with `what`."""
        url = f"http://{LOOPBACK}:{port}"
        insist(probe(url, bundle, token, reach=lambda: self.machine.connect(LOOPBACK, port)), what)

    def tail(self) -> str:
        """The last of its log, in a line."""
        said = self.machine.run(["tail", "-n", "3", f"{self.folder}/log"]).out.strip().splitlines()
        return " | ".join(said) or "Its log is empty."

    def clear(self) -> None:
        """End what runs in it, and take it away. Raises ProviderError; twice is once."""
        if not self.exists():
            self.machine.run(["rm", "-rf", "--", f"{self.folder}/supervisor"])
            self.machine.run(["rmdir", "--", self.folder])
            return
        self.supervise("stop")
        done = self.supervise("clear")
        if not done.json().get("ready"):
            why = done.json().get("why") or done.last
            raise ProviderError(f"{self.folder} was not taken away: {why}", hint="Try again.")

    def _command(self, verb: str, *words: str) -> list[str]:
        home = self.home or self.folder
        return ["sh", "-c", _IN, "sh", home, self.python, "-S", "-m", "supervisor", verb, self.folder, *words]


@contextmanager
def _archive(bundle: Bundle, about: Mapping[str, Any], wheels: Sequence[Path]) -> Iterator[IO[bytes]]:
    """A tar archive of a release, ready to be read."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryDirectory(prefix="nbdeploy-") as job:
        said = Path(job, "release.json")
        said.write_text(json.dumps(about), encoding="utf-8")
        with tarfile.open(fileobj=file, mode="w|") as archive:
            for path in (MANIFEST, *(f["path"] for f in bundle.manifest["files"])):
                archive.add(bundle.path / path, f"bundle/{path}", recursive=False)
            for wheel in wheels:
                archive.add(wheel, f"wheels/{wheel.name}", recursive=False)
            archive.add(said, "release.json")
        yield file
