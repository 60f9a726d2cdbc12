"""Measure many files on a Ray cluster: the same Facts as on this machine, from wherever there are cores.

The cluster is the one that this process is connected to, else the one that RAY_ADDRESS names, else one started here
for the time being. Every machine of it has to see the files under the same paths. Ray asks again where a worker dies.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nbdeploy.data.facts import Facts, Measure, facts_of
from nbdeploy.errors import DataError

# Said before Ray is loaded: it reports its use to its makers otherwise.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "30")
if not os.environ.get("RAY_ADDRESS"):  # without it Ray takes 127.0.0.1 for the address that others see it by
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

import ray

_BATCH = 64  # files of one task: some 100 ms of work, so that asking costs little of it
_AHEAD = 4  # tasks a core that are asked for before the first is waited for
_RETRIES = 3
_STARTS = 4  # one of its processes has to answer within 15 s, which a busy machine manages when its files are warm
_GONE = "no such file"


@contextmanager
def engine() -> Iterator[Measure]:
    """What measures files inside the block; a Ray that was not running is ended with it. Raises DataError for none."""
    started = not ray.is_initialized()
    if started:
        _start()
    try:
        yield measure
    finally:
        if started:
            ray.shutdown()


def _start() -> None:
    # A Ray of our own is nobody else's: it listens to this machine only.
    own = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    options: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else own
    where = os.environ.get("RAY_ADDRESS")
    for last in (False,) * (0 if where else _STARTS - 1) + (True,):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Ray about its own future
                ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
        except Exception as error:  # Ray raises bare Exceptions too
            ray.shutdown()
            if not last:
                continue
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(
                f"Ray could not be {f'reached at RAY_ADDRESS={where}' if where else 'started'}: {why}",
                hint='Leave engine="ray" out to measure the files on this machine.',
            ) from error
        return


def measure(paths: Sequence[Path]) -> Iterator[Facts]:
    """The Facts of every path, in order. Closing the iterator, as Ctrl-C does, drops what has not begun.

    Raises DataError where a machine of the cluster does not see a file that is seen here.
    """
    # The workers get the folders of modules that are seen here, so that a package that is not installed is found too.
    places = [os.path.abspath(place) for place in sys.path]
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_measured)
    cores = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]
    most = max(1, int(cores)) * _AHEAD
    waiting: deque[tuple[Sequence[Path], Any]] = deque()
    try:
        for start in range(0, len(paths), _BATCH):
            some = paths[start : start + _BATCH]
            waiting.append((some, task.remote(places, list(map(os.fsencode, some)))))
            if len(waiting) >= most:
                yield from _answer(*waiting.popleft(), task, places)
        while waiting:
            yield from _answer(*waiting.popleft(), task, places)
    finally:
        for _, asked in waiting:
            with suppress(Exception):  # what is being ended anyway
                ray.cancel(asked)


def _answer(some: Sequence[Path], asked: Any, task: Any, places: list[str]) -> Iterator[Facts]:
    try:
        found = ray.get(asked)
    except ray.exceptions.WorkerCrashedError as error:
        if len(some) == 1:
            why = f"reading it ended the process that read it ({type(error).__name__})"
            yield Facts("", ("unreadable", why))
            return
        for path in some:  # one by one, which finds the culprit
            yield from _answer([path], task.remote(places, [os.fsencode(path)]), task, places)
        return
    for path, values in zip(some, found, strict=True):
        facts = Facts(**values)
        if facts.refused[1] == _GONE and path.exists():
            raise DataError(
                f"A machine of the Ray cluster does not see {path}.",
                hint='Put the pictures where every machine sees them under this path, or leave engine="ray" out.',
            )
        yield facts


def _measured(places: list[str], paths: list[bytes]) -> list[dict[str, Any]]:
    """What a task does: the Facts of some files as plain data."""
    sys.path.extend(place for place in places if place not in sys.path)
    warnings.simplefilter("ignore")
    every = [facts_of(Path(os.fsdecode(path))) for path in paths]
    return [{name: getattr(facts, name) for name in Facts.__slots__} for facts in every]
