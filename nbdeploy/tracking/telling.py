"""What is told of one run, a title and a text a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.tracking.shown import show, title

if TYPE_CHECKING:
    from nbdeploy.tracking.run import Run

_KEY_PACKAGES = ("nbdeploy", "torch", "fastai")


def rows(run: Run) -> list[tuple[str, str]]:
    """The lines of `run`; those with nothing to say are left out."""
    made = run.result
    told = [
        ("why", run.why),
        ("call", run.call),
        ("parameters", _listed(run.params)),
        ("figures", _listed(run.metrics)),
        ("made", str(made.get("path") or "")),
        ("failed checks", ", ".join(made.get("checks_failed") or ())),
        ("accepted", str(made.get("accepted") or "")),
        ("endpoint", f"{made.get('endpoint') or ''} {made.get('url') or ''}".strip()),
        ("data", data(run.data)),
        ("model of", run.origin),
        ("inside", run.parent),
        ("code", code(run.git)),
        ("machine", machine(run.environment)),
        ("note", run.noted),
        ("tags", ", ".join(run.tags)),
    ]
    return [(name, text) for name, text in told if text]


def data(about: Mapping[str, Any]) -> str:
    """The data in one line."""
    decisions = (about.get("decisions") or {}).get("lines")
    return ", ".join(
        part
        for part in (
            str(about.get("source") or ""),
            f"{about['rows']:,} items" if about.get("rows") else "",
            f"fingerprint {about['fingerprint'][:12]}" if about.get("fingerprint") else "",
            f"decisions up to line {decisions}" if decisions else "",
        )
        if part
    )


def code(git: Mapping[str, Any]) -> str:
    """The commit in one line, and whether files were changed since."""
    if not git:
        return ""
    number = git.get("dirty_files", 0)
    since = f", with {number} {'file' if number == 1 else 'files'} changed since" if number else ""
    return f"{git['branch']} {git['commit'][:10]}{since}"


def machine(environment: Mapping[str, Any]) -> str:
    """The machine in one line."""
    if not environment:
        return ""
    packages = environment.get("packages", {})
    parts = [f"Python {environment['python']}", environment["platform"], environment.get("gpu") or "no GPU"]
    return ", ".join([*parts, *(f"{name} {packages[name]}" for name in _KEY_PACKAGES if name in packages)])


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{title(name)} {show(name, value)}" for name, value in values.items())
