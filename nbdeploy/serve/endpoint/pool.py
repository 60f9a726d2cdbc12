"""The threads that decode and run, and the end of patience: what does not fit in the queue is told to come again."""

from __future__ import annotations

import asyncio
import math
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, TypeVar

from .model import Model
from .refusal import busy

T = TypeVar("T")


class State(StrEnum):
    """Of the endpoint."""

    loading = "loading"
    ready = "ready"
    draining = "draining"


class Pool:
    """`threads` workers, each with a classifier to itself while it works, and room for `waiting` requests more."""

    def __init__(self, model: Model, *, threads: int, waiting: int) -> None:
        self.model, self.threads, self.waiting = model, threads, waiting
        self.state = State.loading
        self.pending = 0
        """Requests that wait or are worked on."""
        self._seconds = 0.05  # of one request, a running mean
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers = ThreadPoolExecutor(threads, "predict")

    def load(self) -> int:
        """Load the model and ask it about the bundle's samples; gives how many. Raises Unusable."""
        classifiers = self.model.load(self.threads)
        asked = self.model.test(classifiers[0])
        for classifier in classifiers:
            self._free.put(classifier)
        self.state = State.ready
        return asked

    @property
    def queued(self) -> int:
        """Requests that wait for a worker."""
        return max(0, self.pending - self.threads)

    async def run(self, work: Callable[[Any], T]) -> T:
        """`work` on a classifier, in a worker thread. Raises Refused where too many wait already."""
        if self.state is State.loading:
            raise busy("not_ready", "The model is being loaded.")
        if self.pending >= self.threads + self.waiting:
            seconds = math.ceil(self._seconds * self.pending / self.threads)
            raise busy("busy", f"{self.queued} requests are waiting already.", seconds=max(1, seconds))
        self.pending += 1
        future = asyncio.get_running_loop().run_in_executor(self._workers, self._work, work)
        future.add_done_callback(self._done)
        return await future

    def _done(self, future: asyncio.Future[Any]) -> None:
        self.pending -= 1
        if not future.cancelled():
            future.exception()  # a request that was given up asks for it no more

    def _work(self, work: Callable[[Any], T]) -> T:
        start, classifier = time.perf_counter(), self._free.get()
        try:
            return work(classifier)
        finally:
            self._free.put(classifier)
            self._seconds += 0.1 * (time.perf_counter() - start - self._seconds)
