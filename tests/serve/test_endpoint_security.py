"""Who may ask, how much and how often; what the log and the answers give away."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdeploy.serve.endpoint.refusal import Unusable
from nbdeploy.serve.endpoint.tokens import Tokens, hashed, make
from tests.serve.made import Served, picture, running, served

RED = picture()
FREE = ("/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs", "/")
CLOSED = ("/metrics", "/v2", "/v2/models/colours")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens") / "tokens"


@pytest.fixture(scope="module")
def token(tokens: Path) -> str:
    return make("phone", tokens)


@pytest.fixture(scope="module")
def guarded(cloud_bundle: Path, tokens: Path, token: str) -> Iterator[Served]:
    """With tokens, a rate for each caller, one origin that may ask, and a small body."""
    assert hashed(token) in tokens.read_text()
    env = {"NBDEPLOY_RATE": "40/minute", "NBDEPLOY_CORS": "https://a.example", "NBDEPLOY_MAX_BODY": "100000"}
    with served(cloud_bundle, "--port", "0", "--tokens", str(tokens), env=env) as one:
        yield one


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_without_a_good_token_only_health_and_pages_are_answered(guarded: Served, token: str) -> None:
    for path in FREE:
        assert 200 == guarded.ask("GET", path).status, path
    for path in CLOSED:
        assert 401 == guarded.ask("GET", path).status, path
    none = guarded.predict(RED)
    assert (401, "no_token") == (none.status, none.error["code"])
    assert none.headers["WWW-Authenticate"].startswith("Bearer")
    for wrong in ("x", token[:-1], token + "x", hashed(token), "ü"):
        assert "wrong_token" == guarded.predict(RED, **bearer(wrong)).error["code"]
    assert 401 == guarded.predict(RED, Authorization=f"Basic {token}").status
    assert 200 == guarded.predict(RED, **bearer(token)).status


def test_tokens_are_rotated_without_a_gap(guarded: Served, tokens: Path, token: str) -> None:
    new = make("phone", tokens)
    assert [200, 200] == [guarded.predict(RED, **bearer(one)).status for one in (token, new)]
    kept = tokens.read_text()
    tokens.write_text("half a li")  # what cannot be read changes nothing
    assert 200 == guarded.predict(RED, **bearer(new)).status
    tokens.write_text(f"# only the new one\nphone sha256:{hashed(new)}\n")
    assert [401, 200] == [guarded.predict(RED, **bearer(one)).status for one in (token, new)]
    tokens.write_text(kept)
    assert 200 == guarded.predict(RED, **bearer(token)).status


def test_a_caller_that_asks_too_often_is_told_when_to_come_again(guarded: Served, tokens: Path) -> None:
    eager, other = make("eager", tokens), make("other", tokens)
    statuses = [guarded.ask("GET", "/v2", **bearer(eager)).status for _ in range(45)]
    assert [200] * 40 == statuses[:40]
    last = guarded.predict(RED, **bearer(eager))
    assert (429, "too_often") == (last.status, last.error["code"])
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    assert 200 == guarded.predict(RED, **bearer(other)).status


def test_only_the_origins_that_were_named_may_ask_from_a_page(guarded: Served, server: Served) -> None:
    asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    named = guarded.ask("OPTIONS", "/predict", Origin="https://a.example", **asks)
    assert (200, "https://a.example") == (named.status, named.headers["Access-Control-Allow-Origin"])
    refused = guarded.predict(b"x", Origin="https://a.example")  # a page can read why
    assert (401, "https://a.example") == (refused.status, refused.headers["Access-Control-Allow-Origin"])
    other = guarded.ask("OPTIONS", "/predict", Origin="https://b.example", **asks)
    assert "Access-Control-Allow-Origin" not in other.headers
    plain = server.predict(RED, Origin="https://a.example")
    assert "Access-Control-Allow-Origin" not in plain.headers


def test_a_page_from_elsewhere_cannot_reach_it_under_another_name(server: Served) -> None:
    answer = server.predict(RED, Host="evil.example")
    assert (400, "wrong_host") == (answer.status, answer.error["code"])
    assert 200 == server.predict(RED, Host=f"localhost:{server.port}").status


def test_a_body_above_the_cap_is_refused_before_it_is_looked_at(guarded: Served, token: str) -> None:
    answer = guarded.predict(bytes(100_001), **bearer(token))
    assert (413, "too_large") == (answer.status, answer.error["code"])
    chunked = guarded.predict(iter([bytes(50_000)] * 3), **bearer(token))
    assert 413 == chunked.status
    assert 422 == guarded.predict(bytes(100_000), **bearer(token)).status


def test_the_log_has_each_request_and_nothing_that_was_sent(guarded: Served, token: str) -> None:
    guarded.predict(b"secret picture", **bearer(token), X_Request_Id="abc-1")
    guarded.ask("GET", "/secret/path?secret=1", **bearer(token), X_Request_Id="abc-2\tx")
    guarded.ask("GET", "/v2/models/secret", **bearer(token))
    end = time.monotonic() + 10
    while not any(e.get("route") == "/v2/models/{name}" and e["status"] == 404 for e in guarded.events()):
        assert time.monotonic() < end
        time.sleep(0.05)
    events = [event for event in guarded.events() if event["event"] == "request"]
    (one,) = [event for event in events if event["id"] == "abc-1"]
    assert {"time", "event", "method", "route", "status", "ms", "id", "caller"} == set(one)
    assert ("POST", "/predict", 422, "phone") == (one["method"], one["route"], one["status"], one["caller"])
    assert "other" in {event["route"] for event in events}
    said = "".join(guarded.told)
    assert "secret" not in said
    assert token not in said
    assert "127.0.0.1" not in said


def test_the_figures_count_requests_by_route_and_status(guarded: Served, tokens: Path) -> None:
    mine = make("prometheus", tokens)
    text = guarded.ask("GET", "/metrics", **bearer(mine))
    assert text.headers["Content-Type"].startswith("text/plain")
    lines = text.body.decode().splitlines()
    counted = [line for line in lines if line.startswith("nbdeploy_requests_total{")]
    assert any('route="/predict",status="200"' in line for line in counted)
    assert any('route="/predict",status="401"' in line for line in counted)
    for name in ("nbdeploy_request_seconds_bucket", "nbdeploy_queue", "nbdeploy_in_flight", "nbdeploy_ready 1.0"):
        assert any(line.startswith(name) for line in lines), name
    (info,) = [line for line in lines if line.startswith("nbdeploy_model_info{")]
    assert 'name="colours"' in info
    assert 'version="1.0.0"' in info
    assert not any("secret" in line for line in lines)


def test_every_answer_has_an_id_and_headers_that_keep_it_to_itself(server: Served) -> None:
    page = server.ask("GET", "/")
    assert "default-src 'none'; script-src 'self';" in page.headers["Content-Security-Policy"]
    for answer in (page, server.predict(RED), server.ask("GET", "/nope")):
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
        assert 16 == len(answer.headers["X-Request-Id"])
        assert "Server" not in answer.headers


def test_the_hash_is_compared_whole_and_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbdeploy.serve.endpoint import tokens as module

    first, second = make("one", tmp_path / "t"), make("two", tmp_path / "t")
    compared: list[tuple[str, str]] = []
    real = module.hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    known = Tokens(tmp_path / "t", (hashed("third"),))
    assert ["one", "two", "token", None] == [known.caller(one) for one in (first, second, "third", "none")]
    assert 4 * 3 == len(compared)
    assert {64} == {len(one) for pair in compared for one in pair}


@pytest.mark.parametrize("text", ["phone abc\n", "phone sha256:12\n", "a b sha256:" + "0" * 64])
def test_a_file_of_tokens_that_is_none_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "t").write_text(text)
    with pytest.raises(Unusable, match="line 1 is not NAME sha256:HEX"):
        Tokens(tmp_path / "t")
    with pytest.raises(Unusable, match="cannot be read"):
        Tokens(tmp_path / "none")


def test_an_empty_file_of_tokens_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "t").touch()
    known = Tokens(tmp_path / "t")
    assert known.asked
    assert known.caller("") is None


def test_a_tokens_name_is_checked_and_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="is no name"):
        make("a b", tmp_path / "t")
    make("a", tmp_path / "t")
    assert 0o600 == (tmp_path / "t").stat().st_mode & 0o777


def refused(cloud_bundle: Path, *options: str, env: dict[str, str] | None = None) -> str:
    with pytest.raises(AssertionError) as found, served(cloud_bundle, *options, env=env):
        pass
    return str(found.value)


def test_it_does_not_listen_for_others_without_a_token(cloud_bundle: Path) -> None:
    said = refused(cloud_bundle, "--host", "0.0.0.0", "--port", "0")
    assert "0.0.0.0 is reached by others, and no token is set." in said
    assert "--tokens FILE" in said
    assert "no whole number" in refused(cloud_bundle, env={"NBDEPLOY_QUEUE": "many"})
    assert "many is no rate" in refused(cloud_bundle, env={"NBDEPLOY_RATE": "many"})


def test_the_bundles_own_command_makes_a_token_once(cloud_bundle: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    command = [sys.executable, str(cloud_bundle / "app" / "server"), "token", "me", "--tokens", str(tmp_path / "t")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    digest = hashlib.sha256(done.stdout.strip().encode()).hexdigest()
    assert f"me sha256:{digest}\n" == (tmp_path / "t").read_text()


ALONE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"nbdeploy", "torch", "fastai", "fastcore", "torchvision", "onnx", "pandas"}:
            raise ModuleNotFoundError(f"{name} is not here", name=name)
sys.meta_path.insert(0, Hidden())
import runpy, atexit, os
def tell():
    names = {name.partition(".")[0] for name in sys.modules}
    loaded = sorted(names & {"nbdeploy", "torch", "fastai", "IPython"})
    print(loaded, os.environ["ORT_DISABLE_TELEMETRY"], file=sys.stderr)
atexit.register(tell)
sys.argv = sys.argv[1:]
sys.path[0] = sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_it_runs_where_nbdeploy_torch_and_fastai_cannot_be_imported_and_phones_nobody(
    cloud_bundle: Path, tmp_path: Path
) -> None:
    import os
    import sys

    (tmp_path / "alone.py").write_text(
        "import socket\nreal = socket.socket.connect\n"
        "def connect(self, address):\n    print('CONNECTED', address, file=__import__('sys').stderr)\n"
        "    return real(self, address)\nsocket.socket.connect = connect\n" + ALONE
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NBDEPLOY_", "PYTHON", "ORT_"))}
    command = [sys.executable, str(tmp_path / "alone.py"), str(cloud_bundle / "app" / "server"), "--port", "0"]
    with running(command, env=kept) as one:
        assert 200 == one.predict(RED).status
        before = sorted(path.relative_to(cloud_bundle) for path in cloud_bundle.rglob("*"))
        assert {"__main__"} >= {path.name.partition(".")[0] for path in before if path.suffix == ".pyc"}
        assert 0 == one.end()
    said = "".join(one.told)
    assert "[] 1\n" in said
    assert "CONNECTED" not in said


def test_telemetry_is_off_before_onnxruntime_is_loaded(cloud_bundle: Path) -> None:
    import os
    import subprocess
    import sys

    code = (
        "import sys, os, builtins\nreal = builtins.__import__\n"
        "def spy(name, *rest):\n"
        "    if name == 'onnxruntime' and 'onnxruntime' not in sys.modules:\n"
        "        print('loading with', os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = spy\nfrom pathlib import Path\n"
        f"from nbdeploy.serve.asked import endpoint\nfrom nbdeploy.core.bundle import Bundle\n"
        f"endpoint(Bundle.open({str(cloud_bundle)!r}), host='127.0.0.1', loopback=True)\n"
    )
    env = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "loading with 1\n" == done.stdout


def test_a_model_that_is_not_the_one_listed_is_not_served(cloud_bundle: Path, tmp_path: Path) -> None:
    import shutil

    wrong = shutil.copytree(cloud_bundle, tmp_path / "b")
    (wrong / "model.onnx").write_bytes((wrong / "model.onnx").read_bytes() + b"x")
    assert "model.onnx in" in refused(wrong)


def test_many_threads_get_their_own_answers(server: Served) -> None:
    colours = {"red apple": (200, 40, 40), "grün 🍏": (40, 190, 60), "blue": (40, 60, 200)}
    wrong: list[str] = []

    def ask(label: str, data: bytes) -> None:
        for _ in range(15):
            answer = server.predict(data)
            if answer.status != 200 or answer.json()["predictions"][0]["label"] != label:
                wrong.append(f"{label}: {json.dumps(answer.body.decode())}")

    threads = [threading.Thread(target=ask, args=(label, picture(rgb))) for label, rgb in colours.items() for _ in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong


def test_with_a_certificate_it_speaks_https(cloud_bundle: Path, tmp_path: Path) -> None:
    import ssl
    import subprocess
    import urllib.request

    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*command, "-out", str(cert), "-keyout", str(key)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl here to make a certificate")
    with served(cloud_bundle, "--port", "0", "--certfile", str(cert), "--keyfile", str(key)) as one:
        assert one.url.startswith("https://127.0.0.1:")
        context = ssl._create_unverified_context()
        with urllib.request.urlopen(f"{one.url}predict", RED, context=context, timeout=30) as answer:
            assert "red apple" == json.load(answer)["predictions"][0]["label"]
    assert "no certificate with its key" in refused(cloud_bundle, "--certfile", str(key), "--keyfile", str(key))


def test_without_what_it_needs_it_says_what_to_type(cloud_bundle: Path) -> None:
    import subprocess
    import sys

    # -S: no packages at all
    command = [sys.executable, "-S", "-B", str(cloud_bundle / "app" / "server")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert f"Type: pip install -r {cloud_bundle / 'app' / 'server' / 'requirements.txt'}" in done.stderr
    assert "Traceback" not in done.stderr
