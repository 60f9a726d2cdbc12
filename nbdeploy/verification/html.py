"""report.html: the Report for people, one file that asks for nothing from outside itself."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core import numbers
from nbdeploy.core.report import FileResult, Report, Status
from nbdeploy.core.signature import Signature
from nbdeploy.verification import figures, words
from nbdeploy.verification.thumbnails import thumbnail

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["render_report", "thumbnail", "verdict"]

TEMPLATES = Path(__file__).parents[1] / "templates"
PICTURES_MAX = 60
"""Changed files shown with their picture, largest drift first; a report of thousands would not open on a phone."""
_LONGEST = 600
"""Letters of a row or a text that are shown."""
_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PN": "image/png"}
_FACTS = ("name", "version", "target", "created", "machine", "dataset")
_RECIPE = ("name", "title", "weights", "activations")
_NO_LABELS = "The held-out pictures came without true labels."
_NO_TIMING = "The timing was not run when this report was made."
_NO_DRIFTS = "The comparison with the original was not run when this report was made."


def render_report(
    report: Report,
    *,
    title: str,
    facts: Mapping[str, Any],
    labels: Sequence[str],
    pictures: Mapping[str, bytes],
    drifts: Sequence[float] = (),
) -> str:
    """The whole page as a string.

    `facts`, each optional: ``name version target recipe`` (``Recipe.to_dict()``) ``created signature``
    (``Signature.to_dict()``) ``tools`` (name to version) ``dataset`` (fingerprint) ``files`` (path to SHA-256 or to
    ``{"sha256", "size"}``) ``accepted_failure`` (``{"why", "checks"}``) ``machine threads``. `labels` are in output
    order. `pictures` maps the ``file`` of changed files to JPEG or PNG bytes (see `thumbnail`), or to the
    bytes of the row or text. `drifts` is each held-out file's largest change of any probability, 0..1. All text is
    escaped: labels and file names may hold anything.
    """
    metrics, recipe = report.metrics, facts.get("recipe") or {}
    signature = facts.get("signature")
    noun = Signature.from_dict(signature).noun if signature else "picture"
    reasons = {name: words.named(why, noun) for name, why in _reasons(report).items()}
    return _template().render(
        title=title,
        facts={key: facts.get(key) for key in _FACTS},
        recipe={key: recipe.get(key) for key in _RECIPE},
        noun=noun,
        verdict=verdict(report, facts.get("accepted_failure"), noun),
        numbers=_key_figures(metrics, reasons, noun),
        checks=words.rows(report, recipe, noun),
        tally={status.value: sum(c.status is status for c in report.checks) for status in Status},
        diagnosis=report.diagnosis,
        changed=_changed(report.changed, pictures, as_text=noun != "picture"),
        changed_all=len(report.changed),
        compared=_measured(metrics, "top1_agreement"),
        accuracy=figures.accuracy(metrics),
        drift=figures.histogram(drifts, numbers.number(recipe.get("max_drift"))),
        mean_drift=_text(metrics, "mean_abs_diff", numbers.quantity),
        max_drift=_text(metrics, "max_abs_diff", numbers.quantity),
        bars=[{**group, "title": words.named(group["title"], noun)} for group in _bars(metrics, facts)],
        confusion=figures.confusion(report.confusion, labels),
        steps=words.steps(signature) if signature else [],
        graph=signature["graph"] if signature else [],
        labels=labels,
        tools=dict(facts.get("tools") or {}),
        files=_hashes(facts.get("files") or {}),
        conversion=_text(metrics, "conversion_s", lambda v: f"{numbers.quantity(v)}{numbers.SPACE}s"),
        reasons=reasons,
    )


def verdict(report: Report, accepted: Mapping[str, Any] | None = None, noun: str = "picture") -> tuple[str, str]:
    """``(state, sentence)``; state is "passed", "failed", "accepted" or "not_run". Not run never reads as passed."""
    if accepted:
        return "accepted", f"Put in place although checks failed: {accepted.get('why') or 'no reason was given'}"
    files, share = numbers.number(report.metrics.get("files")), numbers.number(report.metrics.get("top1_agreement"))
    count = round(files * share) if files is not None and share is not None else None
    failed = report.failed
    if any("agreement" in check.name for check in failed) and files is not None and count is not None:
        other = f"{files - count:,.0f} of {files:,.0f} held-out {noun}s"
        return "failed", f"Not verified: the deployed model gave another answer than the original on {other}"
    if len(failed) == 1:
        return "failed", f"Not verified: the check \u201c{failed[0].title}\u201d failed"
    if failed:
        return "failed", f"Not verified: {len(failed)} checks failed"
    skipped = any(c.status is Status.not_run and "agreement" in c.name for c in report.checks)
    if skipped or share is None or not report.checks:
        return "not_run", "Not verified: the deployed model was not compared with the original"
    where = f"{100 * share:.1f} % of the"
    if files is not None and count is not None:
        where = f"all {files:,.0f}" if count == files else f"{count:,.0f} of {files:,.0f}"
    return "passed", f"Verified: the deployed model gave the same answer as the original on {where} held-out {noun}s"


def _bars(metrics: Mapping[str, Any], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return figures.bars(metrics, facts.get("threads"))


def _key_figures(metrics: Mapping[str, Any], reasons: Mapping[str, str], noun: str) -> list[dict[str, Any]]:
    get = {key: numbers.number(value) for key, value in metrics.items()}
    files, share, right = get.get("files"), get.get("top1_agreement"), get.get("accuracy_deployed")
    size, time = get.get("size_bytes"), get.get("latency_ms_p50")
    same = ["as the original"]
    if files is not None and share is not None:
        same = [f"as the original: {round(files * share):,} of {files:,.0f}"]
    if get.get("ties"):
        same.append(f"{get['ties']:.0f} of them tied")
    timed = [_beside(time, get.get("latency_ms_p50_original"), numbers.milliseconds, "faster", "slower")]
    return [
        _figure("Same answer", share, numbers.percent, same, reasons["drift"]),
        _figure("Accuracy", right, numbers.percent, _accuracy_notes(metrics), reasons["accuracy"]),
        _figure("Size", size, numbers.size, _size_notes(size, get.get("size_bytes_original")), ""),
        _figure(f"Time a {noun}", time, numbers.milliseconds, [*timed, "median, 1 thread"], reasons["latency"]),
    ]


def _figure(name: str, value: float | None, text: Any, notes: list[str], missing: str) -> dict[str, Any]:
    if value is None:
        return {"name": name, "value": "", "notes": [missing]}
    return {"name": name, "value": text(value), "notes": [note for note in notes if note]}


def _beside(value: float | None, original: float | None, text: Any, less: str, more: str) -> str:
    if value is None or original is None:
        return ""
    return f"original {text(original)}, {numbers.compared(value, original, less=less, more=more)}"


def _size_notes(size: float | None, original: float | None) -> list[str]:
    return [_beside(size, original, numbers.size, "smaller", "larger"), "the model file"]


def _accuracy_notes(metrics: Mapping[str, Any]) -> list[str]:
    before, after = (numbers.number(metrics.get(f"accuracy_{who}")) for who in ("original", "deployed"))
    plot = figures.accuracy(metrics) or {"rows": []}
    notes = [
        f"95 % interval {row['interval']}" for row in plot["rows"] if row["who"] == "deployed" and "interval" in row
    ]
    if before is not None and after is not None:
        notes.insert(0, f"original {numbers.percent(before)}, {numbers.points(after - before)}")
    return notes


def _measured(metrics: Mapping[str, Any], key: str) -> bool:
    return numbers.number(metrics.get(key)) is not None


def _text(metrics: Mapping[str, Any], key: str, text: Any) -> str:
    value = numbers.number(metrics.get(key))
    return "" if value is None else str(text(value))


def _reasons(report: Report) -> dict[str, str]:
    """Why a section may have nothing to show: the words of a check that was not run, or the likely cause."""

    def why(names: Sequence[str], otherwise: str) -> str:
        skipped = (c for c in report.checks if c.status is Status.not_run and any(name in c.name for name in names))
        return next((check.why for check in skipped if check.why), otherwise)

    drift = why(("agreement", "drift"), _NO_DRIFTS)
    compared = _measured(report.metrics, "top1_agreement")
    return {
        "drift": drift,
        "accuracy": why(("accuracy",), _NO_LABELS if compared else drift),
        "latency": why(("latency", "timing"), _NO_TIMING),
    }


def _changed(
    rows: Sequence[FileResult], pictures: Mapping[str, bytes], *, as_text: bool = False
) -> list[dict[str, Any]]:
    def drift(row: FileResult) -> float:
        amount = numbers.number(row.drift)
        return float("inf") if amount is None else amount  # what is not a number is the worst of all

    def probability(value: float) -> str:
        return "not a number" if numbers.number(value) is None else f"{float(value):.2f}"

    return [
        {
            "file": row.file,
            "picture": "" if as_text else _data_uri(pictures.get(row.file)),
            "text": _said(pictures.get(row.file)) if as_text else "",
            "label": row.label,
            "drift": "not a number" if numbers.number(row.drift) is None else numbers.quantity(float(row.drift)),
            "answers": [
                {
                    "who": who,
                    "label": label,
                    "p": probability(p),
                    "right": None if row.label is None else label == row.label,
                }
                for who, label, p in (
                    ("original", row.original, row.original_probability),
                    ("deployed", row.deployed, row.deployed_probability),
                )
            ],
        }
        for row in sorted(rows, key=drift, reverse=True)[:PICTURES_MAX]
    ]


def _said(content: bytes | None) -> str:
    """A row, a line a value, or a text, cut to what fits beside the answers."""
    text = (content or b"").decode("utf-8", "replace").strip()
    with contextlib.suppress(ValueError):
        row = json.loads(text)
        if isinstance(row, dict):
            text = "\n".join(f"{name}: {'missing' if value is None else value}" for name, value in row.items())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _data_uri(picture: bytes | None) -> str:
    kind = _KINDS.get(bytes(picture[:3])) if picture else None
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}" if picture and kind else ""


def _hashes(files: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(path, str(of.get("sha256", "") if isinstance(of, Mapping) else of)) for path, of in sorted(files.items())]


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only a report needs it

    loader = FileSystemLoader(TEMPLATES)
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.j2")
