"""What each verb of a terminal does: one call of the Python API, and what to say about it; a file a group of verbs."""

from __future__ import annotations

from collections.abc import Callable

from nbdeploy.parsing import Line
from nbdeploy.verbs import advice, bundles, data, listed, models, pipelines
from nbdeploy.verbs.done import Done

DO: dict[str, Callable[[Line], Done]] = {
    "dataset": data.dataset,
    "audit": data.audit,
    "train": models.train,
    "pretrained": models.pretrained,
    "tune": models.tune,
    "deploy": bundles.deploy,
    "run": pipelines.run,
    "init": pipelines.init,
    "verify": bundles.verify,
    "predict": bundles.predict,
    "serve": bundles.serve,
    "endpoints": listed.endpoints,
    "advise": advice.advise,
    "runs": listed.runs,
    "doctor": advice.doctor,
    "demo": advice.demo,
}
"""A verb's name -> what does it."""
