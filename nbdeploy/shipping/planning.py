"""The Plan of a provider before there is a bundle: made of a draft, whose sizes are estimates."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from nbdeploy import registry
from nbdeploy.core.bundle import MANIFEST, Bundle, sealed
from nbdeploy.core.files import write_json
from nbdeploy.errors import NbdeployError
from nbdeploy.providers.base import Plan, Provider
from nbdeploy.providers.endpoint import name_for, name_from
from nbdeploy.providers.plan_look import price_of
from nbdeploy.shipping.model import About
from nbdeploy.shipping.wanted import Wanted

_SAMPLES = 16
_LATER = (
    "This provider's plan is made of the finished bundle: deploy to the target cloud first, then type "
    "nd.deploy(bundle, provider=..., dry_run=True)."
)


def plan(model: About, wanted: Wanted) -> dict[str, Any]:
    """What the provider would make, and what stands in its way, as plain data; nothing is done.

    Keys: ``steps files commands price notes checks`` (rows: status, why) and ``problem``, why there is no plan yet.
    """
    empty = {"steps": [], "files": {}, "commands": [], "price": "", "notes": [], "checks": [], "problem": ""}
    try:
        settings = {key: value for key, value in wanted.settings.items() if value != ""}
        place: Provider = registry.providers.load(wanted.provider)(**settings)
        name = name_for(wanted.endpoint.strip()) if wanted.endpoint.strip() else name_from(wanted.name or model.name)
        checks = [{"status": check.status.value, "why": check.why} for check in place.check()]
        made = _plan(place, model, wanted, name)
    except NbdeployError as error:
        return {**empty, "problem": f"{error.message} {error.hint}".strip()}
    except Exception:  # noqa: BLE001 - a provider that looks into files that a draft has not got
        return {**empty, "problem": _LATER}
    return {
        "steps": list(made.steps),
        "files": dict(made.files),
        "commands": list(made.commands),
        "price": price_of(made),
        "notes": list(made.notes),
        "checks": checks,
        "problem": "",
    }


def _plan(place: Provider, model: About, wanted: Wanted, name: str) -> Plan:
    there = wanted.place(model.name)
    if (there / MANIFEST).is_file():
        return place.plan(Bundle.open(there), name)
    with tempfile.TemporaryDirectory(prefix="nbdeploy-") as folder:
        return place.plan(_draft(Path(folder), model, wanted), name)


def _draft(folder: Path, model: About, wanted: Wanted) -> Bundle:
    """What a bundle says of itself, without the bundle."""
    files = [
        {"path": "model.onnx", "sha256": "0" * 64, "bytes": model.parameters * 4},
        {"path": "app/server/__main__.py", "sha256": "0" * 64, "bytes": 0},
    ]
    manifest = sealed(
        {
            "format": 1,
            "name": wanted.name or model.name,
            "version": "1.0.0",
            "target": wanted.lowered_to,
            "recipe": {"name": wanted.recipe},
            "model": "model.onnx",
            "files": files,
            "samples": [f"samples/{number:02d}.jpg" for number in range(1, min(_SAMPLES, model.held_out) + 1)],
            "tools": {},
            "signature": {},
        }
    )
    write_json(folder / MANIFEST, manifest)
    return Bundle(folder, manifest)
