"""Run an .onnx model with onnxruntime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# onnxruntime reports usage to its makers unless told not to before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

SHARED = True
"""One loaded model may answer several threads at once."""


def load(path: str, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 [1, H, W, C] to float32 [classes]; `threads` 0 means one a CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0].name

    def run(pixels: np.ndarray) -> np.ndarray:
        return session.run(None, {source: pixels})[0][0]  # type: ignore[no-any-return]

    return run
