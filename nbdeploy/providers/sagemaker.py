"""Amazon SageMaker: a model, an endpoint configuration and an endpoint, made with boto3."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError
from nbdeploy.providers.base import Plan, Price, Provider, Record, Setting
from nbdeploy.providers.image import builder, image_files
from nbdeploy.providers.releases import before, checked, insist_new, tag_of
from nbdeploy.providers.written import IMAGE

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

_ENDS = {"InService", "OutOfService", "Failed", "UpdateRollbackFailed"}
_PAUSE_S = 5.0
_PATIENCE_S = 1800.0
_GROUP = "/aws/sagemaker/Endpoints/{name}"


class SageMaker(Provider):
    """SageMaker asks ``/ping`` and ``/invocations`` of the container at port 8080; IAM lets callers in.

    Every release is a model and a configuration of its own, so an update is a change of configuration, which SageMaker
    makes without losing a request, and the way back is the configuration before.
    """

    name = "sagemaker"
    summary = "Amazon SageMaker: model, endpoint configuration and endpoint, made with boto3"
    status_here = "contract-tested"
    requires = ("boto3",)
    settings = (
        IMAGE,
        Setting("role", "the ARN of the role that SageMaker runs the container as"),
        Setting("region", "where it runs, as eu-central-1; the one that boto3 finds", ""),
        Setting("machine", "the instance type", "ml.m5.large"),
        Setting("count", "instances", "1"),
        Setting("price", 'what an instance costs an hour, "0.10 USD", and when you read it', ""),
    )

    def check(self) -> list[Check]:
        import boto3  # noqa: PLC0415

        session = boto3.Session(region_name=self.given["region"] or None)
        region = session.region_name
        known = session.get_credentials() is not None
        return [
            Check(
                "credentials",
                Status.passed if known else Status.failed,
                why="boto3 finds credentials."
                if known
                else "boto3 finds no credentials: type aws configure, or export AWS_PROFILE=...",
            ),
            Check(
                "region",
                Status.passed if region else Status.failed,
                why=f"The region is {region}."
                if region
                else "No region is known: --set region=..., or export AWS_DEFAULT_REGION=...",
            ),
        ]

    def plan(self, bundle: Bundle, name: str) -> Plan:
        tag, given = tag_of(bundle), self.given
        image = f"{given['image']}:{tag}"
        price = Price.given(given["price"], f"{given['count']} x {given['machine']}")
        return Plan(
            provider=self.name,
            name=checked(name),
            steps=(
                f"the image {image} has to be in ECR: the commands build and push it",
                f"make the model and the endpoint configuration {name}-{tag} ({given['count']} x {given['machine']})",
                f"make the endpoint {name}, wait until it is in service, and hold it to the bundle's samples",
            ),
            commands=(
                f"aws ecr get-login-password | {builder()} login -u AWS --password-stdin {image.partition('/')[0]}",
                f"{builder()} build -f Containerfile -t {image} .",
                f"{builder()} push {image}",
            ),
            files=image_files(bundle),
            price=price,
            why_no_price=""
            if price
            else "No price is known here: --set price='0.10 USD' says what an instance costs an hour.",
            notes=(
                "The files are for the bundle's folder, where the commands are typed.",
                "Instances run, and cost, until the endpoint is removed.",
                "Callers are let in by IAM (sagemaker:InvokeEndpoint), so the server asks for no token of its own.",
            ),
        )

    def apply(self, bundle: Bundle, name: str) -> Record:
        release, api = f"{checked(name)}-{tag_of(bundle)}", self.client("sagemaker")
        record: Record = {"name": name, "url": "", "releases": [release], "made": [release]}
        try:
            with _said("made"):
                self._release(bundle, release)
                api.create_endpoint(EndpointName=name, EndpointConfigName=release)
            self._settle(name)
            self._hold(bundle, name)
        except ProviderError:
            self.remove(record)
            raise
        return {**record, "url": self._address(name)}

    def status(self, record: Record) -> dict[str, Any]:
        try:
            with _said("asked"):
                found = self.client("sagemaker").describe_endpoint(EndpointName=record["name"])
        except ProviderError as error:
            gone = "Could not find" in str(error) or "NotFound" in str(error)
            return {"state": "down" if gone else "unknown", "why": error.message}
        status = found["EndpointStatus"]
        up = status in {"InService", "Updating", "SystemUpdating", "RollingBack"}
        why = found.get("FailureReason") or f"SageMaker says {status}, with {found.get('EndpointConfigName', '?')}"
        return {"state": "up" if up else "down", "why": why}

    def logs(self, record: Record, lines: int = 100) -> list[str]:
        api, group = self.client("logs"), _GROUP.format(name=record["name"])
        with _said("read"):
            streams = api.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=5)
            events = [
                event
                for stream in streams["logStreams"]
                for event in api.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], limit=lines)[
                    "events"
                ]
            ]
        return [str(event["message"]) for event in sorted(events, key=lambda e: e["timestamp"])][-lines:]

    def update(self, bundle: Bundle, record: Record) -> Record:
        name, release = record["name"], f"{record['name']}-{tag_of(bundle)}"
        now = record["releases"][-1]
        insist_new(name, release, record["releases"])
        try:
            with _said("changed"):
                if release not in record["made"]:
                    self._release(bundle, release)
            self._switch(name, release)
            self._hold(bundle, name)
        except ProviderError:
            self._switch(name, now)
            if release not in record["made"]:
                self._forget(release)
            raise
        made = [*record["made"], *([] if release in record["made"] else [release])]
        return {**record, "releases": [*record["releases"], release], "made": made}

    def rollback(self, record: Record) -> Record:
        self._switch(record["name"], before(record["name"], record["releases"]))
        return {**record, "releases": record["releases"][:-1]}

    def remove(self, record: Record) -> None:
        api = self.client("sagemaker")
        _if_there(lambda: api.delete_endpoint(EndpointName=record["name"]))
        for release in record["made"]:
            self._forget(release)

    def invoke(self, record: Record, body: bytes, content_type: str = "application/octet-stream") -> Mapping[str, Any]:
        """What the endpoint answers to a picture: SageMaker signs requests, so a plain address cannot be asked."""
        with _said("asked"):
            answer = self.client("sagemaker-runtime").invoke_endpoint(
                EndpointName=record["name"], ContentType=content_type, Accept="application/json", Body=body
            )
            return dict(json.loads(answer["Body"].read()))

    def client(self, service: str) -> Any:
        """boto3's client of `service`."""
        import boto3  # noqa: PLC0415

        return boto3.client(service, region_name=self.given["region"] or None)

    def _release(self, bundle: Bundle, release: str) -> None:
        api, given = self.client("sagemaker"), self.given
        environment = {"HOST": "0.0.0.0", "NBDEPLOY_PUBLIC": "1", "ORT_DISABLE_TELEMETRY": "1"}  # noqa: S104 - in the container
        container = {"Image": f"{given['image']}:{tag_of(bundle)}", "Environment": {**environment, "PORT": "8080"}}
        tags = [{"Key": "managed-by", "Value": "nbdeploy"}]
        api.create_model(ModelName=release, PrimaryContainer=container, ExecutionRoleArn=given["role"], Tags=tags)
        variant = {
            "VariantName": "all",
            "ModelName": release,
            "InitialInstanceCount": int(given["count"]),
            "InstanceType": given["machine"],
            "InitialVariantWeight": 1.0,
        }
        api.create_endpoint_config(EndpointConfigName=release, ProductionVariants=[variant], Tags=tags)

    def _switch(self, name: str, release: str) -> None:
        api = self.client("sagemaker")
        with _said("changed"):
            if api.describe_endpoint(EndpointName=name).get("EndpointConfigName") != release:
                api.update_endpoint(EndpointName=name, EndpointConfigName=release)
        self._settle(name)

    def _settle(self, name: str) -> None:
        """Wait until SageMaker is done with the endpoint. Raises ProviderError unless it is in service."""
        api, until = self.client("sagemaker"), time.monotonic() + _PATIENCE_S
        while True:
            with _said("asked"):
                found = api.describe_endpoint(EndpointName=name)
            status = found["EndpointStatus"]
            if status == "InService":
                return
            if status in _ENDS or time.monotonic() > until:
                why = found.get("FailureReason") or status
                raise ProviderError(
                    f"SageMaker did not bring {name} up: {why}", hint="Its logs in CloudWatch say more."
                )
            time.sleep(_PAUSE_S)

    def _hold(self, bundle: Bundle, name: str) -> None:
        from nbdeploy.providers.samples import hold  # noqa: PLC0415

        hold(bundle, lambda body: self.invoke({"name": name}, body))

    def _forget(self, release: str) -> None:
        api = self.client("sagemaker")
        _if_there(lambda: api.delete_endpoint_config(EndpointConfigName=release))
        _if_there(lambda: api.delete_model(ModelName=release))

    def _address(self, name: str) -> str:
        region = (
            self.given["region"] or os.environ.get("AWS_DEFAULT_REGION") or self.client("sagemaker").meta.region_name
        )
        return f"https://runtime.sagemaker.{region}.amazonaws.com/endpoints/{name}/invocations"


def _if_there(do: Callable[[], Any]) -> None:
    try:
        with _said("removed"):
            do()
    except ProviderError as error:
        if not any(words in str(error) for words in ("Could not find", "NotFound", "does not exist")):
            raise


@contextmanager
def _said(what: str) -> Iterator[None]:
    """AWS's refusals as ProviderErrors."""
    import boto3.exceptions  # noqa: PLC0415

    known = boto3.exceptions.botocore.exceptions  # boto3's own make use of them
    try:
        yield
    except (known.BotoCoreError, known.ClientError) as error:
        raise ProviderError(
            f"SageMaker could not be {what}: {error}", hint="See nbdeploy doctor for what is missing."
        ) from error
