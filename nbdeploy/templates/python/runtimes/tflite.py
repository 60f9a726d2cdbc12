"""Run a .tflite model with LiteRT (package ai-edge-litert)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ai_edge_litert.interpreter import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def load(path: str, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 [1, H, W, C] to float32 [classes]; `threads` 0 means one a CPU."""
    interpreter = Interpreter(model_path=path, num_threads=threads or os.cpu_count() or 1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]

    def run(pixels: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source, pixels)
        interpreter.invoke()
        return interpreter.get_tensor(answer)[0]  # type: ignore[no-any-return]

    return run
