"""What a run of a pipeline came to: a row a step, the gates, and what was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core import numbers
from nbdeploy.core.numbers import SPACE
from nbdeploy.core.summary import in_columns
from nbdeploy.data.records import count
from nbdeploy.errors import UnknownName

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle
    from nbdeploy.exporting.program import Program


class How(StrEnum):
    """How a step stands."""

    done = "done"
    up_to_date = "up to date"
    would_run = "would run"
    failed = "failed"
    not_run = "not run"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step: how it stands, why, how long it took, and its figures."""

    name: str
    how: How
    why: str = ""
    took: float | None = None
    """Seconds; of one that is up to date, what it took when it was done."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    asked: str = ""
    """The option that it waits for; a run without it is whole all the same."""

    @property
    def told(self) -> str:
        """The key figures, in a line."""
        return "; ".join(_told(self.figures))

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "how": str(self.how)}


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate of one step."""

    step: str
    ok: bool
    words: str


@dataclass(frozen=True)
class PipelineResult:
    """What `nd.Pipeline.run` gives: ``steps gates bundles endpoints model``. Shown, it is a table."""

    name: str
    rows: tuple[StepResult, ...]
    gates: tuple[GateResult, ...]
    took: float
    """Seconds, of the whole run."""
    folders: Mapping[str, Path] = field(default_factory=dict, repr=False)
    """Step -> the folder that it made."""
    looked_only: bool = False
    """Whether nothing was to be done."""

    @property
    def steps(self) -> dict[str, StepResult]:
        """The steps by name."""
        return {row.name: row for row in self.rows}

    @property
    def ok(self) -> bool:
        """Whether every step that was asked for is done or up to date, and every gate holds."""
        fine = {How.done, How.up_to_date}
        return all(row.how in fine or (row.how is How.not_run and row.asked) for row in self.rows) and all(
            gate.ok for gate in self.gates
        )

    @property
    def bundles(self) -> dict[str, Bundle]:
        """The bundles that stand, by their step's name without ``deploy:``. Raises IntegrityError for a changed one."""
        from nbdeploy.core.bundle import Bundle  # noqa: PLC0415 - only where one is asked for

        there = {name: row for name, row in self.steps.items() if name.startswith("deploy:") and _stands(row)}
        return {name.removeprefix("deploy:"): Bundle.load(self.folders[name]) for name in there}

    @property
    def endpoints(self) -> dict[str, Any]:
        """The Endpoints that were made, by name."""
        from nbdeploy.flow import endpoints  # noqa: PLC0415 - SQLite

        names = [name.removeprefix("provide:") for name, row in self.steps.items() if "url" in row.figures]
        return {name: endpoints()[name] for name in names}

    @property
    def model(self) -> Program:
        """The trained model. Raises UnknownName where it was not trained."""
        from nbdeploy.exporting.program import Program  # noqa: PLC0415 - torch

        row = self.steps.get("train")
        if row is None or not _stands(row):
            done = [one.name for one in self.rows if _stands(one)]
            raise UnknownName("step that is done", "train", done)
        return Program.load(self.folders["train"])

    @property
    def failures(self) -> list[str]:
        """What failed, in words."""
        steps = [f"{row.name}: {row.why}" for row in self.rows if row.how is How.failed]
        return steps + [f"{gate.step}: {gate.words}" for gate in self.gates if not gate.ok]

    @property
    def headline(self) -> str:
        """How it stands, in a line."""
        numbers_ = {how: sum(row.how is how for row in self.rows) for how in How}
        parts = [f"{number} {how}" for how, number in numbers_.items() if number]
        failed = [gate for gate in self.gates if not gate.ok]
        parts += [f"{count(len(failed), 'gate')} failed"] if failed else []
        return f"{self.name}: {', '.join(parts)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``name ok took steps gates``."""
        return {
            "name": self.name,
            "ok": self.ok,
            "took": round(self.took, 3),
            "steps": [row.to_dict() for row in self.rows],
            "gates": [asdict(gate) for gate in self.gates],
        }

    def __str__(self) -> str:
        rows = [(row.name, str(row.how), time_of(row), row.told or row.why.split("\n")[0]) for row in self.rows]
        lines = in_columns([("step", "state", "time", ""), *rows], right=(2,))
        gates = [f"gate {'holds' if gate.ok else 'FAILED'}: {gate.step}: {gate.words}." for gate in self.gates]
        failed = [f"{row.name} failed: {row.why}" for row in self.rows if row.how is How.failed]
        folders = [f"{name}: {folder}" for name, folder in self.folders.items() if _stands(self.steps[name])]
        whole = [*lines, "", *gates, *failed, *folders, f"{self.headline}, {numbers.duration(self.took)}"]
        return "\n".join(whole).replace(SPACE, " ")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from nbdeploy.pipeline.look import as_html  # noqa: PLC0415 - only in a notebook

        return as_html(self)


def time_of(row: StepResult) -> str:
    """What a step took; in brackets where that was in an earlier run."""
    if row.took is None:
        return ""
    text = numbers.duration(row.took)
    return f"({text})" if row.how is How.up_to_date else text


def _stands(row: StepResult) -> bool:
    return row.how in {How.done, How.up_to_date}


def _told(figures: Mapping[str, Any]) -> list[str]:
    get = figures.get
    told = []
    if "classes" in figures:
        told = [f"{count(get('files', 0), get('noun', 'picture'))}, {count(figures['classes'], 'class')}"]
        told += [f"{get('held_out'):,} held out"]
        told += [f"{get('set_aside')} {'left out' if 'noun' in figures else 'set aside'}"] if get("set_aside") else []
    elif "left_out" in figures:
        told = [f"{count(figures['left_out'], get('noun', 'picture'))} left out"] if figures["left_out"] else []
        told += [f"{count(get('decisions', 0), 'decision')} of yours"] if get("decisions") else []
        told += [f"{count(get('findings', 0), 'finding')} to look at"] if get("findings") else []
        told = told or ["nothing to leave out"]
    elif "arch" in figures or "learned_from" in figures:
        right = numbers.number(get("accuracy"))
        told = (
            []
            if right is None
            else [f"{numbers.percent(right)} of {get('held_out'):,} held-out {get('noun', 'file')}s right"]
        )
        told += [f"{figures['arch']}, {get('size')} px" if "arch" in figures else f"from {figures['learned_from']}"]
    elif "metrics" in figures:
        told = [str(get("verdict", "")), *_measured(figures["metrics"])]
    elif "url" in figures:
        told = [figures["url"] or "no address yet", str(get("provider", ""))]
    return told


def _measured(metrics: Mapping[str, Any]) -> list[str]:
    shown = (
        ("size_bytes", numbers.size, ""),
        ("accuracy_deployed", numbers.percent, " right"),
        ("latency_ms_p50", numbers.milliseconds, ""),
    )
    values = [(numbers.number(metrics.get(key)), text, word) for key, text, word in shown]
    return [f"{text(value)}{word}" for value, text, word in values if value is not None]
