"""Ray Serve: on a running cluster, or on one of this machine's own that nbdeploy starts."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.files import state_dir
from nbdeploy.core.progress import step
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError
from nbdeploy.providers import store
from nbdeploy.providers.base import Plan, Price, Provider, Record, Setting
from nbdeploy.providers.probe import insist, probe
from nbdeploy.providers.rayservice import HOSTS, PARTS, cluster_files
from nbdeploy.providers.releases import before, checked, insist_new, tag_of
from nbdeploy.providers.site import needs_server
from nbdeploy.providers.written import HASH

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

_PATIENCE_S = 900.0


class RayProvider(Provider):
    """Replicas behind a door that asks once more where a replica died. Without ``address`` a process of its own holds a
    small cluster of this machine, which goes on when the notebook ends.
    """

    name = "ray"
    summary = "Ray Serve, on a cluster or on this machine; and a RayService for KubeRay"
    status_here = "run"
    requires = ("ray",)
    settings = (
        Setting("address", "of a running cluster, host:6379 or ray://host:10001; empty: one of this machine", ""),
        Setting("replicas", "copies of the model that always run", "1"),
        Setting("max", "copies at most, as requests come; empty: never more", ""),
        Setting("cpus", "processors of a copy", "1"),
        Setting("host", "where Ray's proxy listens", "127.0.0.1"),
        Setting("port", "its port; on this machine 0 is any that is free", "0"),
        Setting("url", "how callers reach a cluster's proxy; http://HOST:PORT", ""),
        Setting("image", "the image for KubeRay, without a tag", "registry.example/you/model"),
        Setting("price", 'what the machines cost an hour, "0.20 USD", and when you read it', ""),
    )

    def check(self) -> list[Check]:
        if os.name != "posix" and not self.given["address"]:
            return [
                Check("system", Status.failed, why="A cluster of this machine's own needs Linux or macOS; use WSL.")
            ]
        where = f"the cluster {self.given['address']}" if self.given["address"] else "this machine"
        return [Check("ray", Status.passed, why=f"Ray is installed; it will run on {where}.")]

    def plan(self, bundle: Bundle, name: str) -> Plan:
        given, tag = self.given, tag_of(bundle)
        copies = given["replicas"] + (f" to {given['max']}" if given["max"] else "")
        where = given["address"] or "a cluster of this machine's own, which nbdeploy starts"
        price = Price.given(given["price"], where)
        return Plan(
            provider=self.name,
            name=checked(name),
            steps=(
                f"copy the bundle to {self._folder(name) / tag}",
                f"connect to {where}",
                f"run {copies} replicas of {given['cpus']} processors, and a door before them",
                "wait until it is ready, and hold it to the bundle's samples",
            ),
            files=cluster_files(bundle, name, given),
            commands=(
                f"kubectl create secret generic {name}-token --from-literal=NBDEPLOY_TOKEN_SHA256={HASH}",
                f"docker build -f Containerfile -t {given['image']}:{tag} .",
                f"docker push {given['image']}:{tag}",
                "kubectl apply -f rayservice.yaml",
            ),
            price=price,
            why_no_price="" if price else "It runs on machines that you have; --set price says what they cost.",
            notes=(
                "The files and commands are for KubeRay, in the bundle's own folder; nbdeploy runs none of them.",
                f"{HASH} is the SHA-256 of a token: nbdeploy serve --new-token NAME --tokens FILE makes one.",
                "Ray's dashboard and its usage statistics are off.",
            ),
        )

    def apply(self, bundle: Bundle, name: str) -> Record:
        needs_server(bundle)
        token = "" if self._local else store.new_token(checked(name))
        record: Record = {"name": checked(name), "url": "", "tags": [], "address": self.given["address"]}
        try:
            return self._release(bundle, {**record, "port": self._port()}, token)
        except BaseException:
            shutil.rmtree(self._folder(name), ignore_errors=True)
            raise

    def status(self, record: Record) -> dict[str, Any]:
        if not self._folder(record["name"]).exists():
            return {"state": "down", "why": "it is not there any more"}
        try:
            return self._ask("status", record)
        except ProviderError as error:
            return {"state": "down" if self._local else "unknown", "why": error.message}

    def logs(self, record: Record, lines: int = 100) -> list[str]:
        return list(self._ask("logs", record, lines=lines)["lines"])

    def update(self, bundle: Bundle, record: Record) -> Record:
        insist_new(record["name"], tag_of(bundle), record["tags"])
        try:
            return self._release(bundle, record, store.token(record["name"]))
        except BaseException:
            self._ask("deploy", record, **self._told(record, record["tags"][-1], store.token(record["name"])))
            raise

    def rollback(self, record: Record) -> Record:
        release = before(record["name"], record["tags"])
        self._ask("deploy", record, **self._told(record, release, store.token(record["name"])))
        return {**record, "tags": record["tags"][:-1]}

    def remove(self, record: Record) -> None:
        if self._local:
            _end(int(record.get("pid", 0)), self._folder(record["name"]))
        elif self._folder(record["name"]).exists():
            self._ask("remove", record)
        shutil.rmtree(self._folder(record["name"]), ignore_errors=True)

    @property
    def _local(self) -> bool:
        return not self.given["address"]

    def _folder(self, name: str) -> Path:
        return state_dir() / "ray" / name

    def _port(self) -> int:
        if self._local and self.given["port"] == "0":
            with socket.create_server(("127.0.0.1", 0)) as free:
                return int(free.getsockname()[1])
        return int(self.given["port"]) or 8000

    def _release(self, bundle: Bundle, record: Record, token: str) -> Record:
        """Put a release beside the others, run it, and hold it to the samples. Raises ProviderError."""
        name, tag = record["name"], tag_of(bundle)
        folder = self._folder(name) / tag
        if not folder.exists():
            work = folder.with_name(f".{tag}")
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(bundle.path, work / "bundle")
            for part in PARTS:
                shutil.copyfile(HOSTS / part, work / part)
            work.rename(folder)
        told = self._told(record, tag, token)
        new = self._local and not record["tags"]
        with step("starting Ray, and the replicas" if new else "replacing the replicas"):
            pid = self._hold(folder, told) if new else record.get("pid")
            if not new:
                self._ask("deploy", {**record, "tags": [tag]}, **told)
        try:
            url = (
                self.given["url"] or f"http://{self.given['host']}:{record['port']}{'' if self._local else f'/{name}'}"
            )
            with step("asking it about its samples"):
                insist(probe(url, bundle, token), f"{name} does not answer as it should")
        except BaseException:
            if new:
                _end(int(pid or 0), self._folder(name))
            raise
        return {**record, "url": url, "pid": pid, "tags": [*record["tags"], tag]}

    def _told(self, record: Record, tag: str, token: str) -> dict[str, Any]:
        given, folder = self.given, self._folder(record["name"]) / tag
        replicas, cpus = int(given["replicas"]), float(given["cpus"])
        most = int(given["max"] or replicas)
        threads = {"NBDEPLOY_THREADS": str(max(1, int(cpus))), "ORT_DISABLE_TELEMETRY": "1"}
        env = {**threads, **({"NBDEPLOY_TOKEN_SHA256": store.hashed(token)} if token else {})}
        here = {"PYTHONPATH": str(folder), "NBDEPLOY_BUNDLE": str(folder / "bundle")} if self._local else {}
        return {
            "name": record["name"],
            "host": given["host"],
            "port": record["port"],
            "route": "/" if self._local else f"/{record['name']}",
            "replicas": replicas,
            "max": most,
            "cpus": cpus,
            "cores": max(os.cpu_count() or 1, int(most * cpus) + 1),
            "env": {**env, **here},
            "address": given["address"],
            "socket": str(self._folder(record["name"]) / "socket"),
        }

    def _hold(self, folder: Path, told: Mapping[str, Any]) -> int:
        """Start the process that holds a cluster of this machine; gives its id. Raises ProviderError."""
        log = folder.parent / "ray.log"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(  # noqa: S603 - nbdeploy's own script
                [sys.executable, str(folder / "rayserve.py"), "hold"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(local=True),
                start_new_session=True,
                text=True,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(told))
            process.stdin.close()
            for line in process.stdout:
                if line.startswith("{"):
                    process.stdout.close()
                    return process.pid
        except KeyboardInterrupt:
            _end(process.pid, folder.parent)
            raise
        process.wait()
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ProviderError(f"Ray could not be started: {said[-1] if said else process.returncode}", hint=f"See {log}")

    def _ask(self, verb: str, record: Record, **told: Any) -> dict[str, Any]:
        """Let it be done: by the process that holds this machine's cluster, or by one that connects to the cluster."""
        told = {"name": record["name"], "address": self.given["address"], **told}
        folder = self._folder(record["name"])
        said = (
            _at_socket(folder / "socket", {**told, "verb": verb})
            if self._local
            else _script(folder / record["tags"][-1] / "rayserve.py", verb, told)
        )
        if "error" in said:
            raise ProviderError(f"Ray could not do it ({verb}): {said['error']}", hint="ray status says how it is.")
        return said


