"""Azure Machine Learning: a managed online endpoint with one deployment a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.providers.base import Setting
from nbdeploy.providers.plain import as_yaml, from_json
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.written import COMMON, IMAGE, PORT, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

_SCHEMAS = "https://azuremlschemas.azureedge.net/latest/"


class AzureMl(Written):
    """``endpoint.yml`` and ``deployment.yml`` (a container of its own: liveness, readiness and scoring routes)."""

    name = "azureml"
    summary = "Azure Machine Learning: endpoint.yml, deployment.yml and az's commands"
    tool = "az"
    get = "See learn.microsoft.com/cli/azure/install-azure-cli; then type: az extension add -n ml"
    credentials = ("AZURE_CLIENT_ID", "AZURE_SUBSCRIPTION_ID")
    sign_in = "type az login"
    needs_image = True
    guarded = False
    settings = (
        IMAGE,
        Setting("group", "the resource group"),
        Setting("workspace", "the workspace"),
        Setting("machine", "the instance type", "Standard_DS2_v2"),
        Setting("count", "machines", "1"),
        *COMMON,
    )
    notes = (
        "The machines run, and cost, around the clock.",
        "Callers send the endpoint's key (auth_mode: key), which Azure checks; the server asks for no token.",
    )

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        routes = {"liveness_route": "/healthz", "readiness_route": "/readyz", "scoring_route": "/predict"}
        endpoint = {"$schema": f"{_SCHEMAS}managedOnlineEndpoint.schema.json", "name": name, "auth_mode": "key"}
        deployment = {
            "$schema": f"{_SCHEMAS}managedOnlineDeployment.schema.json",
            "name": deployment_of(tag_of(bundle)),
            "endpoint_name": name,
            "environment": {
                "name": name,
                "image": f"{self.given['image']}:{tag_of(bundle)}",
                "inference_config": {route: {"path": path, "port": PORT} for route, path in routes.items()},
            },
            "environment_variables": {
                "HOST": "0.0.0.0",  # noqa: S104 - inside the container
                "PORT": str(PORT),
                "NBDEPLOY_PUBLIC": "1",
                "ORT_DISABLE_TELEMETRY": "1",
            },
            "instance_type": self.given["machine"],
            "instance_count": int(self.given["count"]),
            "request_settings": {"request_timeout_ms": 60000, "max_concurrent_requests_per_instance": 16},
        }
        return {"endpoint.yml": as_yaml(endpoint), "deployment.yml": as_yaml(deployment)}

    def commands(self, name: str, tag: str) -> Commands:
        place = f"-g {self.given['group']} -w {self.given['workspace']}"
        endpoint, deployment = "az ml online-endpoint", "az ml online-deployment"
        all_to = f"{endpoint} update -n {name} --traffic {deployment_of(tag)}=100 {place}"
        return Commands(
            create=(
                f"{endpoint} create -f endpoint.yml {place}",
                f"{deployment} create -f deployment.yml --all-traffic {place}",
            ),
            update=(f"{deployment} create -f deployment.yml {place}", all_to),
            rollback=(all_to,),
            remove=(f"{endpoint} delete -n {name} --yes {place}",),
            status=f"{endpoint} show -n {name} {place} -o json",
            logs=f"{deployment} get-logs -e {name} -n {deployment_of(tag)} --lines {{lines}} {place}",
        )

    def read(self, said: str) -> dict[str, Any]:
        endpoint = from_json(said)
        state = {"Succeeded": "up", "Failed": "down"}.get(endpoint.get("provisioning_state", ""), "unknown")
        why = f"provisioning is {endpoint.get('provisioning_state', 'not said')}, traffic {endpoint.get('traffic', {})}"
        return {"state": state, "why": why, "url": endpoint.get("scoring_uri", "")}


def deployment_of(tag: str) -> str:
    """The name of a release's deployment: letters, digits and hyphens, at most 32."""
    return f"r-{tag.rpartition('-')[2]}"
