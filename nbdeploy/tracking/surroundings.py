"""What a run stood in: the data, the decisions about it, the machine, the packages, and the state of the code."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from nbdeploy.core.versions import installed

PACKAGES = """nbdeploy torch torchvision fastai timm numpy pandas scikit-learn pillow onnx onnxruntime litert-torch
ai-edge-litert ai-edge-quantizer executorch openvino nncf coremltools optuna""".split()
_JOURNAL = "decisions.jsonl"
_GIT_S = 5.0
_DIRTY_SHOWN = 20


def data_of(images: Any) -> dict[str, Any]:
    """What is kept of data of any kind: ``source fingerprint rows held_out seed decided decisions``.

    A path is kept as the source alone.
    """
    if isinstance(images, str | os.PathLike):
        return {"source": os.path.abspath(images), "decisions": decisions_at(os.path.abspath(images))}
    source = str(getattr(images, "source", "") or "")
    source = os.path.abspath(source) if source and Path(source).exists() else source
    found: dict[str, Any] = {"source": source, "fingerprint": str(getattr(images, "fingerprint", "") or "")}
    if hasattr(images, "__len__"):
        found["rows"] = len(images)
    held = getattr(images, "valid", None)
    if found.get("rows") and isinstance(held, tuple):
        share = getattr(images, "share", None) or round(len(held) / found["rows"], 2)  # what was asked for, if known
        found |= {"held_out": share, "seed": getattr(images, "seed", None)}
    if isinstance(label := getattr(images, "label", None), str):  # of a table
        found["label"] = label
    edits = getattr(images, "edits", ())
    found["decided"] = len(edits) if edits else 0
    found["decisions"] = decisions_at(source) if source else {}
    return found


def decisions_at(source: str) -> dict[str, Any]:
    """How far the journal beside `source` is: ``path lines last`` (time of the last decision); {} where none is."""
    place = Path(source)
    journal = (place if place.is_dir() else place.parent) / _JOURNAL
    try:
        lines = [line for line in journal.read_bytes().split(b"\n") if line.strip()]
    except OSError:
        return {}
    last = ""
    for line in reversed(lines):
        try:
            last = str(json.loads(line).get("time", ""))
            break
        except (ValueError, AttributeError):  # torn by a killed process
            continue
    return {"path": str(journal), "lines": len(lines), "last": last}


def environment() -> dict[str, Any]:
    """``python platform processor cpus gpu packages``."""
    return {**_machine(), "gpu": gpu(), "packages": versions()}


@cache
def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cpus": os.cpu_count() or 1,
    }


def gpu() -> str:
    """The name of the GPU that torch sees; "" where none, or where nobody has imported torch."""
    torch = sys.modules.get("torch")
    try:
        if torch is None or not torch.cuda.is_available():
            return ""
        return str(torch.cuda.get_device_name(0))
    except Exception:  # noqa: BLE001 - a driver may do what it wants; the run goes on
        return ""


@cache
def versions() -> dict[str, str]:
    """The installed versions of the packages that results hang on."""
    return installed(*PACKAGES)


def git(folder: str) -> dict[str, Any]:
    """``commit dirty branch`` of the repository that `folder` is in; {} without git or repository.

    `dirty` names the changed files that git knows, at most twenty.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    changed = (_git(folder, "status", "--porcelain", "--untracked-files=no") or "").splitlines()
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD") or ""
    dirty = [line[2:].strip() for line in changed]
    return {"commit": commit, "branch": branch, "dirty": dirty[:_DIRTY_SHOWN], "dirty_files": len(dirty)}


def _git(folder: str, *words: str) -> str | None:
    # A repository may name a program that watches its files; nothing of it is run.
    command = ["git", "-c", "core.fsmonitor=false", *words]
    settings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - words of ours
            command,
            cwd=folder,
            env=settings,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_GIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.rstrip() if done.returncode == 0 else None
