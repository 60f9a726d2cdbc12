"""Run a .pt2 model (torch.export) with PyTorch."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


class Refused(ValueError):
    """The file holds a pickle, which could run code."""


def load(path: str, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 [1, H, W, C] to float32 [classes]; `threads` 0 leaves the number that this process has.

    PyTorch has one number of threads a process (by itself one a core), and what else runs in it, a training perhaps,
    would compute other sums with another. Any other `threads` is set for the whole process.

    Raises Refused for a file that holds a pickle: loading it could run code.
    """
    data = Path(path).read_bytes()
    refuse_pickles(data)
    if threads:
        torch.set_num_threads(threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.export.load(io.BytesIO(data)).module()

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(pixels.copy()))[0].numpy()  # type: ignore[no-any-return]

    return run


def refuse_pickles(data: bytes) -> None:
    """Raise Refused for a .pt2 with any pickle in it but plain tensors.

    torch.export.load falls back to a full unpickling of constants and example inputs, so a file from a stranger could
    run code there.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.endswith("_config.json") and '"use_pickle": true' in json.dumps(json.loads(archive.read(name))):
                raise Refused(f"{name} asks for pickle")
            if "/constants/" in name and ("custom_obj" in name or "opaque" in name):
                raise Refused(f"{name} is a pickled object")
            if "/sample_inputs/" in name:
                torch.load(io.BytesIO(archive.read(name)), weights_only=True)
