"""An emulated ARM64 processor: what it needs, whether it is there, and setting it up once in the user's cache.

A Debian tree for ARM64 (Python and a few libraries) and the ARM64 wheels of the runtimes lie in the cache; qemu's
user-mode emulator runs the tree's Python on files of this machine. Nothing runs as root and nothing is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbdeploy.core.files import cache_dir, log_file, new_folder, write_json
from nbdeploy.core.progress import step
from nbdeploy.errors import NbdeployError, UnknownName
from nbdeploy.registry import targets

ARCH = "aarch64"
ARCHES = (ARCH,)
PROCESSOR = "cortex-a76"
SETUP = "nbdeploy doctor --setup-arm"
_READY = "ready.json"
_SUITE = "bookworm"
_IN_TREE = "python3,libstdc++6,libgomp1,zlib1g"
_TOOLS = {"mmdebstrap": ("mmdebstrap",), "qemu-user-static": ("qemu-aarch64-static", "qemu-aarch64")}
"""Debian's package -> the commands of which one is enough."""
_GLIBC = range(17, 37)
"""Minor versions of glibc 2 whose wheels the tree can run: bookworm has 2.36."""

# What the runtimes read to learn what the processor can do; qemu shows them this machine's own, on which they crash.
# The features are those of the processor that is emulated.
_CPUINFO = """\
processor	: 0
BogoMIPS	: 48.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x4
CPU part	: 0xd0b
CPU revision	: 1

"""


@dataclass(frozen=True, slots=True)
class Arm:
    """Whether bundles can be run on ARM64 here. `how` is ``native``, ``emulated`` or "" (it cannot be had here)."""

    ready: bool
    how: str
    missing: tuple[str, ...] = ()
    install: str = ""
    """The line to type; empty where it is ready or cannot be had."""
    python: tuple[str, ...] = ()
    """The command that starts Python there."""
    path: str = ""
    """Where that Python finds its packages, as PYTHONPATH."""


def arch_named(name: str) -> str:
    """The processor of that name. Raises UnknownName."""
    if name not in ARCHES:
        raise UnknownName("arch", name, ARCHES)
    return name


def arm() -> Arm:
    """Look, without starting anything."""
    if platform.machine().lower() in {"aarch64", "arm64"}:
        return Arm(ready=True, how="native", python=(sys.executable, "-s"))
    if not sys.platform.startswith("linux"):
        return Arm(ready=False, how="", missing=("Linux, or an ARM64 machine",))
    lacking = [package for package, commands in _TOOLS.items() if _command(commands) is None]
    if lacking:
        return Arm(ready=False, how="emulated", missing=tuple(lacking), install=f"sudo apt install {' '.join(_TOOLS)}")
    tree, wheels = _tree(), _wheels()
    if not (wheels / _READY).is_file() or not (tree / _READY).is_file():
        return Arm(ready=False, how="emulated", missing=("the ARM64 files",), install=SETUP)
    return Arm(ready=True, how="emulated", python=_python(tree), path=str(wheels))


def set_up() -> Arm:
    """Get what `arm` finds missing, of what nbdeploy can get itself. What is there already is not fetched again.

    Raises NbdeployError naming the tools that are missing, or the log of what failed.
    """
    found = arm()
    if found.ready:
        return found
    if found.install != SETUP:
        raise NbdeployError(
            f"An ARM64 processor cannot be emulated here without {', '.join(found.missing)}.",
            hint=f"Type: {found.install}, then: {SETUP}" if found.install else "Run this on Linux or on ARM64.",
        )
    tree, wheels, log = _tree(), _wheels(), log_file("setup-arm")
    log.write_bytes(b"")
    if not (tree / _READY).is_file():
        with step("making an ARM64 tree with Python") as note, new_folder(tree, overwrite=True) as work:
            note(_make_tree(work, log))
            write_json(work / _READY, {"suite": _SUITE})
    python = _python(tree)
    with new_folder(wheels, overwrite=True) as work:
        with step("fetching the runtimes for ARM64") as note:
            _fetch(work, Path(python[-2]).name.removeprefix("python"), log)
            note(", ".join(_pins()))
        with step("trying it") as note:
            for runtime in _runtimes():
                code = f"import platform, runpy; runpy.run_path({str(runtime)!r}); print(platform.machine())"
                # It leaves compiled files beside the modules, so that later runs start quicker.
                _run([*python, "-c", code], log, path=str(work), compiled=True)
                note(runtime.stem)
        write_json(work / _READY, {"packages": _pins()})
    return arm()


