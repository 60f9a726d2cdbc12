"""The endpoint on Ray Serve: replicas that hold the model, and a door before them that asks once more where one died.

    python rayserve.py deploy|status|logs|remove    with a JSON object on standard input; prints one
    python rayserve.py hold                         a cluster of its own, which does these verbs at a socket

KubeRay imports ``rayserve:app``. It needs Ray, what the bundle's server needs, and the folder that it lies in: the
bundle is beside it. All that is asked of an endpoint changes nothing there, so asking twice does no harm.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

# Said before Ray is loaded: it reports its use to its makers otherwise.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "30")

import ray
from ray import serve
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.exceptions import BackPressureError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

HERE = Path(__file__).resolve().parent
MOST_BYTES = 20_000_000
_STARTS = 4  # one of Ray's processes has to answer within 15 s, which a busy machine manages when its files are warm
_WAITING = 64  # requests that may wait at the door for a replica


class Replica:
    """One copy of the model, with the bundle's whole endpoint around it."""

    def __init__(self) -> None:
        import inprocess

        self._endpoint = inprocess
        # Named on this machine; on a cluster it is beside this code, wherever Ray unpacked the folder.
        beside = Path(inprocess.__file__).resolve().parent / "bundle"
        self._app = inprocess.load(os.environ.get("NBDEPLOY_BUNDLE") or beside)

    async def ask(self, scope: dict[str, Any], body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """What the endpoint answers."""
        status, headers, answer = await self._endpoint.ask(self._app, scope, body)
        return status, headers, answer

    async def check_health(self) -> None:
        """Asked by Ray from time to time; one that raises is replaced."""
        status, _, _ = await self.ask(self._endpoint.scope("GET", "/healthz", headers=[(b"host", b"localhost")]), b"")
        if status != 200:  # noqa: PLR2004 - OK
            raise RuntimeError(f"/healthz says {status}")


class Door:
    """Takes requests from Ray's proxy and hands them to a replica; to another where that one died."""

    def __init__(self, replica: Any) -> None:
        import inprocess

        self._endpoint, self._replica = inprocess, replica
        self._most = int(os.environ.get("NBDEPLOY_MAX_BODY") or MOST_BYTES)

    async def __call__(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._most:
                return _refused(413, "too_large", f"A request may have {self._most} bytes.")
        path, root = request.scope["path"], request.scope.get("root_path", "").rstrip("/")
        path = (path[len(root) :] if root and path.startswith(root) else path) or "/"
        scope = self._endpoint.scope(
            request.method,
            path,
            query=request.scope.get("query_string", b""),
            headers=list(request.headers.raw),
            client=request.client.host if request.client else "127.0.0.1",
        )
        for last in (False, True):
            try:
                status, headers, answer = await self._replica.ask.remote(scope, bytes(body))
            except BackPressureError:
                return _refused(503, "busy", "Too many requests are waiting.", {"Retry-After": "1"})
            except (ActorDiedError, ActorUnavailableError):
                if last:
                    return _refused(503, "lost", "Two replicas died over this request.", {"Retry-After": "1"})
                continue
            found = Response(answer, status)
            found.raw_headers = [pair for pair in headers if pair[0].lower() != b"transfer-encoding"]
            return found
        raise AssertionError("unreachable")


def _refused(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "hint": ""}}, status, headers)


def built(told: dict[str, Any]) -> Any:
    """The application for Ray Serve: `told` has ``replicas max cpus env``."""
    runtime = {"env_vars": told["env"]}
    scale: dict[str, Any] = {"num_replicas": told["replicas"]}
    if told["max"] > told["replicas"]:
        bounds = {"min_replicas": told["replicas"], "max_replicas": told["max"], "target_ongoing_requests": 2}
        scale = {"autoscaling_config": {**bounds, "upscale_delay_s": 5, "downscale_delay_s": 120}}
    replica = serve.deployment(
        name="replica",
        ray_actor_options={"num_cpus": told["cpus"], "runtime_env": runtime},
        max_ongoing_requests=16,
        max_queued_requests=_WAITING,
        graceful_shutdown_timeout_s=30,
        health_check_period_s=2,
        **scale,
    )(Replica)
    door = serve.deployment(
        name="door",
        num_replicas=told.get("doors", 1),
        ray_actor_options={"num_cpus": 0, "runtime_env": runtime},
        max_ongoing_requests=512,
        graceful_shutdown_timeout_s=30,
    )(Door)
    return door.bind(replica.bind())


