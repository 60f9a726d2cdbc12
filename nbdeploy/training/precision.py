"""The arithmetic of a training. Weights stay float32 whatever it is, so that what is exported is not changed by it."""

from __future__ import annotations

from typing import Any

import torch
from fastai.callback.fp16 import AMPMode, MixedPrecision

from nbdeploy.errors import UsageError
from nbdeploy.training.course import PRECISIONS

_BF16_FROM = 8
"""Compute capability of the first NVIDIA GPUs that have bfloat16 in hardware (Ampere)."""


def chosen(precision: str) -> str:
    """The one of fp32, fp16 and bf16 that is meant. Raises UsageError for what there is not, or not here.

    "auto" is bf16 on an NVIDIA GPU that has it, fp16 on an older one, and fp32 elsewhere: on processors autocast is
    slower than fp32 unless they have instructions for it.
    """
    if precision not in PRECISIONS:
        raise UsageError(f'precision is "{precision}".', hint=f"It is one of {', '.join(PRECISIONS)}.")
    gpu = torch.cuda.is_available()
    if precision == "auto":
        if not gpu:
            return "fp32"
        return "bf16" if torch.cuda.get_device_capability()[0] >= _BF16_FROM else "fp16"
    if precision != "fp32" and not gpu:
        raise UsageError(
            f"precision={precision} needs an NVIDIA GPU, and none is here.",
            hint='Type precision="auto", or leave it out.',
        )
    return precision


def mixed(precision: str) -> list[Any]:
    """The callbacks that train with it. They are attached for the time of a fit, as all that nbdeploy adds."""
    return [] if precision == "fp32" else [MixedPrecision(amp_mode=AMPMode(precision))]
