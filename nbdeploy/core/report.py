"""What was checked and measured: plain data that a notebook, a terminal and a file can show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from nbdeploy.core import look, summary
from nbdeploy.core.look import SIGNS
from nbdeploy.core.numbers import SPACE


class Status(StrEnum):
    """How a check ended. Not run never reads as passed."""

    passed = "passed"
    failed = "failed"
    not_run = "not_run"


@dataclass(frozen=True, slots=True)
class Check:
    """One judged question. `value` and `limit` are in the same unit; `why` is for people."""

    name: str
    status: Status
    value: float | str | None = None
    limit: float | str | None = None
    why: str = ""

    @property
    def title(self) -> str:
        """The name as a person reads it."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class FileResult:
    """One held-out file: what the original answered and what the deployed model answered."""

    file: str
    label: str | None
    original: str
    deployed: str
    original_probability: float
    deployed_probability: float
    drift: float
    """Largest change of any class's probability, 0..1."""


@dataclass(frozen=True, slots=True)
class Report:
    """Checks, metrics, and the files that changed answer.

    `metrics` keys: ``files accuracy_original accuracy_deployed accuracy_original_interval
    accuracy_deployed_interval top1_agreement ties max_abs_diff mean_abs_diff size_bytes conversion_s`` and, for one
    thread and for all (``_all``), ``latency_ms_p50 latency_ms_p90`` with ``_original`` beside them,
    ``peak_memory_mb``; ``size_bytes_original`` is that of the float32 program. A figure not measured is absent.
    """

    checks: tuple[Check, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[FileResult, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    """Deployed model's confusion matrix, rows true labels, columns answers; empty where labels are not known."""
    diagnosis: str = ""

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def compared(self) -> bool:
        """Whether the deployed model was held to the original on held-out files, and passed."""
        return self.ok and any(c.name == "top1_agreement" and c.status is Status.passed for c in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status is Status.failed)

    def ordered(self) -> tuple[Check, ...]:
        """The checks, failed ones first, then those not run."""
        rank = {Status.failed: 0, Status.not_run: 1, Status.passed: 2}
        return tuple(sorted(self.checks, key=lambda check: rank[check.status]))

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the ``checks`` and ``metrics`` of a manifest, and the rest."""
        return {
            "checks": [_plain(asdict(check)) for check in self.checks],
            "metrics": _plain(dict(self.metrics)),
            "changed": [_plain(asdict(row)) for row in self.changed],
            "confusion": [list(row) for row in self.confusion],
            "diagnosis": self.diagnosis,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Report:
        """Read what `to_dict` wrote."""
        return cls(
            checks=tuple(Check(**{**check, "status": Status(check["status"])}) for check in raw["checks"]),
            metrics=dict(raw["metrics"]),
            changed=tuple(FileResult(**row) for row in raw.get("changed", ())),
            confusion=tuple(tuple(row) for row in raw.get("confusion", ())),
            diagnosis=raw.get("diagnosis", ""),
        )

    def __str__(self) -> str:
        checks = [
            (f"{SIGNS[check.status]} {check.status.replace('_', ' ')}", *summary.check_row(check))
            for check in self.ordered()
        ]
        lines = summary.in_columns(checks) if checks else []
        if self.diagnosis:
            lines += ["", self.diagnosis]
        if figures := summary.metric_rows(self.metrics):
            lines += ["", *summary.in_columns([("", "deployed", "original", ""), *figures], right=(1, 2))]
        lines += summary.remarks(self.metrics)
        if self.changed:
            lines.append(f"{len(self.changed)} held-out files changed their answer.")
        return "\n".join(lines).replace(SPACE, " ")

    def _repr_html_(self) -> str:
        kind = "failed" if self.failed else "passed" if self.compared else "not_run"
        word = {"failed": "failed", "passed": "verified", "not_run": "not held to the original"}[kind]
        return look.output(
            look.head(look.sign(kind, word), " ", look.tag("span", "nbd-quiet", summary.verdict(self))),
            look.tag("div", "nbd-told", self.diagnosis) if self.diagnosis else "",
            look.table(
                ((look.sign(check.status), *summary.check_row(check)) for check in self.ordered()),
                "lHnnt",
                heads=("Outcome", "Check", "Value", "Limit", "What it means"),
                css="nbd-full",
            ),
            *self.figures(),
            self._changed(),
        )

    def figures(self) -> list[str]:
        """What was measured, for a notebook: a table and its small print."""
        rows = summary.metric_rows(self.metrics)
        heads = ("Measured", "Deployed", "Original", "")
        small = look.quiet(" ".join(summary.remarks(self.metrics)))
        return [look.table(rows, "Hnnl", heads=heads), small] if rows else []

    def _changed(self) -> str:
        if not self.changed:
            return ""
        rows = summary.changed_rows(self)
        more = len(self.changed) - len(rows)
        return look.details(
            f"{len(self.changed)} held-out {'files' if len(self.changed) > 1 else 'file'} changed the answer",
            look.table(rows, "httt", heads=("File", "True label", "Original", "Deployed"), css="nbd-full"),
            look.quiet(f"and {more} more: see .changed") if more > 0 else "",
        )


def show(value: Any) -> str:
    """A value as a person reads it: four significant digits, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return " to ".join(show(v) for v in value)
    return str(value)


def _plain(value: Any) -> Any:
    # JSON has no NaN or infinity; a reader in another language must not choke on them.
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
