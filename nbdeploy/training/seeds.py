"""Random numbers from a seed, for the time of a training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers from `seed` inside the block; the caller's own go on afterwards as if nothing had been drawn."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from fastai.torch_core import set_seed  # noqa: PLC0415

    plain, numeric = random.getstate(), np.random.get_state()  # noqa: NPY002 - fastai draws from the global one
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            set_seed(seed)
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(numeric)  # noqa: NPY002
