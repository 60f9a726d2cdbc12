"""nbdeploy: from a folder of pictures to a model that runs in your users' hands, without leaving the notebook.

    import nbdeploy as nd

    images = nd.ImageSet.from_folder("data/digits")
    learn = nd.train(images, arch="resnet18", epochs=5)
    bundle = nd.deploy(learn, target="tflite")
    bundle.predict("photo.jpg")

Importing it imports no torch, no fastai and no IPython: every public name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nbdeploy import errors

if TYPE_CHECKING:
    from nbdeploy.advising.advice import Advice, advise
    from nbdeploy.checkup import doctor
    from nbdeploy.core.bundle import Bundle
    from nbdeploy.core.comparison import compare
    from nbdeploy.core.finding import Edit, Finding
    from nbdeploy.core.prediction import Prediction
    from nbdeploy.core.recipe import RECIPES, Recipe
    from nbdeploy.core.report import Check, Report
    from nbdeploy.core.signature import Signature
    from nbdeploy.data.audit import audit
    from nbdeploy.data.datasets import dataset
    from nbdeploy.data.imageset import ImageSet
    from nbdeploy.data.journal import Journal
    from nbdeploy.data.rowset import Table
    from nbdeploy.data.textset import Texts
    from nbdeploy.exporting.learner import export
    from nbdeploy.exporting.program import Program
    from nbdeploy.flow import deploy, endpoints, runs, verify
    from nbdeploy.jupyter.widgets.cleaner import Cleaner
    from nbdeploy.jupyter.widgets.collector import Collector
    from nbdeploy.jupyter.widgets.ship import Ship
    from nbdeploy.pipeline.project import init
    from nbdeploy.pipeline.running import Pipeline
    from nbdeploy.providers.base import Plan
    from nbdeploy.providers.endpoint import Endpoint
    from nbdeploy.training.images import find_lr, train
    from nbdeploy.training.prebuilt import pretrained
    from nbdeploy.training.rates import RateCurve
    from nbdeploy.training.report import LearnReport, learn_report
    from nbdeploy.tuning.tune import tune

__all__ = [
    "RECIPES",
    "Advice",
    "Bundle",
    "Check",
    "Cleaner",
    "Collector",
    "Edit",
    "Endpoint",
    "Finding",
    "ImageSet",
    "Journal",
    "LearnReport",
    "Pipeline",
    "Plan",
    "Prediction",
    "Program",
    "RateCurve",
    "Recipe",
    "Report",
    "Ship",
    "Signature",
    "Table",
    "Texts",
    "__version__",
    "advise",
    "audit",
    "compare",
    "dataset",
    "deploy",
    "doctor",
    "endpoints",
    "errors",
    "export",
    "find_lr",
    "init",
    "learn_report",
    "pretrained",
    "runs",
    "train",
    "tune",
    "verify",
]

__version__ = "0.1.0"

_HOME = {
    "RECIPES": "nbdeploy.core.recipe",
    "Advice": "nbdeploy.advising.advice",
    "Bundle": "nbdeploy.core.bundle",
    "Check": "nbdeploy.core.report",
    "Cleaner": "nbdeploy.jupyter.widgets.cleaner",
    "Collector": "nbdeploy.jupyter.widgets.collector",
    "Edit": "nbdeploy.core.finding",
    "Endpoint": "nbdeploy.providers.endpoint",
    "Finding": "nbdeploy.core.finding",
    "ImageSet": "nbdeploy.data.imageset",
    "Journal": "nbdeploy.data.journal",
    "LearnReport": "nbdeploy.training.report",
    "Pipeline": "nbdeploy.pipeline.running",
    "Plan": "nbdeploy.providers.base",
    "Prediction": "nbdeploy.core.prediction",
    "Program": "nbdeploy.exporting.program",
    "RateCurve": "nbdeploy.training.rates",
    "Recipe": "nbdeploy.core.recipe",
    "Report": "nbdeploy.core.report",
    "Ship": "nbdeploy.jupyter.widgets.ship",
    "Signature": "nbdeploy.core.signature",
    "Table": "nbdeploy.data.rowset",
    "Texts": "nbdeploy.data.textset",
    "advise": "nbdeploy.advising.advice",
    "audit": "nbdeploy.data.audit",
    "compare": "nbdeploy.core.comparison",
    "dataset": "nbdeploy.data.datasets",
    "deploy": "nbdeploy.flow",
    "doctor": "nbdeploy.checkup",
    "endpoints": "nbdeploy.flow",
    "export": "nbdeploy.exporting.learner",
    "find_lr": "nbdeploy.training.images",
    "init": "nbdeploy.pipeline.project",
    "learn_report": "nbdeploy.training.report",
    "pretrained": "nbdeploy.training.prebuilt",
    "runs": "nbdeploy.flow",
    "train": "nbdeploy.training.images",
    "tune": "nbdeploy.tuning.tune",
    "verify": "nbdeploy.flow",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: Any) -> None:
    """What ``%load_ext nbdeploy`` calls: adds the magics."""
    from nbdeploy.jupyter.loading import load  # noqa: PLC0415 - IPython only inside a notebook

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """What ``%unload_ext nbdeploy`` calls."""
    from nbdeploy.jupyter.loading import unload  # noqa: PLC0415

    unload(ipython)
