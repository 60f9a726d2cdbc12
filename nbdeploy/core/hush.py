"""Keep what libraries say to one another away from the reader."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def hushed() -> Iterator[None]:
    """What the libraries warn each other of (older arguments, coming defaults) is not the reader's to mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(fastai|fastcore|timm|torch|torchvision)(\.|$)")
        yield


@contextmanager
def native_hushed() -> Iterator[None]:
    """Native code's remarks ("INFO: Created ... delegate") and what libraries log while they are imported are dropped,
    on descriptor 2 and on Python's standard error, which a notebook has apart: it shows them in red.

    What goes wrong in such code is raised as an exception all the same.
    """
    level = logging.root.manager.disable
    logging.disable(max(level, logging.WARNING))
    try:
        with redirect_stderr(io.StringIO()), _descriptor_hushed():
            yield
    finally:
        logging.disable(level)


@contextmanager
def _descriptor_hushed() -> Iterator[None]:
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
