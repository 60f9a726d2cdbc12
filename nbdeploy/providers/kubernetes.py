"""A Kubernetes cluster: a hardened Deployment with all that belongs to it, or a KServe InferenceService."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.base import Plan, Record, Setting
from nbdeploy.providers.manifests import inference_service, native
from nbdeploy.providers.plain import as_yaml, from_json
from nbdeploy.providers.probe import insist, probe
from nbdeploy.providers.releases import before, insist_new, tag_of
from nbdeploy.providers.tools import ask, here
from nbdeploy.providers.written import COMMON, HASH, IMAGE, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle
    from nbdeploy.providers.asking import Reach

_KINDS = ("deployment", "kserve")
FILE = "endpoint.yaml"


class Kubernetes(Written):
    """Acts where kubectl and a context are here; else the files and the commands are for the person."""

    name = "kubernetes"
    summary = "a Kubernetes cluster: Deployment, Service, HPA, PDB, NetworkPolicy; or a KServe InferenceService"
    acts = True
    tool = "kubectl"
    get = "See kubernetes.io/docs/tasks/tools."
    needs_image = True
    settings = (
        IMAGE,
        Setting("kind", "deployment, or kserve for an InferenceService", "deployment"),
        Setting("namespace", "the namespace", "default"),
        Setting("context", "the context of kubectl; the current one", ""),
        Setting("secret", "your own Secret whose key NBDEPLOY_TOKEN_SHA256 holds the tokens' SHA-256; NAME-token", ""),
        Setting("cpu", "processors a pod asks for", "500m"),
        Setting("memory", "memory a pod asks for, and may have", "512Mi"),
        Setting("min", "pods that always run", "2"),
        Setting("max", "pods at most", "10"),
        *COMMON,
    )
    notes = (
        "Only pods of the same namespace reach it: change the NetworkPolicy, or add an Ingress with TLS, for more.",
        "Its pods reach nothing: they may not send anything out.",
        "The image has to be in your registry before it is applied.",
    )

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        if self.given["kind"] not in _KINDS:
            raise UsageError(f'There is no kind "{self.given["kind"]}" here.', hint=f"Take {' or '.join(_KINDS)}.")

    def check(self) -> list[Check]:
        found = super().check()
        if here(self.tool):
            context = self._context()
            ok = Status.passed if context else Status.not_run
            why = (
                f"The context is {context}."
                if context
                else "kubectl knows no cluster: export KUBECONFIG=..., or --set context=..."
            )
            found.append(Check("cluster", ok, why=why))
        return found

    def plan(self, bundle: Bundle, name: str) -> Plan:
        plan = super().plan(bundle, name)
        steps = tuple(step for step in plan.steps if not step.startswith(f"you type: {self.tool} "))
        kind = "the InferenceService" if self.given["kind"] == "kserve" else "all objects of endpoint.yaml"
        what = (
            f"kubectl applies {kind} in {self.given['namespace']}",
            "wait until its pods are ready, and hold it to the samples",
        )
        return Plan(**{**{key: getattr(plan, key) for key in Plan.__slots__}, "steps": (*steps, *what)})

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        return {FILE: self.objects(name, tag_of(bundle))}

    def objects(self, name: str, tag: str) -> str:
        """The YAML of all objects of a release."""
        if self.given["kind"] == "kserve":
            return as_yaml(inference_service(name, tag, {**self.given, "secret": self.secret(name)}))
        return as_yaml(*native(name, tag, {**self.given, "secret": self.secret(name)}))

    def secret(self, name: str) -> str:
        """The name of the Secret that holds the tokens' hashes."""
        return self.given["secret"] or f"{name}-token"

    def commands(self, name: str, tag: str) -> Commands:
        kubectl, kserve = self._kubectl(), self.given["kind"] == "kserve"
        wait = (
            f"{kubectl} wait --for=condition=Ready inferenceservice/{name} --timeout=600s"
            if kserve
            else f"{kubectl} rollout status deployment/{name} --timeout=600s"
        )
        apply = (f"{kubectl} apply -f {FILE}", wait)
        label = "serving.kserve.io/inferenceservice" if kserve else "app.kubernetes.io/instance"
        secret = f"{kubectl} create secret generic {self.secret(name)} --from-literal=NBDEPLOY_TOKEN_SHA256={HASH}"
        remove = [f"{kubectl} delete -f {FILE} --ignore-not-found"]
        if not self.given["secret"]:  # it is ours then
            remove.append(f"{kubectl} delete secret {self.secret(name)} --ignore-not-found")
        return Commands(
            create=(*([] if self.given["secret"] else [secret]), *apply),
            update=apply,
            rollback=apply,
            remove=tuple(remove),
            status=f"{kubectl} get {'inferenceservice' if kserve else 'deployment'} {name} -o json",
            logs=f"{kubectl} logs -l {label}={name} --tail={{lines}} --prefix --all-containers",
        )

    def apply(self, bundle: Bundle, name: str) -> Record:
        record = super().apply(bundle, name)
        if not (here(self.tool) and self._context()):
            return record
        try:
            self.run([line for line in record["commands"] if " create secret " in line], record)
            self._settle(bundle, record)
        except ProviderError:
            self.run(self.removal(record), record)
            shutil.rmtree(record["folder"])
            raise
        return {**record, "url": self.given["url"] or self._inside(name), "commands": []}

    def update(self, bundle: Bundle, record: Record) -> Record:
        name, tag = record["name"], tag_of(bundle)
        insist_new(record["name"], tag, record["tags"])
        self._write(bundle, name, store.token(name))
        try:
            self._settle(bundle, record)
        except ProviderError:
            self._back(record, record["tags"][-1])
            raise
        return {**record, "tags": [*record["tags"], tag], "made": [*record["made"], tag]}

    def rollback(self, record: Record) -> Record:
        self._back(record, before(record["name"], record["tags"]))
        return {**record, "tags": record["tags"][:-1]}

    def reach(self, record: Record) -> Reach | None:
        """Through kubectl, where the address is one of the cluster's own."""
        return None if record["url"] != self._inside(record["name"]) else lambda: self._through(record["name"])

    def read(self, said: str) -> dict[str, Any]:
        found = from_json(said)
        status = found.get("status", {})
        if found.get("kind") == "InferenceService":
            ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions", ()))
            return {"state": "up" if ready else "down", "why": f"Ready is {ready}", "url": status.get("url", "")}
        pods, wanted = status.get("availableReplicas", 0), status.get("replicas", 0)
        return {"state": "up" if pods else "down", "why": f"{pods} of {wanted} pods answer"}

    def _settle(self, bundle: Bundle, record: Record) -> None:
        """Apply what is in the folder, wait, and hold it to the samples. Raises ProviderError."""
        name = record["name"]
        self.run(self.commands(name, tag_of(bundle)).update, record)
        if self.given["kind"] == "deployment":
            reach = lambda: self._through(name)  # noqa: E731 - a connection each time
            insist(
                probe(self._inside(name), bundle, store.token(name), reach=reach),
                f"{name} does not answer as it should",
            )

    def _back(self, record: Record, tag: str) -> None:
        (Path(record["folder"]) / FILE).write_text(self.objects(record["name"], tag), encoding="utf-8")
        self.run(self.commands(record["name"], tag).rollback, record)

    def _inside(self, name: str) -> str:
        return f"http://{name}.{self.given['namespace']}.svc"

    def _kubectl(self) -> str:
        context = f" --context {self.given['context']}" if self.given["context"] else ""
        return f"kubectl{context} -n {self.given['namespace']}"

    def _context(self) -> str:
        try:
            return self.given["context"] or ask("kubectl config current-context", patience_s=30).strip()
        except ProviderError:
            return ""

    def _through(self, name: str) -> socket.socket:
        """A connection to the Service through kubectl, which ends with the connection."""
        words = [*self._kubectl().split(), "port-forward", f"service/{name}", ":80"]
        tunnel = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
        assert tunnel.stdout is not None
        line = tunnel.stdout.readline()
        if not line.startswith("Forwarding from 127.0.0.1:"):
            tunnel.terminate()
            raise ConnectionRefusedError(f"the Service cannot be reached: {line.strip()}")
        return _Tunnelled(tunnel, ("127.0.0.1", int(line.split()[2].rpartition(":")[2])))


class _Tunnelled(socket.socket):
    """A connection whose tunnel goes when it is closed."""

    def __init__(self, tunnel: subprocess.Popen[str], address: tuple[str, int]) -> None:
        super().__init__()
        self.tunnel = tunnel
        self.settimeout(30)
        self.connect(address)

    def _real_close(self, *given: Any) -> None:
        super()._real_close(*given)  # type: ignore[misc]
        self.tunnel.terminate()
        self.tunnel.wait()
        self.tunnel.stdout.close()  # type: ignore[union-attr]
