"""Latency and memory, side by side with the original PyTorch model: two live processes that take turns."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from nbdeploy.core import working

_ROUNDS = 10
_WARM_UP = 5
_MOST_S = 60.0  # for one setting of one model; a slower model is run less often, and the report says how often


def measure(bundle: Path, program: Path, pixels: Path, *, runs: int = 200, all_threads: bool = True) -> dict[str, Any]:
    """Metrics ``latency_ms_p50 latency_ms_p90`` (one thread), the same with ``_all`` (a thread a CPU), with
    ``_original`` for the PyTorch model, ``peak_memory_mb`` of a process that loads and runs it, ``latency_runs``, and
    ``measured_on``.

    Without `all_threads` one thread only. `program` is a .pt2 file, `pixels` a .npy of uint8 ``[1, H, W, C]``. The two
    take turns in rounds, so that a busy machine slows both alike. Only the model is timed, not the decoding of a file.
    """
    metrics: dict[str, Any] = {"measured_on": _machine()}
    for threads, suffix in ((1, ""), (0, "_all"))[: 1 + all_threads]:
        workers = {
            "": _Worker("bundle", bundle, pixels, threads),
            "_original": _Worker("program", program, pixels, threads),
        }
        try:
            slowest = max(worker.run(_WARM_UP)[-1] for worker in workers.values())
            count = max(_ROUNDS, min(runs, int(_MOST_S * 1000 / slowest)))
            times: dict[str, list[float]] = {which: [] for which in workers}
            what = "rounds with a thread a CPU" if suffix else "rounds with one thread"
            for round_ in working.counted(range(_ROUNDS), what, total=_ROUNDS, unit="round"):
                share = count * (round_ + 1) // _ROUNDS - count * round_ // _ROUNDS
                for which, worker in workers.items():
                    times[which] += worker.run(share)
            for which, values in times.items():
                metrics[f"latency_ms_p50{which}{suffix}"] = round(statistics.median(values), 4)
                metrics[f"latency_ms_p90{which}{suffix}"] = round(float(np.quantile(values, 0.9)), 4)
                if threads == 1:
                    metrics[f"peak_memory_mb{which}"] = round(workers[which].peak_mb(), 1)
            metrics["latency_runs"] = count
        finally:
            for worker in workers.values():
                worker.close()
    return metrics


def _machine() -> str:
    """What the times were measured on, and how busy it was before: the reader of a ratio wants to know."""
    cpus = os.cpu_count() or 1
    load = f", load {os.getloadavg()[0]:.1f} beforehand" if hasattr(os, "getloadavg") else ""
    return f"{platform.system()} {platform.machine()}, {cpus} CPU{'s' if cpus > 1 else ''}{load}"


class _Worker:
    """A process that holds one model and runs it on demand."""

    def __init__(self, kind: str, model: Path, pixels: Path, threads: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "nbdeploy.verification.measure", kind, str(model), str(pixels), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
        )

    def _ask(self, line: str) -> Any:
        source, sink = self._process.stdin, self._process.stdout
        if source is None or sink is None:
            raise RuntimeError("the pipes of the measuring process are closed")
        with working.child(self._process):
            source.write(line + "\n")
            source.flush()
            answer = sink.readline()
            if not answer:
                raise RuntimeError(f"the measuring process ended with status {self._process.wait()}")
        return json.loads(answer)

    def run(self, times: int) -> list[float]:
        """Milliseconds of each of `times` runs."""
        return list(self._ask(str(times)))

    def peak_mb(self) -> float:
        """Largest resident memory so far, in MB (10**6 bytes)."""
        return float(self._ask("peak"))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _load(kind: str, model: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    if kind == "bundle":
        from nbdeploy import registry  # noqa: PLC0415
        from nbdeploy.core.bundle import Bundle  # noqa: PLC0415

        bundle = Bundle.open(model)
        run: Callable[[np.ndarray], np.ndarray] = registry.targets.load(bundle.target)().load(
            str(bundle.model), threads
        )
        return run
    import torch  # noqa: PLC0415

    from nbdeploy.exporting.program import load_exported  # noqa: PLC0415

    torch.set_num_threads(threads or os.cpu_count() or 1)
    module = load_exported(model.read_bytes(), where=model).module()

    def original(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            answer: np.ndarray = module(torch.from_numpy(pixels)).numpy()
        return answer

    return original


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # Linux; its getrusage counts what the parent held at the fork too
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def _serve(run: Callable[[np.ndarray], np.ndarray], picture: np.ndarray, lines: IO[str], out: IO[str]) -> None:
    for line in lines:
        if line.strip() == "peak":
            answer: Any = _peak_mb()
        else:
            answer = []
            for _ in range(int(line)):
                start = time.perf_counter()
                run(picture)
                answer.append((time.perf_counter() - start) * 1000)
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    _serve(
        _load(sys.argv[1], Path(sys.argv[2]), int(sys.argv[4])),
        np.load(sys.argv[3], allow_pickle=False),
        sys.stdin,
        sys.stdout,
    )
