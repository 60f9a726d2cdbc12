"""`nbdeploy serve`: the page's files with their headers, on this machine only, until the process is told to end."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from nbdeploy.cli import main
from nbdeploy.core.bundle import FORMAT, MANIFEST, sealed
from nbdeploy.core.files import sha256_of, write_json
from nbdeploy.core.signature import Signature, Step
from nbdeploy.errors import BundleError, OutputError, UsageError
from nbdeploy.serve import running
from nbdeploy.serve.packed import packed
from nbdeploy.serve.running import listen

PAGE = {"app/web/index.html": "<p>page", "app/web/app.js": "let x = 1;\n" * 200, "samples/ü 1.png": "png"}


def write_bundle(folder: Path) -> Path:
    """What a bundle has at least, with a page that says nothing."""
    signature = Signature(
        width=8, height=8, channels=3, labels=("a", "b"), steps=(Step(op="squish_resize", width=8, height=8),)
    )
    files = {"model.onnx": "model" * 500, "report.json": "{}", **PAGE}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    manifest = {
        "format": FORMAT,
        "name": "x",
        "version": "1",
        "target": "web",
        "recipe": {"name": "fp32"},
        "model": "model.onnx",
        "signature": signature.to_dict(),
        "samples": [],
        "files": [{"path": n, "sha256": sha256_of(folder / n), "bytes": (folder / n).stat().st_size} for n in files],
    }
    write_json(folder / MANIFEST, sealed(manifest))
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"))


@contextmanager
def served(bundle: Path, *options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "nbdeploy", "serve", str(bundle), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line), process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url(bundle: Path) -> Iterator[str]:
    with served(bundle) as (ready, _):
        yield ready["url"]


def get(url: str, **headers: str) -> HTTPResponse:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        return urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        return error  # type: ignore[return-value]


def test_it_prints_one_line_of_json_answers_and_ends_cleanly_at_sigterm(bundle: Path) -> None:
    with served(bundle) as (ready, process):
        assert {"url", "pid"} == set(ready)
        assert process.pid == ready["pid"]
        assert ready["url"].startswith("http://127.0.0.1:")
        assert b"<p>page" == get(ready["url"]).read()
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(timeout=20)
        assert "" == process.stdout.read()
        assert "Ctrl-C ends it" in process.stderr.read()


def test_ctrl_c_ends_it_cleanly_too(bundle: Path) -> None:
    with served(bundle, "--json") as (_, process):
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(timeout=20)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("app/web/", "text/html"),
        ("app/web/app.js", "text/javascript"),
        ("model.onnx", "application/octet-stream"),
        ("manifest.json", "application/json"),
        ("samples/%C3%BC%201.png", "image/png"),
    ],
)
def test_each_file_has_its_type_and_the_headers_that_keep_the_page_to_itself(url: str, path: str, kind: str) -> None:
    answer = get(url + path)
    assert 200 == answer.status
    assert kind == answer.headers["Content-Type"].partition(";")[0]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert "camera=(self)" in answer.headers["Permissions-Policy"]


def test_the_policy_of_the_page_itself_is_the_servers() -> None:
    import nbdeploy.templates
    from nbdeploy.serve.site import HEADERS

    page = (Path(nbdeploy.templates.__file__).parent / "web" / "index.html").read_text(encoding="utf-8")
    own = HEADERS["Content-Security-Policy"].replace("; frame-ancestors 'none'", "")  # which only a header can say
    assert f'content="{own}"' in page


def test_a_hashed_address_is_kept_for_ever_and_the_manifest_never(url: str, bundle: Path) -> None:
    sha256 = sha256_of(bundle / "model.onnx")
    assert "immutable" in get(f"{url}model.onnx?sha256={sha256}").headers["Cache-Control"]
    assert "no-cache" == get(f"{url}model.onnx?sha256={'0' * 64}").headers["Cache-Control"]
    assert "no-cache" == get(f"{url}app/web/").headers["Cache-Control"]
    assert "no-store" == get(f"{url}manifest.json").headers["Cache-Control"]
    assert 304 == get(f"{url}model.onnx", If_None_Match=f'"{sha256}"').status


def test_files_are_sent_compressed_to_who_takes_it(url: str) -> None:
    packed_answer = get(f"{url}app/web/app.js", Accept_Encoding="gzip")
    assert "gzip" == packed_answer.headers["Content-Encoding"]
    assert PAGE["app/web/app.js"].encode() == gzip.decompress(packed_answer.read())
    assert get(f"{url}app/web/app.js").headers["Content-Encoding"] is None


def test_what_does_not_compress_is_sent_as_it_is(tmp_path: Path) -> None:
    noise = tmp_path / "model.onnx"
    noise.write_bytes(os.urandom(5000))
    assert packed(noise, sha256_of(noise)) is None


def test_a_spoilt_file_is_not_kept_as_the_right_one(tmp_path: Path) -> None:
    file = tmp_path / "app.js"
    file.write_text("let x = 1;\n" * 500)
    assert packed(file, "a" * 64) is None
    assert packed(file, sha256_of(file)) is not None


def test_a_bundle_that_is_made_anew_in_its_place_is_served_from_then_on(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b")
    with served(tmp_path / "b") as (ready, _):
        assert 404 == get(f"{ready['url']}samples/new.png").status
        (tmp_path / "b" / "samples" / "new.png").write_text("new")
        manifest = json.loads((tmp_path / "b" / MANIFEST).read_text(encoding="utf-8"))
        manifest["files"].append({"path": "samples/new.png", "sha256": "0" * 64, "bytes": 3})
        write_json(tmp_path / "b" / MANIFEST, sealed(manifest))
        assert b"new" == get(f"{ready['url']}samples/new.png").read()


@pytest.mark.parametrize(
    "path", ["report.json", "../etc/passwd", "%2e%2e/etc/passwd", "app/web/none.js", "app/python/predict.py"]
)
def test_only_what_the_page_needs_is_served(url: str, path: str) -> None:
    assert 404 == get(url + path).status


def test_a_page_from_elsewhere_cannot_reach_it_under_another_name(url: str) -> None:
    assert 400 == get(url, Host="evil.example").status
    assert 200 == get(url, Host="localhost:1").status


def test_a_port_in_use_is_an_error_that_says_what_to_type(bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OutputError, match="--port 0"):
            listen(bundle, port=taken.getsockname()[1])


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has one loopback address")
def test_another_loopback_address_is_answered_by_its_own_name_too(bundle: Path) -> None:
    with served(bundle, "--host", "127.0.0.2") as (ready, _):
        assert ready["url"].startswith("http://127.0.0.2:")
        assert 200 == get(ready["url"]).status
        assert 400 == get(ready["url"], Host="evil.example").status


def test_an_address_of_another_machine_is_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match="no address of this machine"):
        listen(bundle, host="192.0.2.7", port=0)


def test_a_certificate_needs_both_files_and_they_must_fit(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two files"):
        listen(bundle, port=0, certfile="cert.pem")
    (tmp_path / "cert.pem").write_text("not one")
    with pytest.raises(UsageError, match="no certificate with its key"):
        listen(bundle, port=0, certfile=str(tmp_path / "cert.pem"), keyfile=str(tmp_path / "cert.pem"))


def test_beyond_this_machine_it_shows_a_code_to_scan_and_says_that_phones_need_https(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Taken:
        def getsockname(self) -> tuple[str, int]:
            return ("0.0.0.0", 8123)

    monkeypatch.setattr(running, "_socket", lambda *_: Taken())  # nothing is opened to the network in a test
    monkeypatch.setattr(running, "own_address", lambda: "10.0.0.5")
    listening = listen(bundle, host="0.0.0.0", port=8123)
    assert "http://10.0.0.5:8123/" == listening.url
    said = capsys.readouterr().err
    assert "█" in said
    assert "--certfile" in said
    assert "localhost" in said


def test_with_a_certificate_it_speaks_https(bundle: Path, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*command, "-out", str(cert), "-keyout", str(key)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl here to make a certificate")
    with served(bundle, "--certfile", str(cert), "--keyfile", str(key)) as (ready, _):
        assert ready["url"].startswith("https://127.0.0.1:")
        context = ssl._create_unverified_context()
        assert b"<p>page" == urllib.request.urlopen(ready["url"], context=context, timeout=20).read()


def test_serving_loads_neither_torch_nor_a_target() -> None:
    code = "import sys, nbdeploy.serve.running, nbdeploy.serve.site\n"
    code += "print([name for name in sys.modules if 'torch' in name or 'targets' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()


def test_a_bundle_without_a_page_answers_by_nbdeploys_own_code(cloud_bundle: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(cloud_bundle, tmp_path / "plain")
    shutil.rmtree(plain / "app")
    manifest = json.loads((plain / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"] = [file for file in manifest["files"] if not file["path"].startswith("app/")]
    write_json(plain / MANIFEST, sealed(manifest | {"target": "onnx"}))
    with served(plain, "--threads", "2") as (ready, process):
        data = (plain / "samples" / "1.png").read_bytes()
        with urllib.request.urlopen(f"{ready['url']}predict", data, timeout=20) as answer:
            assert "red apple" == json.load(answer)["predictions"][0]["label"]
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(timeout=20)


def test_an_endpoint_that_others_reach_needs_a_token(
    cloud_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["serve", str(cloud_bundle), "--host", "0.0.0.0", "--port", "0"])
    said = capsys.readouterr().err
    assert "0.0.0.0 is reached by others, and no token is set." in said
    assert "--new-token NAME --tokens FILE" in said
    assert 2 == main(["serve", "--new-token", "phone"])
    file = tmp_path / "tokens"
    assert 0 == main(["serve", "--new-token", "phone", "--tokens", str(file)])
    token = capsys.readouterr().out.strip()
    assert f"phone sha256:{hashlib.sha256(token.encode()).hexdigest()}\n" == file.read_text()
    assert 0o600 == file.stat().st_mode & 0o777


def test_which_bundle_has_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["serve"])
    assert "Which bundle?" in capsys.readouterr().err


def test_an_endpoint_whose_samples_are_answered_otherwise_is_not_served(cloud_bundle: Path, tmp_path: Path) -> None:
    wrong = shutil.copytree(cloud_bundle, tmp_path / "wrong")
    expected = wrong / "samples" / "expected.json"
    expected.write_text(expected.read_text(encoding="utf-8").replace('"red apple": 0.9', '"red apple": 0.1'))
    manifest = json.loads((wrong / MANIFEST).read_text(encoding="utf-8"))
    for file in manifest["files"]:
        file |= {"sha256": sha256_of(wrong / file["path"])}
    write_json(wrong / MANIFEST, sealed(manifest))
    with pytest.raises(BundleError, match="is answered otherwise than when the bundle was made"):
        listen(wrong, port=0)
