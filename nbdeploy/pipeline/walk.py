"""Going through the steps of a pipeline in their order: which are up to date, which are done, and what came of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nbdeploy.errors import NbdeployError, OutputError
from nbdeploy.pipeline.hashes import MISSING, digest
from nbdeploy.pipeline.keys import key_of, made_of, why_anew
from nbdeploy.pipeline.result import GateResult, How, PipelineResult, StepResult
from nbdeploy.pipeline.state import Record
from nbdeploy.pipeline.steps import Deploy, Step, Work

_STANDS = {How.done, How.up_to_date}


@dataclass(frozen=True)
class Wanted:
    """What a person asked of a run."""

    names: frozenset[str]
    forced: frozenset[str] = frozenset()
    provide: bool = False
    overwrite: bool = False


@dataclass
class Walk:
    """One way through the steps. `around` is a context for a step that is done, given its name and why."""

    steps: tuple[Step, ...]
    work: Work
    wanted: Wanted
    around: Callable[[str, str], AbstractContextManager[None]] = lambda *_: nullcontext()
    rows: dict[str, StepResult] = field(default_factory=dict)
    gates: list[GateResult] = field(default_factory=list)

    def look(self) -> PipelineResult:
        """Say of every step how it stands; change nothing."""
        return self._through(self._looked_at)

    def do(self) -> PipelineResult:
        """Do what is not up to date. Raises OutputError, before anything is done, for a place that is taken."""
        for step in self.steps:
            if step.name in self.wanted.names and (self.wanted.provide or not step.asked):
                self._insist_ours(step)
        try:
            return self._through(self._done)
        finally:
            self.work.hashes.save()

    def _through(self, one: Callable[[Step, str, Any], StepResult]) -> PipelineResult:
        began = time.monotonic()
        for step in self.steps:
            self.rows[step.name] = row = self._passed_over(step) or self._standing(step, one)
            if row.how in _STANDS:
                self.gates += self._judged(step, row)
        places = {step.name: place for step in self.steps if (place := step.place()) is not None}
        took = time.monotonic() - began
        return PipelineResult(self.work.spec.name, tuple(self.rows.values()), tuple(self.gates), took, places)

    def _passed_over(self, step: Step) -> StepResult | None:
        """The row of a step that is not asked for, or that something before it keeps from being done."""
        if step.name not in self.wanted.names:
            return StepResult(step.name, How.not_run, "not asked for", after=step.after, asked="until")
        if step.asked and not self.wanted.provide:
            why = f"only with {step.asked}"
            return StepResult(step.name, How.not_run, why, after=step.after, asked=step.asked)
        before = [self.rows[name] for name in step.after]
        failed = [row.name for row in before if row.how in {How.failed, How.not_run}]
        closed = [gate.step for gate in self.gates if not gate.ok and gate.step in step.after]
        if failed or closed:
            why = f"{failed[0]} {self.rows[failed[0]].how}" if failed else f"a gate of {closed[0]} does not hold"
            return StepResult(step.name, How.not_run, why, after=step.after)
        if any(row.how is How.would_run for row in before):
            why = self._and_taken(step, f"after {', '.join(row.name for row in before if row.how is How.would_run)}")
            return StepResult(step.name, How.would_run, why, after=step.after)
        return None

    def _standing(self, step: Step, one: Callable[[Step, str, Any], StepResult]) -> StepResult:
        """Up to date, or what `one` makes of it."""
        records = self.work.state.records
        try:
            made = made_of(step, records, self.work.hashes)
        except NbdeployError as error:
            return StepResult(step.name, How.failed, str(error), after=step.after)
        record = records.get(step.name)
        if record is None:
            why = "not done yet"
        elif step.name in self.wanted.forced:
            why = "asked for"
        elif record.key != key_of(made):
            why = why_anew(record, made)
        else:
            why = self._damage(record) or step.changed(self.work, record.figures)
        if not why and record is not None:
            return StepResult(step.name, How.up_to_date, "", record.took, record.figures, step.after)
        return one(step, why, made)

    def _looked_at(self, step: Step, why: str, made: Any) -> StepResult:
        return StepResult(step.name, How.would_run, self._and_taken(step, why), after=step.after)

    def _done(self, step: Step, why: str, made: Any) -> StepResult:
        began = time.monotonic()
        state = self.work.state
        try:
            self._insist_ours(step)  # what was not there when the run began may be by now
            state.begin(step.name, step.owned(self.work))
            with self.around(step.name, why):
                came = step.do(self.work)
        except NbdeployError as error:
            return StepResult(step.name, How.failed, str(error), time.monotonic() - began, after=step.after)
        took = time.monotonic() - began
        if "dataset" in self.work.spec.data and not step.after:  # it may be there only now
            made = made_of(step, state.records, self.work.hashes)
        outputs = {name: found for place in came.outputs for name, found in self.work.hashes.below(place).items()}
        figures = json.loads(json.dumps(dict(came.figures)))
        when = datetime.now(UTC).isoformat(timespec="seconds")
        record = Record(key_of(made), made, outputs, came.digest or digest(outputs), figures, round(took, 3), when)
        state.keep(step.name, record)
        return StepResult(step.name, How.done, why, took, figures, step.after)

    def _insist_ours(self, step: Step) -> None:
        """Raise OutputError where something stands in the step's place that this pipeline did not make."""
        if words := self._taken(step):
            raise OutputError(
                f"{words}.",
                hint="Write another name in the file, or let it be replaced: --overwrite (overwrite=True).",
            )

    def _and_taken(self, step: Step, why: str) -> str:
        return "; ".join(filter(None, (why, self._taken(step))))

    def _taken(self, step: Step) -> str:
        """What stands in the step's place and may not be replaced; "" where nothing does."""
        foreign = [words for name, words in step.taken(self.work).items() if name not in self.work.state.owned]
        return f"{foreign[0]}, and this pipeline did not make it" if foreign and not self.wanted.overwrite else ""

    def _damage(self, record: Record) -> str:
        """Which output is not what was made; "" where all are."""
        root = self.work.hashes.root
        now = self.work.hashes.of_all(root / name for name in record.outputs)
        for name, made in record.outputs.items():
            if now[name] != made:
                return f"{name} is {'gone' if now[name] == MISSING else 'changed'}"
        return ""

    def _judged(self, step: Step, row: StepResult) -> Iterator[GateResult]:
        if step.name == "clean":
            yield from self._judged_findings()
        elif isinstance(step, Deploy):
            for gate in step.one.gates:
                yield GateResult(step.name, *gate.judged(row.figures.get("metrics", {})))

    def _judged_findings(self) -> Iterator[GateResult]:
        limits = self.work.spec.clean.get("fail_on", {})
        if not limits:
            return
        findings = json.loads(self.work.clean_file.read_text(encoding="utf-8"))["findings"]
        for kind, limit in limits.items():
            over = [row for row in findings if row["kind"] == kind and row["score"] >= limit]
            first = f", the first {_where(over[0])}" if over else ""
            words = f"{len(over):,} undecided {kind} of {limit:g} or more{first}"
            yield GateResult("clean", not over, words)


def _where(row: Mapping[str, Any]) -> str:
    """Where a finding is: a file, and in it a line or row, and a column."""
    line = f"line {row['line']}" if row.get("line") is not None else ""
    place = line or (f"row {row['row']}" if row.get("row") is not None else "")
    return " ".join([row["path"], ", ".join(part for part in (place, row.get("column")) if part)]).strip()
