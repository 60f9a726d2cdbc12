"""AWS Lambda: the real adapter before the real endpoint, fed by a runtime API as Lambda's own."""

from __future__ import annotations

import base64
import json
import queue
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nbdeploy.providers.awslambda import AwsLambda
from tests.providers.contract import ProviderContract
from tests.providers.places import Tools, expected, image_env

GIVEN = {"image": "1.dkr.ecr.example/colours", "role": "arn:aws:iam::1:role/r", "region": "eu-central-1"}

pytestmark = pytest.mark.usefixtures("work")


class TestLambda(ProviderContract):
    provider = "lambda"
    settings = GIVEN
    cannot_act = "acts with aws and an account only"


class Runtime:
    """Lambda's runtime API: `next` waits for an event, `response` and `error` take what became of it."""

    def __init__(self) -> None:
        events: queue.Queue[Any] = queue.Queue()
        answers: queue.Queue[Any] = queue.Queue()
        self.events, self.answers = events, answers

        class Api(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert "/2018-06-01/runtime/invocation/next" == self.path
                body = json.dumps(events.get()).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "r1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers.put((self.path, json.loads(body)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def __call__(self, event: Any) -> dict[str, Any]:
        self.events.put(event)
        path, said = self.answers.get(timeout=90)
        assert "/2018-06-01/runtime/invocation/r1/response" == path, said
        return said


@pytest.fixture(scope="module")
def function(cloud_bundle, tmp_path_factory):
    """The adapter as the written image starts it."""
    folder = tmp_path_factory.mktemp("lambda")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        record = AwsLambda(**GIVEN).apply(cloud_bundle, "colours")
    place, runtime = Path(record["folder"]), Runtime()
    lines = (place / "Containerfile").read_text(encoding="utf-8").splitlines()
    words = json.loads([line for line in lines if line.startswith("ENTRYPOINT")][-1].removeprefix("ENTRYPOINT"))
    env = {
        **image_env(place),
        "NBDEPLOY_PUBLIC": "1",
        "AWS_LAMBDA_RUNTIME_API": runtime.address,
        "PATH": "/usr/bin:/bin",
    }
    with subprocess.Popen([sys.executable, *words[1:]], env=env, cwd=place) as process:
        yield runtime
        process.kill()
    runtime.server.shutdown()
    runtime.server.server_close()


def event(method: str, path: str, raw: bytes = b"", **more: Any) -> dict[str, Any]:
    """Payload format 2.0, as API Gateway's HTTP APIs and function URLs send it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "x.lambda-url.example", "content-type": "application/octet-stream"},
        "requestContext": {"http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"}},
        "body": base64.b64encode(raw).decode(),
        "isBase64Encoded": True,
        **more,
    }


def test_a_picture_is_answered_as_the_bundle_does(function, cloud_bundle) -> None:
    file = cloud_bundle.path / cloud_bundle.manifest["samples"][0]
    answer = function(event("POST", "/predict", file.read_bytes()))
    assert (200, False) == (answer["statusCode"], answer["isBase64Encoded"])
    said = json.loads(answer["body"])["predictions"][0]["probabilities"]
    assert expected(cloud_bundle.path, file.name) == pytest.approx(said, abs=1e-4)


def test_other_routes_and_bodies_that_are_no_pictures_are_answered_too(function) -> None:
    assert 200 == function(event("GET", "/readyz"))["statusCode"]
    assert 404 == function(event("GET", "/nothing"))["statusCode"]
    assert 400 <= function(event("POST", "/predict", b"no picture"))["statusCode"] < 500
    assert 400 <= function(event("POST", "/predict", body="plain", isBase64Encoded=False))["statusCode"] < 500


def test_what_is_no_event_or_too_large_is_refused_and_the_next_is_answered(function) -> None:
    assert 400 == function({"Records": []})["statusCode"]
    assert 400 == function(event("POST", "/predict", body="%%%"))["statusCode"]
    large = function(event("POST", "/predict", b"x" * 4_400_001))
    assert (413, "too_large") == (large["statusCode"], json.loads(large["body"])["error"]["code"])
    assert 200 == function(event("GET", "/healthz"))["statusCode"]


def test_aws_says_how_it_is_and_goes_back(cloud_bundle, version_of, tools: Tools) -> None:
    tools.add("aws", "docker").real("rm")
    tools.answer({"get-function": json.dumps({"Configuration": {"State": "Active"}})})
    place = AwsLambda(**GIVEN)
    record = place.update(version_of("2.0.0"), place.apply(cloud_bundle, "colours"))
    assert "up" == place.status(record)["state"]
    record = place.rollback(record)
    assert f"--image-uri {GIVEN['image']}:{record['tags'][-1]} --publish" in tools.calls[-2]
    place.remove(record)
    assert "aws lambda delete-function --function-name colours --region eu-central-1" in tools.calls
