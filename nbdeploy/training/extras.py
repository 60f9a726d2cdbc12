"""Who a training can be logged to: packages that only some people have."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from typing import Any

from nbdeploy.errors import MissingExtra, UnknownName

EXTRAS = {"mlflow": "MLflow", "tensorboard": "TensorBoard"}
"""What ``log=`` names; the package and the extra are called the same."""


def check_log(log: Any) -> None:
    """Raise UnknownName or MissingExtra before minutes of work, without importing anything."""
    for name in log.split(",") if isinstance(log, str) else ():
        if name.strip() not in EXTRAS:
            raise UnknownName("logger", name.strip(), EXTRAS)
        if find_spec(name.strip()) is None:
            raise MissingExtra(f"Logging to {EXTRAS[name.strip()]}", name.strip(), name.strip())


def mlflow() -> Any:
    """MLflow, told before it is imported to phone nobody. Raises MissingExtra."""
    check_log("mlflow")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    return importlib.import_module("mlflow")
