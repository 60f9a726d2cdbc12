"""Bundles with reports of any figures, and without a model that runs: for what only shows reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbdeploy as nd
from nbdeploy.core.bundle import sealed
from nbdeploy.core.files import sha256_of

PASSED = {"name": "top1_agreement", "status": "passed", "value": 1.0, "limit": 0.995, "why": ""}
METRICS = {
    "files": 120,
    "accuracy_original": 0.95,
    "accuracy_deployed": 0.95,
    "top1_agreement": 1.0,
    "max_abs_diff": 2e-6,
    "size_bytes_original": 4000,
    "latency_ms_p50": 2.0,
    "latency_ms_p50_original": 8.0,
    "latency_runs": 20,
    "measured_on": "Linux x86_64, 2 CPUs, load 1.0 beforehand",
}


def bundle_at(
    place: Path, *, target: str = "onnx", recipe: str = "fp32", size: int = 1000, checks: Any = (), **more: Any
) -> nd.Bundle:
    """`metrics` replaces some of METRICS, those of None are left out; the rest of `more` goes into the manifest."""
    place.mkdir(parents=True)
    (place / "model.bin").write_bytes(bytes(size))
    changed = {key: value for key, value in {**METRICS, **more.pop("metrics", {})}.items() if value is not None}
    report = {"checks": [PASSED, *checks], "metrics": changed}
    (place / "report.json").write_text(json.dumps(report), encoding="utf-8")
    files = [
        {"path": file, "sha256": sha256_of(place / file), "bytes": (place / file).stat().st_size}
        for file in ("model.bin", "report.json")
    ]
    signature = nd.Signature(width=8, height=8, channels=3, labels=("a", "b"), steps=()).to_dict()
    manifest = {
        "format": 1,
        "name": "digits",
        "version": "1.0.0",
        "target": target,
        "recipe": {"name": recipe},
        "model": "model.bin",
        "signature": signature,
        "files": files,
        "samples": [],
        "tools": {"onnxruntime": "9.9"},
        **more,
    }
    (place / "manifest.json").write_text(json.dumps(sealed(manifest)), encoding="utf-8")
    return nd.Bundle.load(place)
