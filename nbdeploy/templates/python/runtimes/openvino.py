"""Run an .xml model (weights in the .bin beside it) with OpenVINO."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

# OpenVINO reports usage to its makers by a package of its own; without that it takes a stand-in that does nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino  # noqa: E402 - only after that

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


_KEPT = "_core_of_this_process"


def _core() -> openvino.Core:
    """The one of this process, kept. Its CPU plugin gives the thread that makes it a signal stack, and takes that away
    when it goes. Of two that go in the order they came, the second puts back the freed stack of the first, and the next
    signal that Python handles ends the process.
    """
    kept = vars(openvino)
    if _KEPT not in kept:
        kept[_KEPT] = openvino.Core()
    return kept[_KEPT]


def load(path: str, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 [1, H, W, C] to float32 [classes]; `threads` 0 means one a CPU."""
    settings = {
        "INFERENCE_NUM_THREADS": threads or os.cpu_count() or 1,
        "NUM_STREAMS": 1,
        # On processors with bfloat16 arithmetic it would be used unasked, and the answers would move.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = _core().compile_model(path, "CPU", settings).create_infer_request()

    def run(pixels: np.ndarray) -> np.ndarray:
        return request.infer([pixels])[0][0].copy()  # type: ignore[no-any-return]

    return run
