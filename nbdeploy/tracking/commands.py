"""The line for a terminal that does a run again, where a terminal can."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbdeploy.tracking.run import Run

_TRAIN = {
    "label": None,
    "text": None,
    "arch": "resnet18",
    "epochs": None,
    "size": None,
    "lr": None,
    "batch_size": None,
    "pretrained": True,
    "flip": True,
    "class_weights": False,
    "keep": "last",
    "precision": "auto",
    "seed": 42,
}
_DEPLOY = {
    "target": None,
    "recipe": "fp32",
    "out": None,
    "name": None,
    "version": "1.0.0",
    "samples": 16,
    "overwrite": False,
    "seed": 42,
    "verify_files": None,
    "calibration_files": None,
    "latency_runs": 200,
    "provider": None,
    "endpoint": None,
}
"""What the verb has an option for -> what it is without."""
_FLAGS = {
    "pretrained": "--from-scratch",
    "flip": "--no-flip",
    "overwrite": "--overwrite",
    "class_weights": "--class-weights",
}
_ONLY_PYTHON = {"augment": True, "freeze_epochs": 1, "workers": None}


def terminal(run: Run) -> str:
    """``nbdeploy train ...``; "" for what a terminal cannot do."""
    if run.kind == "train" and run.data.get("source") and not _needs_python(run.params):
        words = ["nbdeploy", "train", str(run.data["source"]), "-o", f"build/{run.name or 'model'}-{run.id}"]
        share = run.data.get("held_out")
        split = ["--valid", f"{share:g}"] if share not in {None, 0.2} and run.data.get("seed") is not None else []
        return shlex.join([*words, *_options(run.params, _TRAIN), *split])
    if run.kind in {"deploy", "compress"} and run.params.get("target", run.params.get("provider")):
        model = f"build/{run.origin}" if run.origin else "MODEL"
        return shlex.join(["nbdeploy", "deploy", model, *_options(run.params, _DEPLOY)])
    return ""


def _needs_python(params: Mapping[str, Any]) -> bool:
    return any(params.get(name, usual) != usual for name, usual in _ONLY_PYTHON.items())


def _options(values: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, usual in known.items():
        value = values.get(name, usual)
        if value == usual or value is None:
            continue
        option = _FLAGS.get(name, f"--{name.replace('_', '-')}")
        words += [option] if name in _FLAGS else [option, str(value)]
    return words
