"""Google Vertex AI: a model with a container of its own, on an endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.providers.base import Record, Setting
from nbdeploy.providers.plain import from_json
from nbdeploy.providers.written import COMMON, IMAGE, PORT, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

_MOST_BYTES = 1_500_000  # of a request, as the place documents


class Vertex(Written):
    """``request.json`` to try it with, and gcloud's commands: model, endpoint, deployment."""

    name = "vertex"
    summary = "Google Vertex AI: gcloud's commands for model, endpoint and deployment"
    tool = "gcloud"
    get = "See cloud.google.com/sdk/docs/install."
    credentials = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_ACCESS_TOKEN")
    sign_in = "type gcloud auth login"
    needs_image = True
    guarded = False
    settings = (
        IMAGE,
        Setting("region", "where it runs, as europe-west1"),
        Setting("machine", "the machine type", "n1-standard-2"),
        Setting("min", "machines that always run", "1"),
        Setting("max", "machines at most", "2"),
        *COMMON,
    )
    notes = (
        "A machine of Vertex runs, and costs, around the clock.",
        "Callers are let in by Google's own IAM, so the server asks for no token of its own.",
        f"A request may have {_MOST_BYTES / 1e6} MB: a picture of about 1.1 MB, since it travels as base64.",
    )

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        sizes = {path: (bundle.path / path).stat().st_size for path in bundle.manifest["samples"]}
        small = min(sizes, key=lambda path: sizes[path], default=None)
        if small is None or sizes[small] * 4 / 3 > _MOST_BYTES * 0.9:
            return {}
        sample = base64.b64encode((bundle.path / small).read_bytes()).decode()
        return {"request.json": json.dumps({"instances": [{"b64": sample}]}) + "\n"}

    def commands(self, name: str, tag: str) -> Commands:
        region, given = f"--region={self.given['region']}", self.given
        upload = (
            f"gcloud ai models upload {region} --display-name={name}-{tag} --model-id={name}-{tag} "
            f"--container-image-uri={given['image']}:{tag} --container-ports={PORT} "
            "--container-health-route=/readyz --container-predict-route=/vertex/predict "
            "--container-env-vars=HOST=0.0.0.0,NBDEPLOY_PUBLIC=1,ORT_DISABLE_TELEMETRY=1"
        )
        deploy = (
            f"gcloud ai endpoints deploy-model {number(name)} {region} --model={name}-{tag} "
            f"--display-name={name}-{tag} --deployed-model-id={number(tag)} --machine-type={given['machine']} "
            f"--min-replica-count={given['min']} --max-replica-count={given['max']} --traffic-split=0=100"
        )
        return Commands(
            create=(
                upload,
                f"gcloud ai endpoints create {region} --display-name={name} --endpoint-id={number(name)}",
                deploy,
            ),
            update=(upload, deploy),
            rollback=(f"gcloud ai endpoints update {number(name)} {region} --traffic-split={number(tag)}=100",),
            status=f"gcloud ai endpoints describe {number(name)} {region} --format=json",
            logs=(
                'gcloud logging read \'resource.type="aiplatform.googleapis.com/Endpoint" AND '
                f'resource.labels.endpoint_id="{number(name)}"\' '
                "--limit={lines} --order=asc --format=value(textPayload)"
            ),
        )

    def removal(self, record: Record) -> tuple[str, ...]:
        name, region = record["name"], f"--region={self.given['region']}"
        undeploy = f"gcloud ai endpoints undeploy-model {number(name)} {region}"
        return (
            *(f"{undeploy} --deployed-model-id={number(tag)} --quiet" for tag in record["made"]),
            f"gcloud ai endpoints delete {number(name)} {region} --quiet",
            *(f"gcloud ai models delete {name}-{tag} {region} --quiet" for tag in record["made"]),
        )

    def read(self, said: str) -> dict[str, Any]:
        endpoint = from_json(said)
        split = endpoint.get("trafficSplit") or {}
        if not split:
            return {"state": "down", "why": "no model gets requests there"}
        return {"state": "up", "why": f"requests go to {', '.join(f'{k} ({v} %)' for k, v in split.items())}"}


def number(text: str) -> str:
    """Ten digits at most that stand for `text`: how Vertex names endpoints and deployed models."""
    import hashlib  # noqa: PLC0415

    return str(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) + 1)
