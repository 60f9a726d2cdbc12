"""A target of somebody else's package: the tiny patch model of the tests as .npz, run by numpy.

The environment variable NUMPY_TARGET_FAULT makes it wrong on purpose: ``weights``, ``swapped``, ``labels``, ``slow``,
``crash`` or ``recipe``.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from nbdeploy.targets.base import Target


class NumpyTarget(Target):
    """``.npz``, run by numpy."""

    name = "numpy"
    summary = "NumPy, run by numpy"
    suffix = ".npz"
    recipes = ("fp32", "fp16")
    requires = ("numpy",)
    tools = ("numpy",)
    runtime = Path(__file__).with_name("nbdeploy_numpy_runtime.py")
    runtime_requirements = ("numpy",)
    platforms = ("Anywhere with numpy: load {model}.",)

    def lower(self, exported, signature, out):
        fault = os.environ.get("NUMPY_TARGET_FAULT", "")
        if fault == "slow":
            Path(os.environ["NUMPY_TARGET_MARK"]).write_text(str(os.getpid()))
            time.sleep(60)
        if fault == "crash":
            print("a converter's noise")
            sys.exit("the patch model is too small")
        state = {name: value.detach().numpy() for name, value in exported.state_dict.items()}
        weight, bias = state["model.2.weight"], state["model.2.bias"]
        if fault == "weights":
            weight = weight * 0
        if fault == "swapped":
            weight = weight.reshape(-1, 3, 16)[:, ::-1].reshape(-1, 48)
        if fault == "labels":
            weight, bias = np.roll(weight, 1, axis=0), np.roll(bias, 1)
        if fault == "nan":
            bias = bias * np.nan
        np.savez(out, weight=weight, bias=bias)

    def shrink(self, base, out, recipe, calibration, signature):
        arrays = np.load(base)
        wrong = 0 if os.environ.get("NUMPY_TARGET_FAULT") == "recipe" else 1
        np.savez(out, weight=(arrays["weight"] * wrong).astype(np.float16), bias=arrays["bias"])
