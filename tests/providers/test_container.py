"""The provider container: its Containerfile, what it tells an engine, and the layout of the image run as its user."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers.container import ContainerProvider
from nbdeploy.providers.image import containerfile, write_context
from nbdeploy.providers.probe import probe
from tests.providers.contract import ProviderContract

ENGINE = Path(__file__).with_name("engine.py")


def put_engine(folder: Path, name: str = "docker") -> None:
    """A program of that name that stands in for the engine."""
    place = folder / name
    place.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ENGINE}" "$@"\n', encoding="utf-8")
    place.chmod(0o755)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of what the engine that stands in was told."""
    folder = tmp_path_factory.mktemp("engine")
    put_engine(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STANDIN_ROOT", str(folder))
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield folder


@pytest.mark.usefixtures("engine")
class TestContainer(ProviderContract):
    provider = "container"
    settings = {"engine": "docker"}  # noqa: RUF012 - as in the contract


def another_user(context: Path) -> dict[str, Any]:
    """Settings of a process that is the image's user; none where that user cannot read this Python or the context."""
    other: dict[str, Any] = {"user": 10001, "group": 10001, "extra_groups": []}
    code = f"import numpy, onnxruntime; open({str(context / 'manifest.json')!r})"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, **other)
    except PermissionError:
        return {}
    return {} if done.returncode else other


def test_the_container_may_do_nothing_and_is_reached_from_here_only(engine: Path, cloud_bundle: nd.Bundle) -> None:
    place = ContainerProvider(engine="docker")
    (build, run) = place.plan(cloud_bundle, "pets").commands
    assert "--read-only --cap-drop ALL --security-opt no-new-privileges" in run
    assert "--publish 127.0.0.1:PORT:8000" in run
    assert "--tag localhost/nbdeploy-pets:0001-1.0.0" in build
    told = [json.loads(line) for line in (engine / "calls").read_text(encoding="utf-8").splitlines()]
    assert [] == [words for words in told if words[0] == "run" and "--read-only" not in words]


def test_the_containerfile_says_what_is_promised(cloud_bundle: nd.Bundle) -> None:
    made = containerfile(cloud_bundle, base="base:1")
    text = made["Containerfile"]
    for line in (
        "FROM base:1",
        "USER 10001:10001",
        "EXPOSE 8000",
        "STOPSIGNAL SIGTERM",
        'ENTRYPOINT ["python3", "app/server"]',
        'CMD ["serve"]',
    ):
        assert line in text.splitlines()
    assert "ORT_DISABLE_TELEMETRY=1" in text
    assert "HEALTHCHECK" in text
    assert text.index("pip install") < text.index("COPY . ") < text.index("USER")
    assert "Containerfile" in made[".dockerignore"].splitlines()
    for name in made[".dockerignore"].splitlines():
        assert name not in {"samples", "manifest.json", "app/server", "app/python"}


def test_its_healthcheck_is_a_program_that_tells_an_answer_from_none(cloud_bundle: nd.Bundle) -> None:
    (words,) = re.findall(r"CMD (\[.*urllib.*\])", containerfile(cloud_bundle)["Containerfile"])
    command = [sys.executable, *json.loads(words)[1:]]
    assert 0 != subprocess.run(command, env={**os.environ, "PORT": "1"}, capture_output=True, check=False).returncode


def test_what_lies_in_the_image_serves_as_another_user_that_can_write_nothing(
    cloud_bundle: nd.Bundle, tmp_path: Path
) -> None:
    """As in the image: the context's folder, the entry point, the environment, the user, and no file to write to."""
    context = tmp_path / "bundle"
    write_context(cloud_bundle, context)
    for path in (context, *context.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(context.rglob("*"))
    settings = re.findall(r"^ENV (.*)$", containerfile(cloud_bundle)["Containerfile"], re.MULTILINE)
    env = dict(pair.split("=") for line in settings for pair in line.split())
    server = subprocess.Popen(
        [sys.executable, "app/server", "serve"],
        cwd=context,
        env={**os.environ, **env, "HOST": "127.0.0.1", "PORT": "0", "NBDEPLOY_PUBLIC": "1", "HOME": "/nonexistent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **another_user(context),
    )
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        assert line, server.communicate()[1]
        checks = probe(json.loads(line)["url"].rstrip("/"), cloud_bundle)
    finally:
        server.terminate()
        server.communicate()
    assert ["passed", "passed"] == [str(check.status) for check in checks]
    assert 0 == server.returncode
    assert [] == nd.Bundle.open(context).changed_files()
    assert before == sorted(context.rglob("*"))


def test_without_an_engine_it_says_which_it_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (check,) = ContainerProvider().check()
    assert "failed" == check.status
    assert "Neither docker nor podman nor buildah works here." in check.why
    with pytest.raises(ProviderError, match="podman does not work here"):
        ContainerProvider(engine="podman").engine()
    with pytest.raises(UsageError, match="engine is auto"):
        ContainerProvider(engine="dokcer").engine()


def test_buildah_builds_and_leaves_running_to_the_person(
    cloud_bundle: nd.Bundle, tmp_path: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_engine(tmp_path, "buildah")
    monkeypatch.setenv("STANDIN_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    one = nd.deploy(cloud_bundle, provider="container", endpoint="pets", settings={"engine": "buildah"})
    assert "" == one.url
    assert "unknown" == one.status()["state"]
    assert "localhost/nbdeploy-pets:0001-1.0.0 was built" in one.status()["why"]
    told = [json.loads(line) for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines()]
    assert ["--format", "docker"] == next(words for words in told if words[0] == "build")[1:3]
    with pytest.raises(ProviderError, match="no address yet"):
        one.predict(b"x")
    one.remove()
    assert not (own_state / "containers" / "pets").exists()
    shutil.rmtree(own_state)
