"""Run the patch model with numpy."""

from __future__ import annotations

import numpy as np


def load(path, _threads):
    """A function from uint8 [1, H, W, 3] to float32 [classes]; there are no threads to set."""
    arrays = np.load(path)
    weight, bias = arrays["weight"].astype(np.float32), arrays["bias"]

    def run(pixels):
        height, width = pixels.shape[1] // 4, pixels.shape[2] // 4
        patches = pixels[0].astype(np.float32).reshape(4, height, 4, width, 3).mean(axis=(1, 3)) / 255
        outputs = weight @ patches.transpose(2, 0, 1).reshape(-1) + bias
        powers = np.exp(outputs - outputs.max())
        return (powers / powers.sum()).astype(np.float32)

    return run