def app(told: dict[str, Any]) -> Any:
    """What KubeRay calls, with the ``args`` of the RayService."""
    return built({"env": {}, "replicas": 1, "max": 1, "cpus": 1, **told})


def deploy(told: dict[str, Any]) -> dict[str, Any]:
    """Put it there, in the place of the release before where there is one."""
    serve.start(http_options={"host": told["host"], "port": told["port"]})
    serve.run(built(told), name=told["name"], route_prefix=told["route"])
    return {"deployed": True, "address": ray.get_runtime_context().gcs_address}


def status(told: dict[str, Any]) -> dict[str, Any]:
    """``running`` where all replicas that are wanted answer; what Ray says of each part."""
    found = serve.status().applications.get(told["name"])
    if found is None:
        return {"state": "down", "why": "there is no such application on the cluster"}
    parts = {
        name: {str(state): count for state, count in part.replica_states.items()}
        for name, part in found.deployments.items()
    }
    said = str(found.status.value)
    state = "up" if said == "RUNNING" else "down" if "FAILED" in said else "unknown"
    return {"state": state, "why": found.message or f"Ray Serve says {said}", "replicas": parts}


def logs(told: dict[str, Any]) -> dict[str, Any]:
    """The last lines that the application's replicas wrote, on every machine of the cluster."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    read = ray.remote(num_cpus=0)(_read)
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [node["NodeID"] for node in nodes if node["Alive"]]
    asked = [
        read.options(scheduling_strategy=On(node, soft=False)).remote(told["name"], told["lines"]) for node in alive
    ]
    return {"lines": sorted(line for some in ray.get(asked, timeout=60) for line in some)[-told["lines"] :]}


def _read(name: str, lines: int) -> list[str]:
    import pathlib

    import ray as here

    node = here._private.worker.global_worker.node  # noqa: SLF001 - there is no public way
    session = node.get_session_dir_path() if node else ""
    folder = pathlib.Path(session) / "logs" / "serve"
    found = []
    for file in folder.glob(f"replica_{name}_*.log"):
        found += file.read_text(errors="replace").splitlines()[-lines:]
    return found


def remove(told: dict[str, Any]) -> dict[str, Any]:
    """Take the application away, and nothing else of the cluster."""
    with contextlib.suppress(KeyError):
        serve.delete(told["name"])
    return {"removed": True}


def hold(told: dict[str, Any]) -> None:
    """A cluster of this machine's own, until the process is told to end. It does the other verbs for those who may open
    the socket beside it: a JSON line in, a JSON line out.
    """
    place = Path(told["socket"])
    try:
        _start(told["cores"])
        said = deploy(told)
        with socket.socket(socket.AF_UNIX) as door:
            place.unlink(missing_ok=True)
            door.bind(str(place))
            place.chmod(0o600)
            door.listen()
            _say({**said, "pid": os.getpid()})
            while True:
                asked, _ = door.accept()
                with asked, asked.makefile("rw", encoding="utf-8") as lines:
                    lines.write(json.dumps(_done(json.loads(lines.readline()))) + "\n")
    except _End:
        pass
    finally:
        place.unlink(missing_ok=True)
        ray.shutdown()


class _End(BaseException):
    """The process was told to end."""


def _ended(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _End


def _done(asked: dict[str, Any]) -> dict[str, Any]:
    verbs = {"deploy": deploy, "status": status, "logs": logs, "remove": remove}
    try:
        return verbs[asked["verb"]](asked)
    except Exception as error:  # noqa: BLE001 - said to who asked
        return {"error": str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}


def _start(cores: int) -> None:
    for last in (False,) * (_STARTS - 1) + (True,):
        try:
            ray.init("local", num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except Exception:
            ray.shutdown()
            if last:
                raise
        else:
            return


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import rayserve  # by its name, so that replicas find the classes in their own copy of this file

    verb, told = sys.argv[1], json.load(sys.stdin)
    if verb == "hold":
        signal.signal(signal.SIGTERM, rayserve._ended)  # noqa: SLF001 - of this very file
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the notebook that started it
        rayserve.hold(told)
    else:
        files = {"working_dir": str(HERE), "excludes": ["__pycache__"]}
        ray.init(told["address"], runtime_env=files, log_to_driver=False, logging_level=logging.ERROR)
        _say(rayserve._done({**told, "verb": verb}))  # noqa: SLF001 - of this very file
