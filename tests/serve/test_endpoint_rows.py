"""Endpoints of rows and texts: JSON and plain text in, the same answers as the bundle, and words for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbdeploy as nd
from tests.rowdata import program_of
from tests.serve.made import Served, served

JSON = "application/json"


@pytest.fixture(scope="module", params=["table", "text"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> nd.Bundle:
    """A bundle of the target cloud, whose own server was asked about every sample when it was made."""
    out = tmp_path_factory.mktemp(request.param) / "b"
    made = nd.deploy(program_of(request.param), target="cloud", out=out, latency_runs=0, samples=6)
    check = next(check for check in made.report.checks if check.name == "endpoint")
    assert "passed" == check.status, check.why
    return made


@pytest.fixture(scope="module")
def server(bundle: nd.Bundle) -> Iterator[Served]:
    """Its server, on this machine only."""
    with served(bundle.path) as running:
        yield running


def _ask(server: Served, body: Any, kind: str = JSON, path: str = "/predict") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = server.ask("POST", path, data, **({"Content_Type": kind} if kind else {}))
    return answer.status, json.loads(answer.body)


def _some(bundle: nd.Bundle) -> list[Any]:
    files = [(bundle.path / name).read_bytes() for name in bundle.manifest["samples"][:3]]
    return [json.loads(file) if bundle.signature.kind == "table" else file.decode() for file in files]


def test_one_and_several_are_answered_as_the_bundle_does(bundle: nd.Bundle, server: Served) -> None:
    asked, noun = _some(bundle), bundle.signature.noun
    expected = [bundle.predict(one).probabilities for one in asked]
    for body in (asked, {f"{noun}s": asked}, {"instances": asked}, [{noun: one} for one in asked]):
        status, said = _ask(server, body)
        assert 200 == status
        got = [row["probabilities"] for row in said["predictions"]]
        assert np.allclose([list(row.values()) for row in expected], [list(row.values()) for row in got], atol=1e-5)
    for body in (asked[0], {noun: asked[0]}):
        status, said = _ask(server, body)
        assert (200, 1) == (status, len(said["predictions"]))


def test_a_raw_file_is_taken_without_a_content_type_and_as_a_form(bundle: nd.Bundle, server: Served) -> None:
    file = (bundle.path / bundle.manifest["samples"][0]).read_bytes()
    expected = bundle.predict(file).label
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + file + b"\r\n--x--\r\n"
    kinds = [("", file), ("application/octet-stream", file), ("multipart/form-data; boundary=x", form)]
    kinds += [("text/plain; charset=utf-8", file)] if bundle.signature.kind == "text" else []
    for kind, body in kinds:
        status, said = _ask(server, body, kind)
        assert (200, expected) == (status, said["predictions"][0]["label"]), kind


def test_what_is_wrong_is_said_with_a_fitting_status(bundle: nd.Bundle, server: Served) -> None:
    noun = bundle.signature.noun
    wrong: list[tuple[Any, str, int, str]] = [
        (b"", JSON, 400, "no body"),
        (b"{", JSON, 400, "no JSON"),
        (b"\x89PNG", "image/png", 422, f"takes {noun}s"),
        (b"<a/>", "application/xml", 415, "not taken"),
        ([], JSON, 422, f"0 {noun}s"),
        ([_some(bundle)[0]] * 257, JSON, 422, f"257 {noun}s"),
        ([3], JSON, 422, "Entry 0"),
    ]
    if noun == "row":
        wrong += [({"heigth cm": 1}, JSON, 422, "did you mean"), ([{}, {"leaves": "x"}], JSON, 422, "Row 1")]
        wrong += [(b"hello", "text/plain", 422, "takes rows")]
    else:
        wrong += [(b"\xff\xfe", "text/plain", 422, "UTF-8"), ({"text": 3}, JSON, 422, "Entry 0")]
    for body, kind, expected, words in wrong:
        status, said = _ask(server, body, kind)
        assert expected == status, (body, said)
        assert words in said["error"]["message"]


def test_the_open_inference_protocol_takes_tensors_and_raw_files(bundle: nd.Bundle, server: Served) -> None:
    answer = server.ask("GET", f"/v2/models/{bundle.name}")
    (tensor,) = json.loads(answer.body)["inputs"]
    own = {"table": "FP32", "text": "INT32"}[bundle.signature.kind]
    assert (own, [-1, *bundle.signature.shape[1:]]) == (tensor["datatype"], tensor["shape"])
    some = _some(bundle)
    raw = [json.dumps(one) if isinstance(one, dict) else one for one in some]
    ready = np.concatenate([bundle.classifier.prepare(text.encode()) for text in raw])
    values = [None if value != value else value for value in ready.ravel().tolist()]  # noqa: PLR0124 - NaN
    path = f"/v2/models/{bundle.name}/infer"
    for datatype, shape, data in ((own, list(ready.shape), values), ("BYTES", [len(raw)], raw)):
        asked = {"name": tensor["name"], "datatype": datatype, "shape": shape, "data": data}
        status, said = _ask(server, {"inputs": [asked]}, path=path)
        assert 200 == status, said
        expected = [list(bundle.predict(text.encode()).probabilities.values()) for text in raw]
        assert np.allclose(np.ravel(expected), said["outputs"][0]["data"], atol=1e-5)
    wild = {"name": tensor["name"], "datatype": own, "shape": [1, ready.shape[1]], "data": [10**9] * ready.shape[1]}
    assert 200 == _ask(server, {"inputs": [wild]}, path=path)[0]


def test_the_document_and_the_page_follow_the_signature(bundle: nd.Bundle, server: Served) -> None:
    document = json.loads(server.ask("GET", "/openapi.json").body)
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert JSON in content
    assert not any(kind.startswith("image") for kind in content)
    assert ("text/plain" in content) == (bundle.signature.kind == "text")
    page = server.ask("GET", "/").body.decode()
    assert f'data-noun="{bundle.signature.noun}"' in page
    names = [column["name"] for column in json.loads(server.ask("GET", "/page/columns.json").body)]
    columns = getattr(bundle.signature.given, "columns", ())
    assert [column.name for column in columns] == names


def test_an_endpoint_is_asked_with_rows_and_texts(
    bundle: nd.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path))
    endpoint = nd.deploy(bundle, provider="local", endpoint=f"e-{bundle.signature.noun}")
    try:
        for one in _some(bundle):
            assert bundle.predict(one).label == endpoint.predict(one).label
    finally:
        endpoint.remove()


def test_who_has_no_token_is_told_no_column(bundle: nd.Bundle, tmp_path: Path) -> None:
    from hashlib import sha256

    tokens = tmp_path / "tokens"
    tokens.write_text(f"me sha256:{sha256(b'secret-of-the-test').hexdigest()}\n", encoding="ascii")
    with served(bundle.path, "--port", "0", "--tokens", str(tokens)) as running:
        assert 401 == running.ask("GET", "/page/columns.json").status
        said = running.ask("GET", "/openapi.json").body.decode() + running.ask("GET", "/").body.decode()
        assert "height cm" not in said
        told = running.ask("GET", "/page/columns.json", Authorization="Bearer secret-of-the-test")
        assert 200 == told.status
