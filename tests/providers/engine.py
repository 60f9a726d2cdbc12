"""Stands in for docker: keeps to its command line, and runs the build's folder as a process of this machine.

What it cannot show is the image itself; the Containerfile is held to what it says by tests of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(os.environ["STANDIN_ROOT"])


def options(words: list[str], with_value: set[str]) -> tuple[dict[str, list[str]], list[str]]:
    found: dict[str, list[str]] = {}
    rest: list[str] = []
    words = list(words)
    while words:
        word = words.pop(0)
        if word in with_value:
            found.setdefault(word, []).append(words.pop(0))
        elif word.startswith("-"):
            found.setdefault(word, [])
        else:
            rest.append(word)
    return found, rest


def file_of(kind: str, name: str) -> Path:
    return ROOT / kind / name.replace("/", "_")


def start(place: Path) -> None:
    about = json.loads(place.read_text(encoding="utf-8"))
    with place.with_suffix(".log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "app/server", "serve"],
            cwd=about["context"],
            env={**os.environ, **about["env"]},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    place.write_text(json.dumps({**about, "pid": process.pid, "status": "running"}), encoding="utf-8")


def stop(place: Path) -> None:
    about = json.loads(place.read_text(encoding="utf-8"))
    if about["status"] == "running":
        os.kill(about["pid"], signal.SIGTERM)
        for _ in range(600):
            if not Path(f"/proc/{about['pid']}").exists():
                break
            time.sleep(0.05)
        place.write_text(json.dumps({**about, "status": "exited"}), encoding="utf-8")


def main(verb: str, words: list[str]) -> int:
    with (ROOT / "calls").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps([verb, *words]) + "\n")
    (ROOT / "image").mkdir(exist_ok=True)
    (ROOT / "container").mkdir(exist_ok=True)
    if verb == "build":
        found, (context,) = options(words, {"--tag", "--file", "--format"})
        assert (Path(context) / "Containerfile").is_file()
        file_of("image", found["--tag"][0]).write_text(context, encoding="utf-8")
    elif verb == "run":
        found, (image,) = options(words, {"--name", "--restart", "--cap-drop", "--security-opt", "--publish", "--env"})
        bind, port, _ = found["--publish"][0].split(":")
        env = dict(pair.split("=", 1) for pair in found["--env"])
        context = file_of("image", image).read_text(encoding="utf-8")
        place = file_of("container", found["--name"][0])
        about = {"context": context, "env": {**env, "HOST": bind, "PORT": port}, "status": "created"}
        place.write_text(json.dumps(about), encoding="utf-8")
        start(place)
    elif verb in {"start", "stop", "rm", "inspect", "logs"}:
        _, (name,) = options(words, {"-t", "--format", "--tail"})
        place = file_of("container", name)
        if not place.exists():
            sys.stderr.write(f"Error: No such container: {name}\n")
            return 1
        if verb == "inspect":
            sys.stdout.write(json.loads(place.read_text(encoding="utf-8"))["status"] + "\n")
        elif verb == "logs":
            sys.stdout.write(place.with_suffix(".log").read_text(encoding="utf-8"))
        elif verb == "start":
            start(place)
        else:
            stop(place)
            if verb == "rm":
                place.unlink()
    elif verb == "rmi":
        file_of("image", words[-1]).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