def environment(path: str = "") -> dict[str, str]:
    """The environment in which a bundle's host code runs: nothing of this Python's own, packages from `path`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    own = {"ORT_DISABLE_TELEMETRY": "1", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, **own, **({"PYTHONPATH": path} if path else {})}


def _command(names: Iterable[str]) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)


def _python(tree: Path) -> tuple[str, ...]:
    emulator = _command(_TOOLS["qemu-user-static"]) or ""
    # An absolute path that is in the tree is read there; so /proc/cpuinfo is too.
    inside = next(iter(sorted(tree.glob("usr/bin/python3.[0-9]*"))), tree / "usr/bin/python3")
    return (emulator, "-cpu", PROCESSOR, "-L", str(tree), str(inside), "-s")


def _folder() -> Path:
    return cache_dir() / "arm64"


def _tree() -> Path:
    return _folder() / f"tree-{_SUITE}"


def _wheels() -> Path:
    """Of the versions that are installed here: others get a folder of their own."""
    return _folder() / f"wheels-{hashlib.sha256(' '.join(_pins()).encode()).hexdigest()[:12]}"


def _on_arm() -> list[Any]:
    return [kind for name in targets.own if (kind := targets.load(name)).on_arm]


def _runtimes() -> list[Path]:
    return [kind.runtime for kind in _on_arm()]


def _pins() -> list[str]:
    """What the host code needs, at the versions that are installed here."""
    needed = ["numpy", "pillow", *(name for kind in _on_arm() for name in kind.runtime_requirements)]
    return [f"{name}=={version(name)}" for name in dict.fromkeys(needed)]


def _make_tree(work: Path, log: Path) -> str:
    archive = work / "tree.tar"
    # Of its ways, the one that needs neither root nor more than one user id; root's own is refused that one.
    mode = "root" if os.geteuid() == 0 else "chrootless"
    command = ["mmdebstrap", f"--mode={mode}", "--arch=arm64", "--variant=extract", f"--include={_IN_TREE}"]
    _run([*command, _SUITE, str(archive), *_mirror()], log)
    with tarfile.open(archive) as source:
        source.extractall(work, filter=_plain)  # noqa: S202 - Debian's own packages, checked by apt, filtered below
    archive.unlink()
    (work / "proc").mkdir(exist_ok=True)
    (work / "proc" / "cpuinfo").write_text(_CPUINFO, encoding="ascii")
    return f"{sum(file.lstat().st_size for file in work.rglob('*')) / 1e6:.0f} MB"


def _plain(member: tarfile.TarInfo, place: str) -> tarfile.TarInfo | None:
    """Files, folders and links inside the tree; no devices, and nothing for an account that is not here."""
    if member.isdev() or not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return tarfile.tar_filter(member, place)


def _mirror() -> list[str]:
    """Where apt gets Debian's packages on this machine; nothing where this is no Debian: mmdebstrap knows a place."""
    try:
        system = platform.freedesktop_os_release()["ID"]
    except OSError:
        system = ""
    if system != "debian":
        return []
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [line.split() for line in told.stdout.splitlines()]
    places = [row[2] for row in rows if len(row) == 3 and "-" not in row[0] and row[1] == "main"]  # noqa: PLR2004 - the format's words
    return places[:1]


def _fetch(work: Path, python: str, log: Path) -> None:
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in _GLIBC] + ["--platform=manylinux2014_aarch64"]
    command = [sys.executable, "-m", "pip", "install", "--target", str(work), "--only-binary=:all:", "--no-compile"]
    command += ["--disable-pip-version-check", "--implementation=cp", f"--python-version={python}"]
    _run([*command, *platforms, *_pins()], log)


def _run(command: Sequence[str], log: Path, *, path: str = "", compiled: bool = False) -> None:
    shown = environment(path)
    if compiled:
        del shown["PYTHONDONTWRITEBYTECODE"]
    with log.open("ab") as file:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=shown, check=False)  # noqa: S603 - the tools named above
        except OSError as error:
            raise NbdeployError(f"{command[0]} cannot be started ({error}).", hint=f"Then again: {SETUP}") from error
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [f"status {done.returncode}"]
        raise NbdeployError(
            f"{Path(command[0]).name} failed: {lines[-1][:200]}",
            hint=f"What it printed is in {log}. Then again: {SETUP}",
        )
