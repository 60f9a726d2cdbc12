"""The Open Inference Protocol with Triton's own client, SageMaker, Vertex AI, OpenAPI."""

from __future__ import annotations

import base64
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbdeploy.core.bundle import Bundle
from tests.serve.made import SIDE, Served, form, picture, served

RED = picture()
INFER = "/v2/models/colours/infer"
CLIENT = """
import json, sys
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype
url, files, arrays = sys.argv[1], sys.argv[2].split("|"), sys.argv[3]
client = triton.InferenceServerClient(url)
found = {
    "live": client.is_server_live(), "ready": client.is_server_ready(), "model": client.is_model_ready("colours"),
    "version": client.is_model_ready("colours", "1.0.0"), "unknown": client.is_model_ready("none"),
    "server": client.get_server_metadata(), "metadata": client.get_model_metadata("colours"),
}
pixels = np.load(arrays)
answers = {}
for sends in (False, True):
    for gets in (False, True):
        one = triton.InferInput("image", list(pixels.shape), "UINT8")
        one.set_data_from_numpy(pixels, binary_data=sends)
        wanted = [triton.InferRequestedOutput("probabilities", binary_data=gets)]
        result = client.infer("colours", [one], outputs=wanted, request_id="7")
        assert result.get_response()["id"] == "7"
        answers[f"{sends} {gets}"] = result.as_numpy("probabilities").tolist()
many = triton.InferInput("image", [len(files)], "BYTES")
many.set_data_from_numpy(np.array([open(f, "rb").read() for f in files], dtype=object), binary_data=True)
answers["files"] = client.infer("colours", [many]).as_numpy("probabilities").tolist()
found["answers"] = answers
try:
    client.infer("none", [one])
except InferenceServerException as error:
    found["error"] = [error.message(), error.status()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def pixels(cloud_bundle: Path) -> np.ndarray:
    """uint8 [2, 24, 24, 3] of the bundle's samples."""
    bundle = Bundle.open(cloud_bundle)
    return np.concatenate([bundle.classifier.prepare(cloud_bundle / name) for name in bundle.manifest["samples"]])


@pytest.fixture(scope="module")
def expected(cloud_bundle: Path) -> list[list[float]]:
    rows = json.loads((cloud_bundle / "samples" / "expected.json").read_text(encoding="utf-8"))["samples"]
    return [list(row["probabilities"].values()) for row in rows]


