"""The endpoint beside the in-process floor, and beside LitServe, FastAPI and BentoML serving the same model.

One bundle (MobileNetV2 at 224 px, onnxruntime, one thread a request), one JPEG of 640 x 480 and 57 KB, the bundle's own
host code everywhere; each engine in an environment of its own, with a worker a processor where it has workers. All take
turns, so that what else the machine does meets all of them. CPU-ms are of the server's whole tree of processes; the
clients are another process, which is not counted. The weights are random: they do not change the cost.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Self

from benchmarks import environments
from benchmarks.serving.engines import HERE, Engine, Load, Started, Upload, clean, load, memory, running
from benchmarks.serving.made import bundle_in, uploads

GOAL = 0.90
SHARED = ("numpy", "onnxruntime", "pillow")
PEERS = {
    "LitServe": ("litserve==0.2.19", "python-multipart==0.0.34"),
    "FastAPI": ("fastapi==0.165.0", "uvicorn[standard]==0.54.0", "python-multipart==0.0.34"),
    "BentoML": ("bentoml==1.4.40",),
}
OURS, FORM, FLOOR = "nbdeploy", "nbdeploy, as a form", "floor (no server)"


@dataclass
class Row:
    """One engine at one number of clients, a load a round."""

    loads: list[Load] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """Floor by engine, each in the same round."""


def run(*, quick: bool) -> None:
    """Print the tables."""
    from nbdeploy.serve.endpoint.settings import processors

    warnings.simplefilter("ignore")
    levels, rounds, requests = ((1, 8), 1, 24) if quick else ((1, 8, 32), 3, 128)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work, cores = Path(folder), processors()
        bundle, (plain, form) = bundle_in(work), uploads(work)
        field = Field(form, work)
        python, environment = _own(bundle)
        field.enter(_ours(python, bundle))
        for peer in PEERS:
            field.enter_peer(peer, bundle, cores, quick=quick)
        for _ in range(0 if quick else 2):
            field.start_once()
        field.start(stack)
        floor = stack.enter_context(_Floor(python, bundle, plain.file))
        asked = {one: (server, form) for one, server in field.started.items()}
        if OURS in asked:
            asked = {OURS: (field.started[OURS], plain), FORM: asked.pop(OURS), **asked}
        rows = _measured(asked, floor, levels=levels, rounds=rounds, requests=requests, cores=cores)
        _print_loads(rows, field.failed, cores=cores, requests=requests * rounds)
        _print_starts(field, {OURS: environment, **{peer: _named(peer) for peer in PEERS}})


@dataclass
class Field:
    """The engines that take part, and why the others do not."""

    form: Upload
    work: Path
    engines: dict[str, Engine] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    starts: dict[str, list[Started]] = field(default_factory=dict)
    started: dict[str, Started] = field(default_factory=dict)
    rest: dict[str, float] = field(default_factory=dict)
    """MB of each when all have started and nobody asks."""

    def enter(self, engine: Engine) -> None:
        """It takes part."""
        self.engines[engine.name] = engine

    def enter_peer(self, peer: str, bundle: Path, cores: int, *, quick: bool) -> None:
        """It takes part if it can be installed."""
        try:
            self.enter(_peer(peer, bundle, cores, quick=quick))
        except RuntimeError as error:
            self.failed[peer] = str(error)

    def start_once(self) -> None:
        """Start each and end it."""
        for name in list(self.engines):
            with ExitStack() as stack:
                self._start(name, stack)

    def start(self, stack: ExitStack) -> None:
        """Start all; they run until the stack ends them."""
        for name in list(self.engines):
            if (one := self._start(name, stack)) is not None:
                self.started[name] = one
        self.rest = {name: one.memory() for name, one in self.started.items()}

    def _start(self, name: str, stack: ExitStack) -> Started | None:
        try:
            one = stack.enter_context(running(self.engines[name], self.form, log=self.work / f"{name}.log"))
        except RuntimeError as error:
            self.failed[name] = str(error)
            del self.engines[name]
            return None
        self.starts.setdefault(name, []).append(one)
        return one


def _measured(
    asked: dict[str, tuple[Started, Upload]],
    floor: _Floor,
    *,
    levels: tuple[int, ...],
    rounds: int,
    requests: int,
    cores: int,
) -> dict[tuple[str, int], Row]:
    """Everything in turns. The floor goes before and after, and its mean is the round's."""
    rows: dict[tuple[str, int], Row] = {}
    for clients in levels:
        for _ in range(rounds):
            before = floor.ask(min(clients, cores), requests)
            loads = {one: load(server, clients, requests, upload) for one, (server, upload) in asked.items()}
            after = floor.ask(min(clients, cores), requests)
            least = (before.cpu_ms + after.cpu_ms) / 2
            for one, its in {FLOOR: before, **loads}.items():
                row = rows.setdefault((one, clients), Row())
                row.loads.append(its)
                row.shares.append(least / its.cpu_ms)
            rows[FLOOR, clients].loads.append(after)
            print(f"{clients} clients: {_line(least, loads)}", file=sys.stderr)
    return rows


