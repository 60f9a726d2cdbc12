"""Asking an endpoint: what counts as its answer, and what a failed check says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.errors import ProviderError
from nbdeploy.providers.figures import figures
from nbdeploy.providers.probe import identity, insist, probe


@contextmanager
def answering(get: Callable[[str], tuple[int, Any]], post: Callable[[], tuple[int, Any]]) -> Iterator[str]:
    """A server that gives what the functions give; its address."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, value: Any) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer(*get(self.path))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(*post())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def asked(bundle: nd.Bundle, status: int, value: Any, *, model: dict[str, str] | None = None) -> list[Any]:
    """The checks of an endpoint that says it is ready, and answers every picture so."""
    ready = {"ready": True, "model": model or identity(bundle)}
    with answering(lambda _: (200, ready), lambda: (status, value)) as url:
        return probe(url, bundle, ready_s=0.3)


def test_one_that_is_not_there_fails_and_is_asked_no_further(cloud_bundle: nd.Bundle) -> None:
    ready, answers = probe("http://127.0.0.1:1", cloud_bundle, ready_s=0.2)
    assert ("failed", "not_run") == (ready.status, answers.status)
    assert "Nothing answers at http://127.0.0.1:1" in ready.why
    with pytest.raises(ProviderError, match="pets is not up .check endpoint_ready.: Nothing answers"):
        insist([ready, answers], "pets is not up")


def test_another_model_of_the_same_name_is_not_it(cloud_bundle: nd.Bundle) -> None:
    other = {**identity(cloud_bundle), "version": "0.9"}
    assert "It serves colours 0.9, not colours 1.0.0." == asked(cloud_bundle, 200, {}, model=other)[0].why
    other = {**identity(cloud_bundle), "sha256": "0" * 64}
    assert "failed" == asked(cloud_bundle, 200, {}, model=other)[0].status


@pytest.mark.parametrize(
    ("status", "value", "says"),
    [
        (200, {"predictions": []}, "the answer holds no probabilities"),
        (200, b"<html>", "the answer holds no probabilities"),
        (200, [], "the answer holds no probabilities"),
        (
            401,
            {"error": {"code": "x", "message": "A token is needed.", "hint": "Say it."}},
            "A token is needed. Say it.",
        ),
        (503, b"busy", "status 503"),
    ],
)
def test_an_answer_that_is_none_says_which_sample_and_why(
    cloud_bundle: nd.Bundle, status: int, value: Any, says: str
) -> None:
    check = asked(cloud_bundle, status, value)[1]
    assert ("endpoint_answers", "failed") == (check.name, check.status)
    assert "01." in check.why
    assert says in check.why


@pytest.mark.parametrize("wrong", [0.5, float("nan")])
def test_probabilities_that_are_away_or_no_numbers_fail(cloud_bundle: nd.Bundle, wrong: float) -> None:
    rows = {"predictions": [{"label": "x", "probabilities": dict.fromkeys(cloud_bundle.labels, wrong)}]}
    check = asked(cloud_bundle, 200, rows)[1]
    assert "failed" == check.status
    assert check.limit is not None


METRICS = """# HELP nbdeploy_requests_total Requests answered
# TYPE nbdeploy_requests_total counter
nbdeploy_requests_total{method="GET",route="/readyz",status="200"} 50.0
nbdeploy_requests_total{method="POST",route="/predict",status="200"} 90.0
nbdeploy_requests_total{method="POST",route="/predict",status="400"} 6.0
nbdeploy_requests_total{method="POST",route="/predict",status="503"} 4.0
nbdeploy_requests_created{method="POST",route="/predict",status="503"} 1.7e+09
nbdeploy_request_seconds_bucket{le="0.1",route="/readyz"} 50.0
nbdeploy_request_seconds_bucket{le="+Inf",route="/readyz"} 50.0
nbdeploy_request_seconds_bucket{le="0.01",route="/predict"} 40.0
nbdeploy_request_seconds_bucket{le="0.02",route="/predict"} 80.0
nbdeploy_request_seconds_bucket{le="0.1",route="/predict"} 100.0
nbdeploy_request_seconds_bucket{le="+Inf",route="/predict"} 100.0
"""


def test_figures_are_those_of_what_was_posted() -> None:
    found = figures(METRICS)
    assert (100, 4) == (found["requests"], found["errors"])
    assert 12.5 == pytest.approx(found["p50_ms"])
    assert 96 == pytest.approx(found["p99_ms"])


def test_a_figure_that_is_not_known_is_none() -> None:
    assert {"requests": 0, "errors": 0, "p50_ms": None, "p99_ms": None} == figures("")


def test_beyond_the_last_bucket_the_last_bound_is_said() -> None:
    text = METRICS.replace('le="0.1",route="/predict"} 100', 'le="0.1",route="/predict"} 90')
    assert 100 == figures(text)["p99_ms"]
