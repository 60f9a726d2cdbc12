"""What is measured of a bundle: from its report, from its sample files, and by a short load on this machine."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbdeploy import registry
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.hush import native_hushed
from nbdeploy.core.numbers import milliseconds, number, quantity
from nbdeploy.core.progress import step
from nbdeploy.core.report import Status
from nbdeploy.errors import NbdeployError
from nbdeploy.templates.python.predict import Classifier
from nbdeploy.verification.emulator import ARCH, arm
from nbdeploy.verification.host import inference_times

_ON_ARM = 5
"""Pictures timed on an emulated processor, which takes seconds for each."""
PAGES = frozenset({"web", "tfjs"})
"""Targets whose bundles are pages."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one model. None: not measured."""

    name: str
    version: str
    target: str
    recipe: str
    size_bytes: int
    """Of the model."""
    page_bytes: int | None
    """Of the model and all that runs it, where the bundle is a page."""
    latency_ms: float | None
    """Of the model alone, one thread, on the machine that made the bundle."""
    measured_on: str
    payload_bytes: float | None
    """Of a picture's file, on average over the samples."""
    samples: int
    rps: float | None
    """Requests a second that one machine sustains."""
    rps_how: str
    """How `rps` came about, or why it is not known."""
    answer_ms: float | None
    """Of one picture under that load, reading its file's bytes included."""
    arm_ms: float | None
    """Of the model alone on an ARM64 processor, as `arm_how` says: an emulated one is far slower than any phone."""
    arm_how: str
    arm: str
    """``passed``, ``failed`` or ``not_run``: its answers on an ARM64 processor."""
    arm_why: str
    passing: bool = False
    """Whether the bundle was made only to measure, and is gone again."""

    @property
    def here_ms(self) -> float | None:
        """An answer on this machine: with the decoding of the picture where that is known, else of the model alone."""
        return self.answer_ms if self.answer_ms is not None else self.latency_ms

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def measured(bundle: Bundle, *, rps: float | None = None, seconds: float = 2.0, arch: str | None = None) -> Measured:
    """The figures of `bundle`. With `rps`, which the user knows, no load is run; with `arch` it is timed there too."""
    metrics, files = bundle.report.metrics, _samples(bundle)
    sustained, how, each = (rps, "given by you", None) if rps is not None else _load(bundle, files, seconds)
    arm_ms, arm_how = _arm(bundle) if arch else (None, "")
    held = next((check for check in bundle.report.checks if check.name == ARCH), None)
    page = [file for file in bundle.manifest["files"] if str(file["path"]).startswith("app/web/")]
    return Measured(
        name=bundle.name,
        version=bundle.version,
        target=bundle.target,
        recipe=bundle.recipe,
        size_bytes=bundle.size_bytes,
        page_bytes=bundle.size_bytes + sum(int(file["bytes"]) for file in page) if bundle.target in PAGES else None,
        latency_ms=number(metrics.get("latency_ms_p50")),
        measured_on=str(metrics.get("measured_on", "")).partition(", load")[0],
        payload_bytes=sum(map(len, files)) / len(files) if files else None,
        samples=len(files),
        rps=sustained,
        rps_how=how,
        answer_ms=each,
        arm_ms=arm_ms,
        arm_how=arm_how,
        arm=(held.status if held else Status.not_run).value,
        arm_why=held.why if held else "",
    )


def _arm(bundle: Bundle) -> tuple[float | None, str]:
    """Milliseconds on an ARM64 processor and what that was, or None and why not."""
    from nbdeploy.verification.standing import foreign_code  # noqa: PLC0415 - torch

    there = arm()
    if not there.ready:
        return None, f"needs {', '.join(there.missing)}; type: {there.install}"
    if there.how == "emulated" and not registry.targets.load(bundle.target).on_arm:
        return None, f"the runtime of {bundle.target} is not on the emulated processor"
    if why := foreign_code(bundle):
        return None, why
    files = [bundle.path / str(name) for name in bundle.manifest["samples"]][:_ON_ARM]
    try:
        with step("timing on ARM64") as note:
            times = inference_times(bundle, files, on=there)
            middle = statistics.median(times)
            note(milliseconds(middle))
    except (NbdeployError, statistics.StatisticsError) as error:
        return None, getattr(error, "message", "the bundle has no sample that could be asked about")
    where = "an ARM64 processor" if there.how == "native" else "an emulated ARM64 processor, far slower than a real one"
    return middle, f"median of {len(times)} pictures on {where}"


def _samples(bundle: Bundle) -> list[bytes]:
    """The held-out files in the bundle; not the pictures that nbdeploy made up, which say nothing of real ones."""
    places = [bundle.path / str(name) for name in bundle.manifest["samples"]]
    return [place.read_bytes() for place in places if not place.name.startswith("made-up") and place.is_file()]


def _load(bundle: Bundle, files: Sequence[bytes], seconds: float) -> tuple[float | None, str, float | None]:
    """Requests a second, how or why not, and milliseconds of each."""
    if not files:
        return None, "not measured: the bundle holds no real sample", None
    try:
        target = registry.targets.load(bundle.target)
        if target.reference_only:
            return None, f"not measured: {bundle.target} runs here by a slow reference interpreter", None
        threads = os.cpu_count() or 1
        load = target().load
        with step("measuring what this machine sustains") as note:
            with native_hushed():
                workers = [Classifier(bundle.path, threads=1, load=load) for _ in range(threads)]
            rps = sustained([worker.predict for worker in workers], files, seconds)
            note(f"{quantity(rps)} requests a second")
    except NbdeployError as error:
        return None, f"not measured: {error.message}", None
    except Exception as error:  # noqa: BLE001 - every runtime has errors of its own; the other figures stand
        return None, f"not measured: {type(error).__name__}: {str(error).partition(chr(10))[0]}", None
    how = f"{threads} thread{'s' if threads > 1 else ''} for {seconds:g} s here, pictures decoded, without HTTP"
    return rps, how, threads * 1000 / rps


def sustained(workers: Sequence[Callable[[bytes], Any]], files: Sequence[bytes], seconds: float) -> float:
    """Answers a second of all workers together, each in a thread of its own, going round `files` for `seconds`."""
    stop, begin = threading.Event(), threading.Barrier(len(workers) + 1)

    def work(place: int) -> tuple[int, float]:
        worker, done = workers[place], 0
        worker(files[place % len(files)])  # the first is slower
        begin.wait()
        while True:
            worker(files[(place + done) % len(files)])
            done += 1
            if stop.is_set():
                return done, time.perf_counter()

    with ThreadPoolExecutor(len(workers)) as pool:
        running = [pool.submit(_or_abort(work, begin), place) for place in range(len(workers))]
        try:
            begin.wait()
            start = time.perf_counter()
            stop.wait(seconds)
        except threading.BrokenBarrierError:
            pass  # the worker that failed says why
        finally:
            stop.set()
        ended = [future.result() for future in sorted(running, key=lambda one: one.exception() is None)]
    return sum(done / (end - start) for done, end in ended)


def _or_abort(work: Callable[[int], tuple[int, float]], begin: threading.Barrier) -> Callable[[int], tuple[int, float]]:
    def run(place: int) -> tuple[int, float]:
        try:
            return work(place)
        except threading.BrokenBarrierError:
            return 0, float("inf")
        except BaseException:
            begin.abort()
            raise

    return run


def folder_of_bundle(place: str | Path) -> bool:
    """Whether a bundle lies there."""
    return (Path(place).expanduser() / "manifest.json").is_file()
