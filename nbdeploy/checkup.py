"""What is installed, what is missing, what to type."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nbdeploy.core import look
from nbdeploy.core.versions import installed
from nbdeploy.errors import MissingExtra
from nbdeploy.registry import Entry, Registry, providers, targets
from nbdeploy.verification.emulator import SETUP, Arm, arm, set_up

_PACKAGES = (
    "nbdeploy", "torch", "torchvision", "fastai", "timm", "onnx", "onnxruntime", "litert-torch", "ai-edge-litert",
    "numpy", "Pillow", "ipython", "jupyterlab",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a target or provider can be used here; `missing` names modules, `install` is what to type ("": ready)."""

    ready: bool
    missing: tuple[str, ...] = ()
    install: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """What `doctor` found. `free_bytes` is the space left where the work is done; `gpu` is None when not looked for."""

    targets: dict[str, Readiness]
    providers: dict[str, Readiness]
    python: str
    versions: dict[str, str | None]
    """Package -> version; None where it is not installed."""
    cpus: int
    free_bytes: int
    arm: Arm
    """Whether bundles can be run on ARM64 here, emulated where needed: ``nbdeploy verify --arch aarch64``."""
    gpu: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every target is ready."""
        return all(target.ready for target in self.targets.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``targets providers python versions cpus free_bytes arm gpu``."""
        return {
            "targets": _plain(self.targets),
            "providers": _plain(self.providers),
            "python": self.python,
            "versions": self.versions,
            "cpus": self.cpus,
            "free_bytes": self.free_bytes,
            "arm": {
                "ready": self.arm.ready,
                "how": self.arm.how,
                "missing": list(self.arm.missing),
                "install": self.arm.install,
            },
            "gpu": self.gpu,
        }

    def __str__(self) -> str:
        width = max(map(len, [*self.targets, *self.providers, *self.versions]), default=0)
        lines = []
        for title, table in (("Targets", self.targets), ("Providers", self.providers)):
            lines += [title, *(f"  {_sign(t)}  {name:<{width}}  {_state(t)}" for name, t in table.items())]
        lines += ["Packages"]
        lines += [f"     {name:<{width}}  {v or 'not installed'}" for name, v in self.versions.items()]
        lines += ["Machine", *(f"     {name:<{width}}  {value}" for name, value in self._machine())]
        return "\n".join(lines)

    def _machine(self) -> list[tuple[str, str]]:
        return [
            ("Python", self.python),
            ("CPUs", str(self.cpus)),
            ("free disk", f"{self.free_bytes / 1e9:.1f} GB"),
            ("GPU", "not looked for" if self.gpu is None else self.gpu),
            ("ARM64", _arm_state(self.arm)),
        ]

    def _providers(self) -> tuple[str, str]:
        rows = [(_look_of(t), name, _what_to_do(t)) for name, t in self.providers.items()]
        ready = sum(t.ready for t in self.providers.values())
        return f"{ready} of {len(rows)} providers ready: where endpoints can be put", look.table(rows, "lHt")

    def _repr_html_(self) -> str:
        rows = [(_look_of(t), name, _what_to_do(t)) for name, t in self.targets.items()]
        facts = [*self._machine(), *((name, v or "not installed") for name, v in self.versions.items())]
        ready = sum(t.ready for t in self.targets.values())
        return look.output(
            look.head(f"{ready} of {len(self.targets)} targets ready"),
            look.table(rows, "lHt"),
            look.details(*self._providers()),
            look.details("Machine and packages", look.table(facts, "ht", css="nbd-bare")),
        )


def doctor(*, gpu: bool = False, setup_arm: bool = False) -> Doctor:
    """Look at what is installed, without importing anything heavy.

    With `setup_arm`, what running bundles on an emulated ARM64 processor takes is got first (about 100 MB of packages,
    once, into the user's cache); NbdeployError says what stands in the way.

    With `gpu`, torch is imported (seconds) to ask for a GPU; without it a GPU is named only where torch is already
    imported.
    """
    there = set_up() if setup_arm else arm()
    return Doctor(
        targets={name: _readiness(targets, name, entry) for name, entry in targets.items()},
        providers={name: _readiness(providers, name, entry) for name, entry in providers.items()},
        python=platform.python_version(),
        versions={name: _version(name) for name in _PACKAGES},
        cpus=_cpus(),
        free_bytes=shutil.disk_usage(Path.cwd()).free,
        arm=there,
        gpu=_gpu() if gpu or "torch" in sys.modules else None,
    )


def _plain(table: dict[str, Readiness]) -> dict[str, Any]:
    return {name: {**asdict(one), "missing": list(one.missing)} for name, one in table.items()}


def _readiness(table: Registry, name: str, entry: Entry) -> Readiness:
    package = entry.package if entry.package != "nbdeploy" else ""
    try:
        missing = tuple(module for module in table.load(name).requires if not _found(module))
    except MissingExtra as error:
        missing = (error.module,)
    except Exception as error:  # noqa: BLE001 - a third party's broken target must not take the doctor down
        wrong = f"{type(error).__name__}: {error}"
        return Readiness(ready=False, missing=(wrong,), install=f"pip install -U {package}", summary=entry.summary)
    install = "" if not missing else f"pip install {package}" if package else MissingExtra("", "", entry.extra).install
    return Readiness(ready=not missing, missing=missing, install=install, summary=entry.summary)


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # the parent is missing, or the module was put in place without a spec
        return False


def _version(package: str) -> str | None:
    return installed(package).get(package)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpu() -> str:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return "torch is not installed"
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "Apple MPS" if torch.backends.mps.is_available() else "none"


def _arm_state(there: Arm) -> str:
    if there.ready:
        return f"ready, {there.how}"
    if not there.install:
        return f"not here: needs {', '.join(there.missing)}"
    return f"not set up (optional). Type: {there.install}" + ("" if there.install == SETUP else f", then: {SETUP}")


def _sign(target: Readiness) -> str:
    return "✓" if target.ready else "✗"


def _look_of(target: Readiness) -> look.Html:
    return look.sign("passed", "ready") if target.ready else look.sign("failed", "missing")


def _what_to_do(target: Readiness) -> str:
    if target.ready:
        return target.summary
    install = look.tag("code", "nbd-mono", target.install)
    return look.joined(f"{', '.join(target.missing)}. Type: ", install)


def _state(target: Readiness) -> str:
    if target.ready:
        return f"ready: {target.summary}"
    return f"missing {', '.join(target.missing)}. Type: {target.install}"