def _line(least: float, loads: dict[str, Load]) -> str:
    return ", ".join([f"floor {least:.1f}", *(f"{one} {its.cpu_ms:.1f}" for one, its in loads.items())])


class _Floor:
    """floor.py in the endpoint's environment."""

    def __init__(self, python: Path, bundle: Path, picture: Path) -> None:
        command = [str(python), "-s", str(HERE / "floor.py"), str(bundle), str(picture)]
        env = clean({"PYTHONPATH": str(bundle / "app" / "python")})
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def ask(self, threads: int, requests: int) -> Load:
        """`requests` pictures by `threads` threads."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{threads} {requests}\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        cpu_ms = 1000 * said["cpu_s"] / requests
        return Load(cpu_ms, said["ms"], requests / said["seconds"], memory(self.process.pid), {})


def _print_loads(rows: dict[tuple[str, int], Row], failed: dict[str, str], *, cores: int, requests: int) -> None:
    print(
        f"{cores} processors; {requests} requests a row, in turns; the floor has a thread a client, {cores} at most. "
        "CPU-ms are\nmedians of rounds, and so is floor / engine. What else the machine does changes CPU time "
        "little and latencies much;\non a busy machine an engine of more threads or processes also gets more of it.\n"
        f"Goal: floor / engine at least {GOAL:.2f}.\n"
    )
    print("| clients | engine | CPU-ms a request | floor / engine | p50 ms | p99 ms | requests/s | peak MB | failed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (engine, clients), row in rows.items():
        ms = [took for its in row.loads for took in its.ms]
        refused = sum(sum(its.failed.values()) for its in row.loads)
        cells = (
            str(clients),
            engine,
            f"{statistics.median(its.cpu_ms for its in row.loads):.1f}",
            "1" if engine == FLOOR else f"{statistics.median(row.shares):.2f}",
            _percentile(ms, 50),
            _percentile(ms, 99),
            f"{statistics.median(its.per_s for its in row.loads):.1f}",
            f"{max(its.peak_mb for its in row.loads):.0f}",
            str(refused),
        )
        print(f"| {' | '.join(cells)} |")
    for engine, why in failed.items():
        print(f"| – | {engine} | not run: {why} |")


def _print_starts(field: Field, environment: dict[str, str]) -> None:
    print("\nFrom the start of the process; the environment without pip and bytecode, onnxruntime included.\n")
    print("| engine | /readyz 200 s | first picture answered s | MB at rest | environment MB | packages |")
    print("|---|---|---|---|---|---|")
    for engine, starts in field.starts.items():
        ready = [one.ready_s for one in starts if one.ready_s is not None]
        heavy, packages = environments.weight(environment[engine])
        cells = (
            engine,
            f"{statistics.median(ready):.2f}" if ready else "–",
            f"{statistics.median(one.first_s for one in starts):.2f}",
            f"{field.rest[engine]:.0f}" if engine in field.rest else "–",
            f"{heavy:.0f}",
            str(packages),
        )
        print(f"| {' | '.join(cells)} |")


def _percentile(values: list[float], percent: int) -> str:
    """Nearest rank."""
    ranked = sorted(values)
    return f"{ranked[max(0, -(-percent * len(ranked) // 100) - 1)]:.0f}" if ranked else "–"


def _own(bundle: Path) -> tuple[Path, str]:
    """The interpreter of an environment with what app/server/requirements.txt names, and that environment's name."""
    wanted = (bundle / "app" / "server" / "requirements.txt").read_text(encoding="utf-8").split()
    name = f"endpoint-{hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:8]}"
    return environments.python(name, *wanted), name


def _ours(python: Path, bundle: Path) -> Engine:
    command = (str(python), "-s", str(bundle / "app" / "server"), "--port", "{port}")
    return Engine(OURS, command, ready="/readyz")


def _named(peer: str) -> str:
    return PEERS[peer][0].replace("==", "-")


def _peer(peer: str, bundle: Path, cores: int, *, quick: bool) -> Engine:
    """Raises RuntimeError where it cannot be installed."""
    requirements = PEERS[peer]
    if quick and not environments.there(_named(peer)):
        raise RuntimeError(f"{requirements[0]} is not installed yet; a run without --quick does that")
    shared = [f"{package}=={version(package)}" for package in SHARED]
    python = str(environments.python(_named(peer), *requirements, *shared))
    code = {"PYTHONPATH": str(bundle / "app" / "python")}
    script = HERE / f"{peer.lower()}_app.py"
    if peer != "BentoML":
        return Engine(peer, (python, "-s", str(script), str(bundle), "{port}", str(cores)), code)
    command = (python, "-s", "-m", "bentoml", "serve", f"{script.stem}:Classify", "--working-dir", str(HERE))
    env = {
        **code,
        "BENCH_BUNDLE": str(bundle),
        "BENCH_WORKERS": str(cores),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(bundle.parent / "bentoml"),
    }
    return Engine(peer, (*command, "--host", "127.0.0.1", "--port", "{port}"), env)