def _environment(*, local: bool) -> dict[str, str]:
    mine = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if not local:
        return mine  # with RAY_AUTH_MODE and RAY_AUTH_TOKEN, where the cluster asks for them
    own = {key: value for key, value in mine.items() if not key.startswith("RAY_")}
    # Ray's own processes speak to the loopback address (this is the name for that), and to none that lacks the token.
    lone = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {**own, **lone}


def _at_socket(place: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(_PATIENCE_S)
            asked.connect(str(place))
            with asked.makefile("rw", encoding="utf-8") as lines:
                lines.write(json.dumps(told) + "\n")
                lines.flush()
                return dict(json.loads(lines.readline()))
    except (OSError, ValueError) as error:
        raise ProviderError(
            f"The process that holds the cluster does not answer ({error}).", hint="Remove it, and put it there anew."
        ) from error


def _script(file: Path, verb: str, told: Mapping[str, Any]) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - nbdeploy's own script
        [sys.executable, str(file), verb],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        env=_environment(local=False),
        timeout=_PATIENCE_S,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        raise ProviderError(
            f"Ray could not be reached: {said[-1] if said else done.returncode}",
            hint="Is --set address right? Where the cluster has a token, export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=...",
        )
    return dict(json.loads(lines[-1]))


def _end(pid: int, folder: Path) -> None:
    """End the process `pid`, where it is the one that holds the cluster of `folder`, and all that it started."""
    import psutil  # noqa: PLC0415

    try:
        holder = psutil.Process(pid)
        if not pid or not any(str(folder) in word for word in holder.cmdline()):
            return
        all_of_it = [holder, *holder.children(recursive=True)]
        holder.terminate()
        holder.wait(30)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        pass
    for left in psutil.wait_procs(all_of_it, timeout=10)[1]:
        left.kill()
