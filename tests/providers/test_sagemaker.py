"""SageMaker: moto's server for what it knows, botocore's Stubber for the rest, and the real endpoint's answers."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from nbdeploy.errors import ProviderError
from nbdeploy.providers import sagemaker
from nbdeploy.providers.releases import tag_of
from nbdeploy.providers.sagemaker import SageMaker
from tests.providers.contract import ProviderContract
from tests.providers.places import Served, served

ROLE = "arn:aws:iam::123456789012:role/r"
GIVEN = {"image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/colours", "role": ROLE, "region": "eu-central-1"}


class TestSageMaker(ProviderContract):
    provider = "sagemaker"
    settings = GIVEN
    cannot_act = "acts with an account only; its life is below, on moto"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """moto's server on this machine, and no credentials but made-up ones."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def model(cloud_bundle) -> Iterator[Served]:
    """The container as SageMaker starts it: the argument serve, port 8080's variable, no token."""
    with served(cloud_bundle.path, {"NBDEPLOY_PUBLIC": "1"}, "serve") as running:
        yield running


@pytest.fixture
def place(aws: str, model: Served, monkeypatch: pytest.MonkeyPatch) -> SageMaker:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(sagemaker, "_PAUSE_S", 0)
    made = SageMaker(**GIVEN)
    plain = made.client

    def client(service: str) -> Any:
        found = plain(service)
        if service == "sagemaker":
            # moto does not know it yet: the call is held to the API's model by botocore, and moto made to follow.
            def update(EndpointName: str, EndpointConfigName: str) -> dict[str, str]:  # noqa: N803 - AWS's names
                stubbed = boto3.client(service, region_name="eu-central-1")
                asked = {"EndpointName": EndpointName, "EndpointConfigName": EndpointConfigName}
                with Stubber(stubbed) as stub:
                    stub.add_response(
                        "update_endpoint", {"EndpointArn": "arn:aws:sagemaker:x:1:endpoint/colours"}, asked
                    )
                    said = stubbed.update_endpoint(**asked)
                plain(service).delete_endpoint(EndpointName=EndpointName)
                plain(service).create_endpoint(**asked)
                return dict(said)

            found.update_endpoint = update
        if service == "sagemaker-runtime":
            # moto answers a canned body: what SageMaker would hand to the container goes to the real one.
            def invoke(**asked: Any) -> dict[str, Any]:
                answer = _handed_on(model, asked["Body"], asked["ContentType"])
                body = StreamingBody(io.BytesIO(answer), len(answer))
                with Stubber(found) as stub:
                    stub.add_response("invoke_endpoint", {"Body": body}, {**asked, "Body": ANY})
                    return dict(real(**asked))

            real = found.invoke_endpoint
            found.invoke_endpoint = invoke
        return found

    monkeypatch.setattr(made, "client", client)
    return made


def _handed_on(model: Served, body: bytes, kind: str) -> bytes:
    assert 200 == model.ask("/ping")[0]
    status, said = model.ask("/invocations", body, Content_Type=kind)
    assert 200 == status, said
    return json.dumps(said).encode()


def _names(place: SageMaker) -> tuple[set[str], set[str], set[str]]:
    api = place.client("sagemaker")
    return (
        {row["ModelName"] for row in api.list_models()["Models"]},
        {row["EndpointConfigName"] for row in api.list_endpoint_configs()["EndpointConfigs"]},
        {row["EndpointName"] for row in api.list_endpoints()["Endpoints"]},
    )


def test_all_three_are_made_held_to_the_samples_updated_taken_back_and_removed(
    place: SageMaker, cloud_bundle, version_of
) -> None:
    assert {"passed"} == {check.status.value for check in place.check()}
    record = place.apply(cloud_bundle, "colours")
    first = f"colours-{tag_of(cloud_bundle)}"
    assert ({first}, {first}, {"colours"}) == _names(place)
    container = place.client("sagemaker").describe_model(ModelName=first)["PrimaryContainer"]
    assert "1" == container["Environment"]["NBDEPLOY_PUBLIC"]
    assert "up" == place.status(record)["state"]
    assert "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/colours/invocations" == record["url"]

    record = place.update(version_of("2.0.0"), record)
    second = f"colours-{tag_of(version_of('2.0.0'))}"
    assert second in place.status(record)["why"]
    with pytest.raises(ProviderError, match="this very release"):
        place.update(version_of("2.0.0"), record)
    record = place.rollback(record)
    assert first in place.status(record)["why"]
    with pytest.raises(ProviderError, match="no release before"):
        place.rollback(record)
    place.remove(record)
    assert (set(), set(), set()) == _names(place)
    place.remove(record)
    assert "down" == place.status(record)["state"]


def test_what_answers_otherwise_is_taken_away_and_what_answered_before_still_does(
    place: SageMaker, cloud_bundle, version_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = place.apply(cloud_bundle, "colours")
    other = {"predictions": [{"probabilities": dict.fromkeys(cloud_bundle.labels, 1 / 3)}]}
    monkeypatch.setattr(place, "invoke", lambda *_: other)
    with pytest.raises(ProviderError, match="otherwise than the bundle"):
        place.update(version_of("2.0.0"), record)
    first = f"colours-{tag_of(cloud_bundle)}"
    assert ({first}, {first}, {"colours"}) == _names(place)
    place.remove(record)
    with pytest.raises(ProviderError, match="otherwise than the bundle"):
        place.apply(cloud_bundle, "colours")
    assert (set(), set(), set()) == _names(place)


def test_logs_are_read_from_cloudwatch(place: SageMaker) -> None:
    logs, group = place.client("logs"), "/aws/sagemaker/Endpoints/colours"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="all/i-1")
    now = int(time.time() * 1000)
    lines = [{"timestamp": now + n, "message": f"line {n}"} for n in range(3)]
    logs.put_log_events(logGroupName=group, logStreamName="all/i-1", logEvents=lines)
    assert ["line 1", "line 2"] == place.logs({"name": "colours"}, 2)


def test_without_credentials_or_a_region_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    checks = SageMaker(**{**GIVEN, "region": ""}).check()
    assert ["failed", "failed"] == [check.status.value for check in checks]


def test_a_refusal_of_aws_is_said_in_a_line(place: SageMaker) -> None:
    found = place.status({"name": "never-made"})
    assert "down" == found["state"]
    with pytest.raises(ProviderError, match="could not be read"):
        place.logs({"name": "never-made"})
