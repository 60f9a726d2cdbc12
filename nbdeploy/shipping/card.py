"""The result of a deployment as plain data: figures, checks, pictures that changed answer, and where it lies."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

from nbdeploy.core.bundle import Bundle
from nbdeploy.core.numbers import SPACE, percent, quantity
from nbdeploy.core.report import FileResult, Report
from nbdeploy.core.summary import metric_rows, remarks, verdict
from nbdeploy.shipping.faults import checks_of
from nbdeploy.verification.thumbnails import thumbnail

_PICTURES, _SIDE = 12, 96


def card(bundle: Bundle) -> dict[str, Any]:
    """Keys: ``title sign verdict checks_said figures small checks changed more_changed path report usage files
    accepted``.
    """
    report, (sign, word) = bundle.report, bundle.verdict()
    exif = bundle.signature.exif
    return {
        "title": f"{bundle.name} {bundle.version} for {bundle.target}, {bundle.recipe}",
        "sign": sign,
        "verdict": word,
        "checks_said": verdict(report),
        "figures": _figures(report),
        "small": remarks(report.metrics),
        "checks": checks_of(report),
        "compared": report.compared or bool(report.metrics.get("files")),
        "held_out": int(report.metrics.get("files") or 0),
        "changed": [_changed(row, exif=exif) for row in report.changed[:_PICTURES]],
        "more_changed": max(0, len(report.changed) - _PICTURES),
        "path": str(bundle.path),
        "report": str(bundle.path / "report.html"),
        "usage": bundle.usage()[1:],
    }


def _figures(report: Report) -> list[list[str]]:
    metrics = report.metrics
    rows = [list(row) for row in metric_rows(metrics)]
    extra = []
    if (share := metrics.get("top1_agreement")) is not None:
        extra.append(["same answer", percent(float(share)), "", f"on {metrics.get('files', '?')} held-out files"])
    if (drift := metrics.get("max_abs_diff")) is not None and math.isfinite(float(drift)):
        extra.append(["largest drift", quantity(float(drift)), "", "of a probability, from 0 to 1"])
    rows[1:1] = extra
    return [[text.replace(SPACE, " ") for text in row] for row in rows]


def _changed(row: FileResult, *, exif: bool) -> dict[str, Any]:
    picture = base64.b64encode(thumbnail(row.file, _SIDE, exif=exif)).decode()
    return {
        "file": Path(row.file).name,
        "picture": f"data:image/jpeg;base64,{picture}",
        "truth": row.label or "not known",
        "original": row.original,
        "original_share": _share(row.original_probability),
        "deployed": row.deployed,
        "deployed_share": _share(row.deployed_probability),
    }


def _share(value: float) -> str:
    number = float(value)
    return f"{100 * number:.0f} %" if math.isfinite(number) else "not a number"
