"""The files for KubeRay: a RayService, and the image that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.versions import installed
from nbdeploy.providers.plain import as_yaml
from nbdeploy.providers.releases import tag_of

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

HOSTS = Path(__file__).resolve().parents[1] / "templates" / "hosts"
PARTS = ("inprocess.py", "rayserve.py")
_IMAGE = """\
FROM docker.io/rayproject/ray:{ray}-py312
ENV RAY_USAGE_STATS_ENABLED=0 ORT_DISABLE_TELEMETRY=1 PYTHONPATH=/endpoint
COPY app/server/requirements.txt /endpoint/requirements.txt
RUN pip install --no-cache-dir --disable-pip-version-check -r /endpoint/requirements.txt
COPY inprocess.py rayserve.py /endpoint/
COPY . /endpoint/bundle/
"""


def cluster_files(bundle: Bundle, name: str, given: Mapping[str, str]) -> dict[str, str]:
    """``rayservice.yaml`` and a Containerfile for the bundle's own folder, and the two scripts."""
    return {
        "rayservice.yaml": as_yaml(ray_service(name, tag_of(bundle), given)),
        "Containerfile": _IMAGE.format(ray=_ray()),
        **{part: (HOSTS / part).read_text(encoding="utf-8") for part in PARTS},
    }


def ray_service(name: str, tag: str, given: Mapping[str, str]) -> dict[str, Any]:
    """KubeRay's RayService; `given` has ``image replicas max cpus``. A change of it is rolled out on a new cluster."""
    replicas, cpus = int(given["replicas"]), float(given["cpus"])
    most = int(given["max"] or replicas)
    told = {"replicas": replicas, "max": most, "cpus": cpus}
    serve = {
        "http_options": {"host": "0.0.0.0", "port": 8000},  # noqa: S104 - inside the pod
        "applications": [{"name": name, "route_prefix": "/", "import_path": "rayserve:app", "args": told}],
    }
    head = _group("head", f"{given['image']}:{tag}", "1", name)
    worker = _group("worker", f"{given['image']}:{tag}", str(max(1, int(cpus))), name)
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "nbdeploy"}},
        "spec": {
            "serveConfigV2": as_yaml(serve),
            "rayClusterConfig": {
                "rayVersion": _ray(),
                "enableInTreeAutoscaling": most > replicas,
                "headGroupSpec": {"rayStartParams": {"num-cpus": "0", "include-dashboard": "true"}, "template": head},
                "workerGroupSpecs": [
                    {
                        "groupName": "replicas",
                        "replicas": replicas,
                        "minReplicas": replicas,
                        "maxReplicas": most,
                        "rayStartParams": {},
                        "template": worker,
                    }
                ],
            },
        },
    }


def _group(kind: str, image: str, cpus: str, name: str) -> dict[str, Any]:
    token = {"secretKeyRef": {"name": f"{name}-token", "key": "NBDEPLOY_TOKEN_SHA256"}}
    container = {
        "name": f"ray-{kind}",
        "image": image,
        "env": [
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
            {"name": "ORT_DISABLE_TELEMETRY", "value": "1"},
            {"name": "NBDEPLOY_TOKEN_SHA256", "valueFrom": token},
        ],
        "resources": {"requests": {"cpu": cpus, "memory": "2Gi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if kind == "head":
        container["ports"] = [
            {"name": "gcs-server", "containerPort": 6379},
            {"name": "dashboard", "containerPort": 8265},  # KubeRay's operator asks it how the application is
            {"name": "serve", "containerPort": 8000},
        ]
    return {"spec": {"securityContext": {"runAsNonRoot": True}, "containers": [container]}}


def _ray() -> str:
    return installed("ray").get("ray", "2.60.0")
