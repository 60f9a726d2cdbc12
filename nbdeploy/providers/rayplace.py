"""Ray Serve: on a running cluster, or on one of this machine's own that nbdeploy starts."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.files import state_dir
from nbdeploy.core.progress import step
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError
from nbdeploy.providers import store
from nbdeploy.providers.base import Plan, Price, Provider, Record, Setting
from nbdeploy.providers.probe import insist, probe
from nbdeploy.providers.rayprocess import ask_cluster, ask_holder, end_holder, start_holder
from nbdeploy.providers.rayservice import HOSTS, PARTS, cluster_files
from nbdeploy.providers.releases import before, checked, insist_new, tag_of
from nbdeploy.providers.site import needs_server
from nbdeploy.providers.written import HASH

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle


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
            end_holder(int(record.get("pid", 0)), self._folder(record["name"]))
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
            pid = start_holder(folder, told) if new else record.get("pid")
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
                end_holder(int(pid or 0), self._folder(name))
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

    def _ask(self, verb: str, record: Record, **told: Any) -> dict[str, Any]:
        """Let it be done: by the process that holds this machine's cluster, or by one that connects to the cluster."""
        told = {"name": record["name"], "address": self.given["address"], **told}
        folder = self._folder(record["name"])
        said = (
            ask_holder(folder / "socket", {**told, "verb": verb})
            if self._local
            else ask_cluster(folder / record["tags"][-1] / "rayserve.py", verb, told)
        )
        if "error" in said:
            raise ProviderError(f"Ray could not do it ({verb}): {said['error']}", hint="ray status says how it is.")
        return said