def test_tritons_client_is_answered_in_json_and_in_binary(
    server: Served, cloud_bundle: Path, pixels: np.ndarray, expected: list[list[float]], tmp_path: Path
) -> None:
    np.save(tmp_path / "pixels.npy", pixels)
    files = "|".join(str(cloud_bundle / name) for name in Bundle.open(cloud_bundle).manifest["samples"])
    command = [sys.executable, "-c", CLIENT, f"127.0.0.1:{server.port}", files, str(tmp_path / "pixels.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert [True, True, True, True, False] == [found[k] for k in ("live", "ready", "model", "version", "unknown")]
    assert ["binary_tensor_data"] == found["server"]["extensions"]
    metadata = found["metadata"]
    assert ("colours", ["1.0.0"]) == (metadata["name"], metadata["versions"])
    assert [{"name": "image", "datatype": "UINT8", "shape": [-1, SIDE, SIDE, 3]}] == metadata["inputs"]
    assert [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}] == metadata["outputs"]
    assert ["red apple", "grün 🍏", "blue"] == metadata["parameters"]["labels"]
    assert 5 == len(found["answers"])
    for how, answer in found["answers"].items():
        assert np.allclose(expected, answer, atol=1e-5), how
    assert ["There is no such model here. It is colours.", "404"] == found["error"]


def tensor(**changed: Any) -> dict[str, Any]:
    one = {"name": "image", "datatype": "UINT8", "shape": [1, SIDE, SIDE, 3], "data": [0] * (SIDE * SIDE * 3)}
    return {"inputs": [{**one, **changed}]}


def files(*data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return tensor(datatype="BYTES", shape=shape or [len(data)], data=list(data))


def test_nested_rows_and_files_in_base64_are_taken(server: Served) -> None:
    nested = np.full((1, SIDE, SIDE, 3), 7).tolist()
    assert 200 == server.ask("POST", INFER, json.dumps(tensor(data=nested))).status
    answer = server.ask("POST", INFER, json.dumps(files(base64.b64encode(RED).decode())))
    assert "red apple" == ["red apple", "grün 🍏", "blue"][int(np.argmax(answer.json()["outputs"][0]["data"]))]
    versioned = server.ask("POST", "/v2/models/colours/versions/1.0.0/infer", json.dumps(tensor()))
    assert 200 == versioned.status


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ([], 400, "no object"),
        ({}, 400, '"inputs" has to hold one tensor'),
        ({"inputs": [1]}, 400, '"inputs" has to hold one tensor'),
        ({"inputs": tensor()["inputs"] * 2}, 400, '"inputs" has to hold one tensor'),
        (tensor(name="x"), 400, "it is image"),
        (tensor(datatype="FP32"), 400, "UINT8"),
        (tensor(shape=[1, 3, SIDE, SIDE]), 400, "The shape has to be [-1, 24, 24, 3]"),
        (tensor(shape=[0, SIDE, SIDE, 3], data=[]), 400, "1 to 32"),
        (tensor(shape=[33, SIDE, SIDE, 3]), 400, "1 to 32"),
        (tensor(shape="x"), 400, "no list of whole numbers"),
        (tensor(shape=[1.0, SIDE, SIDE, 3]), 400, "no list of whole numbers"),
        (tensor(shape=[2, SIDE, SIDE, 3]), 400, "There are 1728 values"),
        (tensor(data=None), 400, "whole numbers from 0 to 255"),
        (tensor(data=[256] * 1728), 400, "whole numbers from 0 to 255"),
        (tensor(data=[-1] * 1728), 400, "whole numbers from 0 to 255"),
        (tensor(data=[10**400] * 1728), 400, "whole numbers from 0 to 255"),
        (tensor(data=[0.5] * 1728), 400, "whole numbers from 0 to 255"),
        (tensor(data=[True] * 1728), 400, "whole numbers from 0 to 255"),
        (tensor(data=["a" * 1000, "b"]), 400, "whole numbers from 0 to 255"),
        (tensor(data=[[0], [0, 1], 3]), 400, "whole numbers from 0 to 255"),
        (tensor(parameters=3), 400, '"parameters" is no object'),
        (tensor(parameters={"binary_data_size": 12}), 400, "binary_data_size is not"),
        (tensor(parameters={"binary_data_size": "12"}), 400, "binary_data_size is not"),
        ({**tensor(), "id": 3}, 400, '"id" is no text'),
        ({**tensor(), "outputs": [{"name": "x"}]}, 400, "it is probabilities"),
        ({**tensor(), "outputs": 3}, 400, '"outputs" is no list'),
        ({**tensor(), "outputs": [{"name": "probabilities", "parameters": {"classification": 3}}]}, 400, "classif"),
        (files(), 400, "1 to 32"),
        (files("%%%"), 422, "no base64"),
        (files(base64.b64encode(b"no picture").decode()), 422, "cannot be read"),
        (files(3), 400, "files in base64"),
        (files("aaaa", shape=[2]), 400, "There are 1 files"),
        (files("aaaa", shape=[1, 2]), 400, "The shape of files"),
        ({**files("aaaa"), "inputs": [{"name": "image", "datatype": "BYTES", "shape": []}]}, 400, "The shape of files"),
    ],
)
def test_wrong_tensors_get_the_protocols_error_in_words(server: Served, body: Any, status: int, says: str) -> None:
    answer = server.ask("POST", INFER, json.dumps(body))
    assert status == answer.status, answer.body
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    ("length", "rest", "says"),
    [
        ("x", b"", "no length of a part"),
        ("-1", b"", "no length of a part"),
        ("99999999", b"", "no length of a part"),
        ("9" * 50, b"", "no length of a part"),
        ("", b"abc", "There are bytes after the JSON part"),
        ("size", struct.pack("<I", 2**32 - 1) + b"ab", "shorter than its length"),
        ("size", b"\x01", "shorter than its length"),
        ("size", b"", "There are 0 files"),
    ],
)
def test_wrong_binary_tensors_are_refused_too(server: Served, length: str, rest: bytes, says: str) -> None:
    parameters = {"parameters": {"binary_data_size": len(rest)}} if length == "size" else {}
    head = json.dumps(tensor(datatype="BYTES", shape=[1], **parameters)).encode()
    said = length if length not in {"", "size"} else str(len(head))
    answer = server.ask("POST", INFER, head + rest, Inference_Header_Content_Length=said)
    assert 400 == answer.status
    assert says in answer.json()["error"]


