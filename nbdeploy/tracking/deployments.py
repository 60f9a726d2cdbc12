"""Each call of deploy() as a run: of kind "compress" where its recipe shrinks the model, else "deploy".

With a provider the bundle is a run of its own, inside that of the deployment.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.core.files import sha256_of
from nbdeploy.core.recipe import recipe_named
from nbdeploy.core.report import Report
from nbdeploy.errors import UnknownName, VerificationFailed
from nbdeploy.tracking.asked import bound, call_of, name_of, parameters
from nbdeploy.tracking.lineage import run_of
from nbdeploy.tracking.recording import Recorded, recording, unrecorded

P = ParamSpec("P")
R = TypeVar("R")

_FIGURES = {
    "accuracy_deployed": "accuracy",
    "accuracy_original": "accuracy_original",
    "top1_agreement": "agreement",
    "max_abs_diff": "max_drift",
    "size_bytes": "size_bytes",
    "latency_ms_p50": "latency_ms",
    "files": "files",
}
"""A report's figure -> the name of the metric."""


def recorded(deploy: Callable[P, R]) -> Callable[P, R]:
    """`deploy` with a run for each call; a ``dry_run`` is none."""

    @functools.wraps(deploy)
    def run(*values: P.args, **keywords: P.kwargs) -> R:
        asked = bound(deploy, values, keywords)
        if asked["dry_run"]:
            with unrecorded():
                return deploy(*values, **keywords)
        with recording(
            _kind(asked),
            params=parameters(asked, leave={"model", "images", "settings", "accept_failed"}),
            images=asked["images"],
            name=asked["name"] or name_of(asked["model"]),
            call=call_of("nd.deploy", deploy, asked),
        ) as run:
            run.made_from(run_of(asked["model"]))
            try:
                made = deploy(*values, **keywords)
            except VerificationFailed as error:
                _note(run, error.report, error.kept)
                raise
            if isinstance(made, Bundle):
                run.named(made.name)
                _note(run, made.report, made.path)
                if made.report.failed:
                    run.result(accepted=asked["accept_failed"])
            else:  # an Endpoint
                run.result(endpoint=getattr(made, "name", ""), url=getattr(made, "url", ""))
        return made

    return run


def _kind(asked: dict[str, Any]) -> str:
    try:
        shrinks = recipe_named(asked["recipe"]).name != "fp32"
    except UnknownName:
        shrinks = False
    return "compress" if shrinks and asked["provider"] is None else "deploy"


def _note(run: Recorded, report: Report | None, place: Path | None) -> None:
    if report is not None:
        run.metrics({name: report.metrics[key] for key, name in _FIGURES.items() if key in report.metrics})
        run.result(checks_failed=[check.title for check in report.failed])
    manifest = Path(place or "") / MANIFEST
    if place is not None and manifest.is_file():
        run.result(path=str(place), sha256=sha256_of(manifest))
