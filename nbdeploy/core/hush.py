"""Keep what libraries say to one another away from the reader."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed() -> Iterator[None]:
    """What the libraries warn each other of (older arguments, coming defaults) is not the reader's to mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(fastai|fastcore|timm|torch|torchvision)(\.|$)")
        yield


@contextmanager
def native_hushed() -> Iterator[None]:
    """Native code's remarks on descriptor 2 ("INFO: Created ... delegate") are dropped: a notebook shows them in red.

    What goes wrong in such code is raised as an exception all the same.
    """
    try:
        kept = os.dup(2)
    except OSError:  # started with standard error closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