def test_other_models_and_versions_are_unknown(server: Served) -> None:
    for path in ("/v2/models/none", "/v2/models/none/ready", "/v2/models/colours/versions/2", "/v2/none"):
        answer = server.ask("GET", path)
        assert 404 == answer.status
        assert isinstance(answer.json()["error"], str)
    assert 404 == server.ask("POST", "/v2/models/none/infer", json.dumps(tensor())).status
    assert 405 == server.ask("GET", INFER).status


def test_sagemaker_is_answered(server: Served) -> None:
    assert 200 == server.ask("GET", "/ping").status
    answer = server.ask("POST", "/invocations", RED, Content_Type="application/x-image")
    assert "red apple" == answer.json()["predictions"][0]["label"]
    assert 200 == server.ask("POST", "/invocations", *form(RED)[:1], Content_Type=form(RED)[1]).status


def test_platforms_choose_the_routes_and_the_port_by_the_environment(cloud_bundle: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"AIP_HTTP_PORT": str(port), "AIP_HEALTH_ROUTE": "/well", "AIP_PREDICT_ROUTE": "/v1/it:predict", "PORT": "1"}
    with served(cloud_bundle, "serve", env={**env, "NBDEPLOY_PUBLIC": "1"}) as one:  # "serve" is what SageMaker says
        assert port == one.port
        assert 200 == one.ask("GET", "/well", Host="any.example").status
        body = json.dumps({"instances": [{"b64": base64.b64encode(RED).decode()}] * 2, "parameters": {}})
        answer = one.ask("POST", "/v1/it:predict", body, Content_Type="application/json")
        assert {"predictions"} == set(answer.json())
        assert 2 == len(answer.json()["predictions"])
        paths = one.ask("GET", "/openapi.json").json()["paths"]
        assert {"/well", "/v1/it:predict"} <= set(paths)


def test_the_description_is_valid_and_names_every_route_that_predicts(server: Served) -> None:
    from openapi_spec_validator import validate

    found = server.ask("GET", "/openapi.json").json()
    validate(found)
    assert {"/predict", "/invocations", "/v2/models/{name}/infer", "/healthz", "/readyz", "/metrics"} <= set(
        found["paths"]
    )


@pytest.mark.slow
def test_schemathesis_finds_nothing(server: Served, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(
        "[generation]\nmax-examples = 40\n[phases.stateful]\nenabled = false\n"
        # A string in base64 is not yet a picture, which no schema can say.
        "[checks.positive_data_acceptance]\nexpected-statuses = ['2xx', '400', '404', '422']\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}openapi.json", "--workers", "2"]
    command += ["--seed", "1", "--request-timeout", "20"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ, check=False)
    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr[-2000:]
    assert server.process.poll() is None
    assert not [event for event in server.events() if event["event"] == "fault"]


def test_every_setting_and_route_is_documented(server: Served, root: Path) -> None:
    said = (root / "docs" / "endpoint.md").read_text(encoding="utf-8")
    source = (root / "nbdeploy" / "serve" / "endpoint" / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'"((?:NBDEPLOY|AIP)_\w+)"', source))
    assert 15 <= len(names)
    assert [] == sorted(name for name in names if name not in said)
    paths = server.ask("GET", "/openapi.json").json()["paths"]
    assert [] == sorted(path for path in paths if not path.startswith("/v2") and path not in said)
