"""Doing a run again: what to type for it, and what is not as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core import look, summary
from nbdeploy.core.numbers import SPACE
from nbdeploy.errors import NbdeployError
from nbdeploy.tracking.commands import terminal
from nbdeploy.tracking.shown import when
from nbdeploy.tracking.surroundings import decisions_at, environment, git

if TYPE_CHECKING:
    from nbdeploy.tracking.run import Read, Run

_NOT_THERE = "not there any more"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was."""

    what: str
    then: str
    now: str


@dataclass(frozen=True)
class Reproduction:
    """`steps` are titles and what to type; `changes` what differs now; `unknown` what could not be told, and why."""

    run: Run
    steps: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    unknown: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "run": self.run.id,
            "steps": [{"what": what, "type": text} for what, text in self.steps],
            "differs": [{"what": one.what, "then": one.then, "now": one.now} for one in self.changes],
            "unknown": list(self.unknown),
        }

    @property
    def verdict(self) -> str:
        """Whether anything differs, in one line."""
        number = len(self.changes)
        return (
            f"{number} {'thing differs' if number == 1 else 'things differ'} now" if number else "Nothing differs now"
        )

    def __str__(self) -> str:
        lines = [f"{self.run.id}: {self.run.kind} {self.run.name}, {when(self.run.began)}", "", "To do it again:"]
        for at, (what, text) in enumerate(self.steps, 1):
            lines += [f"  {at}. {what}", f"     {text}"]
        lines += ["", f"{self.verdict}{':' if self.changes else '.'}"]
        if self.changes:
            rows = [("", "then", "now"), *((one.what, one.then, one.now) for one in self.changes)]
            lines += [f"  {line}" for line in summary.in_columns(rows)]
        return "\n".join([*lines, *(f"Not known: {text}" for text in self.unknown)]).replace(SPACE, " ")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        steps = [(f"{at}. {what}", look.tag("code", "nbd-mono", text)) for at, (what, text) in enumerate(self.steps, 1)]
        changes = [(one.what, one.then, one.now) for one in self.changes]
        kind = "warned" if changes else "not_run" if self.unknown else "passed"
        return look.output(
            look.head(f"To do {self.run.id} again"),
            look.table(steps, "Ht", css="nbd-full"),
            look.head(look.sign(kind, self.verdict)),
            look.table(changes, "Htt", heads=("What", "Then", "Now"), css="nbd-full") if changes else "",
            *(look.quiet(f"Not known: {text}") for text in self.unknown),
        )


def reproduce(run: Run, read: Read | None = None) -> Reproduction:
    """What to type, and what differs between then and now. Reads the data, where it is still in its place."""
    data, unknown = _data_now({**_columns(run.params), **run.data}, read)
    changes = [*_code(run.git, run.project), *_environment(run.environment), *data, *_made(run)]
    return Reproduction(run, tuple(_steps(run)), tuple(changes), tuple(unknown))


def _steps(run: Run) -> list[tuple[str, str]]:
    steps = []
    if run.git:
        number = run.git.get("dirty_files", 0)
        lost = f" (without what was changed then and not committed: {', '.join(run.git['dirty'])})" if number else ""
        steps.append((f"the code{lost}", f"git checkout {run.git['commit']}"))
    packages = run.environment.get("packages", {})
    if packages:
        pins = " ".join(f'"{name}=={version}"' for name, version in packages.items())
        steps.append((f"the packages, in Python {run.environment['python']}", f"pip install {pins}"))
    if run.data.get("source"):
        mark = f", fingerprint {run.data['fingerprint'][:12]}" if run.data.get("fingerprint") else ""
        steps.append((f"the data{mark}", str(run.data["source"])))
    if run.origin:
        steps.append((f"the model, which {run.origin} made", f'nd.runs()["{run.origin}"].reproduce()'))
    steps += [("in Python", run.call)] if run.call else []
    line = terminal(run)
    return [*steps, *([("or in a terminal", line)] if line else [])]


def _code(then: Mapping[str, Any], folder: str) -> list[Change]:
    if not then:
        return []
    now = git(folder)
    if not now:
        return [Change("git commit", then["commit"][:10], _NOT_THERE)]
    found = []
    if now["commit"] != then["commit"]:
        found.append(Change("git commit", then["commit"][:10], now["commit"][:10]))
    if now["dirty"] != then["dirty"]:
        found.append(Change("changed files", ", ".join(then["dirty"]) or "none", ", ".join(now["dirty"]) or "none"))
    return found


def _environment(then: Mapping[str, Any]) -> list[Change]:
    if not then:
        return []
    now = environment()
    found = [
        Change(key, str(then.get(key) or "none"), str(now[key] or "none"))
        for key in ("python", "platform", "processor", "cpus", "gpu")
        if then.get(key) != now[key] and not (key == "gpu" and not now[key])  # "": perhaps only not looked for
    ]
    before, after = then.get("packages", {}), now["packages"]
    return found + [
        Change(name, before.get(name, "not installed"), after.get(name, "not installed"))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _columns(params: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a training on a table or on texts was told."""
    return {name: params[name] for name in ("label", "text") if params.get(name)}


def _data_now(then: Mapping[str, Any], read: Read | None) -> tuple[list[Change], list[str]]:
    source = str(then.get("source") or "")
    if not source:
        return [], ["where the data came from"] if then else []
    if not Path(source).exists():
        return [Change("data", source, _NOT_THERE)], []
    changes, unknown = [], []
    mark = str(then.get("fingerprint") or "")
    if mark and read is not None:
        try:
            now = read(then)
        except NbdeployError as error:
            unknown.append(f"whether the data is the same ({error.message})")
        else:
            changes += [Change("data fingerprint", mark[:12], now[:12])] if now != mark else []
    lines, now_lines = ((held or {}).get("lines", 0) for held in (then.get("decisions"), decisions_at(source)))
    if lines != now_lines:
        changes.append(Change("decisions, lines", str(lines), str(now_lines)))
    return changes, unknown


def _made(run: Run) -> list[Change]:
    from nbdeploy.core.bundle import MANIFEST  # noqa: PLC0415
    from nbdeploy.core.files import sha256_of  # noqa: PLC0415

    path, seal = run.result.get("path"), run.result.get("sha256")
    if not path or not seal:
        return []
    manifest = Path(path) / MANIFEST
    if not manifest.is_file():
        return [Change("what it made", path, _NOT_THERE)]
    now = sha256_of(manifest)
    return [Change("what it made, sha256", str(seal)[:12], now[:12])] if now != seal else []
