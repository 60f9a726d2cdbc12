"""Runs made up for tests: as nd.train and nd.deploy leave them."""

from __future__ import annotations

from typing import Any

from nbdeploy.tracking import store
from nbdeploy.tracking.recording import recording


def trained(arch: str, lr: float, accuracies: list[float], **more: Any) -> str:
    """A train run with a point an epoch; gives its id."""
    params = {"arch": arch, "lr": lr, "epochs": len(accuracies), **more}
    call = f'nd.train("digits", arch="{arch}")'
    with recording("train", params=params, name="digits", call=call) as run:
        for step, accuracy in enumerate(accuracies, 1):
            figures = {"train_loss": 2 * (1 - accuracy), "valid_loss": 1.5 * (1 - accuracy), "accuracy": accuracy}
            run.metrics(figures, step=step)
    return run.id


def compressed(origin: str, recipe: str, accuracy: float, size: int) -> str:
    """A compress run of a model that `origin` made."""
    params = {"target": "tflite", "recipe": recipe}
    with recording("compress", params=params, name="digits") as run:
        run.made_from(origin)
        run.metrics({"accuracy": accuracy, "size_bytes": size, "latency_ms": size / 1e6, "agreement": 0.99})
    return run.id


def aged(name: str, began: str) -> None:
    """Let the run have begun then."""
    store.change(name, began=began)
