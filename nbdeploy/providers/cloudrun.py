"""Google Cloud Run: a service of one container, scaled by the number of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.providers.base import Setting
from nbdeploy.providers.plain import as_yaml, from_json
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.written import COMMON, HASH, IMAGE, PORT, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle


class CloudRun(Written):
    """``service.yaml`` in the Knative form that Cloud Run takes, and gcloud's commands."""

    name = "cloudrun"
    summary = "Google Cloud Run: service.yaml and gcloud's commands"
    tool = "gcloud"
    get = "See cloud.google.com/sdk/docs/install."
    credentials = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_ACCESS_TOKEN")
    sign_in = "type gcloud auth login"
    needs_image = True
    settings = (
        IMAGE,
        Setting("region", "where it runs, as europe-west1"),
        Setting("secret", "your own secret in Secret Manager that holds the SHA-256 of the tokens; NAME-token", ""),
        Setting("cpu", "processors of an instance", "1"),
        Setting("memory", "memory of an instance", "1Gi"),
        Setting("min", "instances that always run", "0"),
        Setting("max", "instances at most", "10"),
        *COMMON,
    )
    notes = (
        "Cloud Run asks callers for a Google identity; with --no-invoker-iam-check the server's token stands alone.",
        "With min=0 the first request after a pause waits for a start.",
    )

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        given, revision = self.given, f"{name}-{tag_of(bundle)}"
        token = {
            "name": "NBDEPLOY_TOKEN_SHA256",
            "valueFrom": {"secretKeyRef": {"name": given["secret"] or f"{name}-token", "key": "latest"}},
        }
        container = {
            "image": f"{given['image']}:{tag_of(bundle)}",
            "ports": [{"name": "http1", "containerPort": PORT}],
            "env": [{"name": "HOST", "value": "0.0.0.0"}, {"name": "ORT_DISABLE_TELEMETRY", "value": "1"}, token],  # noqa: S104
            "resources": {"limits": {"cpu": given["cpu"], "memory": given["memory"]}},
            "startupProbe": {"httpGet": {"path": "/readyz", "port": PORT}, "periodSeconds": 2, "failureThreshold": 60},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 30},
        }
        scale = {"autoscaling.knative.dev/minScale": given["min"], "autoscaling.knative.dev/maxScale": given["max"]}
        spec = {"containerConcurrency": 16, "timeoutSeconds": 60, "containers": [container]}
        service = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": name, "annotations": {"run.googleapis.com/ingress": "all"}},
            "spec": {
                "template": {"metadata": {"name": revision, "annotations": scale}, "spec": spec},
                "traffic": [{"latestRevision": True, "percent": 100}],
            },
        }
        return {"service.yaml": as_yaml(service)}

    def commands(self, name: str, tag: str) -> Commands:
        region, services = f"--region={self.given['region']}", "gcloud run services"
        replace = (f"{services} replace service.yaml {region}",)
        own = not self.given["secret"]
        secret = f'printf %s "{HASH}" | gcloud secrets create {name}-token --data-file=-'
        return Commands(
            create=(*([secret] if own else []), *replace),
            update=replace,
            rollback=(f"{services} update-traffic {name} --to-revisions={name}-{tag}=100 {region}",),
            remove=(
                f"{services} delete {name} --quiet {region}",
                *([f"gcloud secrets delete {name}-token --quiet"] if own else []),
            ),
            status=f"{services} describe {name} --format=json {region}",
            logs=f"{services} logs read {name} --limit={{lines}} {region}",
        )

    def read(self, said: str) -> dict[str, Any]:
        status: dict[str, Any] = from_json(said).get("status", {})
        ready: dict[str, str] = next((c for c in status.get("conditions", ()) if c.get("type") == "Ready"), {})
        state = {"True": "up", "False": "down"}.get(ready.get("status", ""), "unknown")
        why = ready.get("message") or f"Ready is {ready.get('status', 'not said')}"
        return {"state": state, "why": why, "url": status.get("url", "")}
