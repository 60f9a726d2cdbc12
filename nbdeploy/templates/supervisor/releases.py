"""Releases: taken in whole and held to their manifest, and given a Python that has what their server needs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

from .states import alive, read_json, service, started, write_json

_ASK = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
lacking = []
for line in open(sys.argv[1], encoding="utf-8"):
    name, _, wanted = line.partition("#")[0].strip().partition("==")
    if name:
        try:
            version(name.partition("[")[0].strip())
        except PackageNotFoundError:
            lacking.append(line.strip())
print(json.dumps(lacking))
"""


def take(folder: Path, release: str) -> dict[str, Any]:
    """Read a tar archive from standard input into the release's folder, which appears whole or not at all."""
    place = folder / "releases" / release
    work = place.with_name(f".{release}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            source = archive.extractfile(member) if member.isreg() else None
            if source is None or path.is_absolute() or ".." in path.parts:
                return {"ready": False, "why": f"The archive holds {member.name}, which is no plain file."}
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            with (work / path).open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            if member.mode & 0o100:
                (work / path).chmod(0o755)
    wrong = _differ(work / "bundle")
    if wrong:
        shutil.rmtree(work, ignore_errors=True)
        return {"ready": False, "why": f"Not as the manifest says after copying: {', '.join(wrong[:5])}."}
    shutil.rmtree(place, ignore_errors=True)
    work.replace(place)
    return {"ready": True}


def _differ(bundle: Path) -> list[str]:
    """The files whose SHA-256 is not the manifest's."""
    try:
        files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return ["manifest.json"]
    return [f["path"] for f in files if _sha256(bundle / f["path"]) != f["sha256"]]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def fit(folder: Path, release: str) -> dict[str, Any]:
    """Write into ``release.json`` the Python that runs the release's server.

    "system": the one that is named there, which has to have what the server needs. "own": a virtual environment for
    these requirements, made once; one that was not finished lacks the file ``complete`` and is made anew.
    """
    place = folder / "releases" / release
    about, needs = read_json(place / "release.json"), place / "bundle" / "app" / "server" / "requirements.txt"
    base = str(about.get("base") or sys.executable)
    if about.get("environment") == "system":
        done = _run([base, "-c", _ASK, str(needs)])
        if done.returncode:
            return {"ready": False, "why": f"{base} does not start: {_last(done)}"}
        if lacking := json.loads(done.stdout):
            return {"ready": False, "why": f"{base} lacks {', '.join(lacking)}."}
        write_json(place / "release.json", {**about, "python": base})
        return {"ready": True, "python": base}
    mark = hashlib.sha256(needs.read_bytes() + base.encode()).hexdigest()[:16]
    own = _environments(folder) / mark
    python = own / "bin" / "python"
    if not (own / "complete").exists():
        shutil.rmtree(own, ignore_errors=True)
        own.parent.mkdir(parents=True, exist_ok=True)
        where = ["--no-index", "--find-links", str(place / "wheels")] if (place / "wheels").is_dir() else []
        done = _run([base, "-m", "venv", "--without-pip", str(own)])
        pip = [base, "-m", "pip", "--python", str(python)]
        if not done.returncode and _run([*pip, "--version"]).returncode:  # none, or one of before 22.3
            pip = [str(python), "-m", "pip"]
            done = _run([str(python), "-m", "ensurepip"])
        if not done.returncode:
            quiet = ["--quiet", "--disable-pip-version-check"]
            done = _run([*pip, "install", *quiet, *where, "-r", str(needs)])
        if done.returncode:
            shutil.rmtree(own, ignore_errors=True)
            return {"ready": False, "why": f"Its environment could not be made: {_last(done)}"}
        (own / "complete").write_text(needs.read_text(encoding="utf-8"), encoding="utf-8")
    write_json(place / "release.json", {**about, "python": str(python)})
    return {"ready": True, "python": str(python)}


def clear(folder: Path) -> dict[str, Any]:
    """Take away an endpoint's folder, which nothing runs in, and the environments that no other endpoint needs."""
    if not service(folder) or alive(folder):
        return {"ready": False, "why": f"{folder} is no endpoint's folder, or its server runs."}
    one = read_json(folder / "state.json").get("server") or {}
    if one and started(int(one["pid"])) == one["started"]:
        return {"ready": False, "why": f"The server of {folder} runs."}
    environments = _environments(folder)
    mine = _needed([folder], environments)
    shutil.rmtree(folder)
    for gone in mine - _needed(list(environments.parent.glob("*/")), environments):
        shutil.rmtree(environments / gone, ignore_errors=True)
    if environments.is_dir() and not any(environments.iterdir()):
        environments.rmdir()
    return {"ready": True}


def _environments(folder: Path) -> Path:
    return Path(service(folder).get("environments") or folder.parent / "environments")


def _needed(folders: list[Path], environments: Path) -> set[str]:
    """The names of the environments that releases in `folders` run by."""
    files = [file for folder in folders for file in folder.glob("**/releases/*/release.json")]
    pythons = [Path(str(read_json(file).get("python", ""))) for file in files]
    return {python.parts[len(environments.parts)] for python in pythons if environments in python.parents}


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - what a person chose, or made here
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr or done.stdout).strip().splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [f"status {done.returncode}"])[-1]
