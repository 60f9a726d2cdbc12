"""What went wrong, as plain data: in words, with the checks, the log and the report that say more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbdeploy.core.numbers import SPACE
from nbdeploy.core.report import Report
from nbdeploy.core.summary import check_row
from nbdeploy.errors import ConversionError, NbdeployError, ProviderError, UsageError, VerificationFailed

_LOG_LINES = 12


def fault_of(error: BaseException) -> dict[str, Any]:
    """Keys: ``kind message hint``; ``checks`` (rows: status, title, value, limit, why), failed ones first; ``log`` and
    its last ``lines``; ``kept`` and ``report``, paths; ``acceptable``, whether it may be put in place all the same.
    """
    known = isinstance(error, NbdeployError)
    fault: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": error.message if isinstance(error, NbdeployError) else f"{type(error).__name__}: {error}",
        "hint": error.hint if isinstance(error, NbdeployError) else "This is a fault of nbdeploy's or of a library's.",
        "checks": [],
        "log": "",
        "lines": [],
        "kept": "",
        "report": "",
        "acceptable": False,
        "known": known,
    }
    if isinstance(error, VerificationFailed):
        fault |= {"checks": checks_of(error.report), "acceptable": True, "kept": str(error.kept)}
        fault["report"] = str(Path(error.kept) / "report.html")
        fault["hint"] = f"It is kept for study in {error.kept}; nothing was put in place."
    if isinstance(error, ConversionError) and error.log:
        fault |= {"log": str(error.log), "lines": _last(Path(error.log)), "hint": ""}
    return fault


def step_of(error: BaseException) -> str:
    """The step that an error belongs to which no step raised; "" where the kind of error does not say."""
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (VerificationFailed, "verify"),
        (ConversionError, "convert"),
        (ProviderError, "start"),
        (UsageError, "check"),
    )
    return next((name for kind, name in kinds if isinstance(error, kind)), "")


def checks_of(report: Report) -> list[dict[str, str]]:
    """The checks as rows of text, failed ones first."""
    rows = []
    for check in report.ordered():
        title, value, limit, why = (text.replace(SPACE, " ") for text in check_row(check))
        rows.append({"status": check.status.value, "title": title, "value": value, "limit": limit, "why": why})
    return rows


def _last(log: Path) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []
