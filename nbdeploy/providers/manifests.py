"""The objects of an endpoint in Kubernetes, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbdeploy.providers.written import PORT

_USER = 10001
_GRACE_S = 60


def native(name: str, tag: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """ServiceAccount, Deployment, Service, HorizontalPodAutoscaler, PodDisruptionBudget, NetworkPolicy.

    `given` has ``image namespace secret cpu memory min max``. The Secret is named, never made.
    """
    own = {"app.kubernetes.io/instance": name}
    labels = {"app.kubernetes.io/name": "nbdeploy", **own, "app.kubernetes.io/managed-by": "nbdeploy"}
    about = {"name": name, "namespace": given["namespace"], "labels": labels}
    pod = {
        **_pod(name, tag, given),
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _GRACE_S,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": own},
            }
        ],
    }
    release = {"labels": {**labels, "app.kubernetes.io/version": tag}}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about, "automountServiceAccountToken": False},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": about,
            "spec": {
                "revisionHistoryLimit": 5,
                "selector": {"matchLabels": own},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": {"metadata": release, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": about,
            "spec": {"selector": own, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": about,
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": int(given["min"]),
                "maxReplicas": int(given["max"]),
                "metrics": [{"type": "Resource", "resource": cpu}],
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": about,
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": own}},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": about,
            "spec": {
                "podSelector": {"matchLabels": own},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": "http", "protocol": "TCP"}]}],
                "egress": [],
            },
        },
    ]


def inference_service(name: str, tag: str, given: Mapping[str, str]) -> dict[str, Any]:
    """KServe's InferenceService with the same container: it speaks the Open Inference Protocol."""
    pod = _pod("kserve-container", tag, given)
    # KServe finds the port by its number, and its own name for it says HTTP/1.
    pod["containers"][0]["ports"] = [{"name": "http1", "containerPort": PORT, "protocol": "TCP"}]
    scale = {"minReplicas": int(given["min"]), "maxReplicas": int(given["max"]), "timeout": 60}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": given["namespace"],
            "labels": {"app.kubernetes.io/managed-by": "nbdeploy", "app.kubernetes.io/version": tag},
        },
        "spec": {"predictor": {**scale, **pod}},
    }


def _pod(name: str, tag: str, given: Mapping[str, str]) -> dict[str, Any]:
    """What both kinds share: one container that may do little, and says whether it lives and is ready."""
    token = {"secretKeyRef": {"name": given["secret"], "key": "NBDEPLOY_TOKEN_SHA256"}}
    fixed = {"HOST": "0.0.0.0", "PORT": str(PORT), "ORT_DISABLE_TELEMETRY": "1"}  # noqa: S104 - inside the pod
    container = {
        "name": name,
        "image": f"{given['image']}:{tag}",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": [
            *({"name": key, "value": value} for key, value in fixed.items()),
            {"name": "NBDEPLOY_TOKEN_SHA256", "valueFrom": token},
        ],
        "resources": {
            "requests": {"cpu": given["cpu"], "memory": given["memory"]},
            "limits": {"memory": given["memory"]},
        },
        "startupProbe": {**_probe("/readyz"), "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {**_probe("/readyz"), "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**_probe("/healthz"), "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 5},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - of the pod: uploads that are too large for memory
    }
    return {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "128Mi"}}],
    }


def _probe(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": PORT}}
