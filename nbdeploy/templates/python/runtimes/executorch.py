"""Run a .pte model with ExecuTorch."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch


@contextmanager
def _hushed() -> Iterator[None]:
    """What packages say of one another while they load (older calls, coming errors) is not the reader's to mend."""
    said = logging.getLogger("torch.utils._pytree")
    level = said.level
    said.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        said.setLevel(level)


with _hushed():
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def load(path: str, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 [1, H, W, C] to float32 [classes]; `threads` 0 means one a CPU.

    ExecuTorch has one pool of threads a process: the number holds for every model loaded in it.
    """
    wanted = threads or os.cpu_count() or 1
    if portable_lib._threadpool_get_thread_count() != wanted:  # noqa: SLF001 - the only door to its threads
        portable_lib._unsafe_reset_threadpool(wanted)  # noqa: SLF001 - unsafe while a model runs: none does yet
    method = Runtime.get().load_program(Path(path)).load_method("forward")

    def run(pixels: np.ndarray) -> np.ndarray:
        answer = method.execute([torch.from_numpy(pixels.copy())])[0][0]
        return answer.numpy().copy()  # type: ignore[no-any-return]

    return run
