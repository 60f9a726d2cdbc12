"""container: an image of the bundle, built and run by docker or podman; or only built, by buildah."""

from __future__ import annotations

import shlex
import shutil
import socket
from pathlib import Path
from typing import Any

from nbdeploy.core.bundle import Bundle
from nbdeploy.core.files import file_name, log_file, state_dir
from nbdeploy.core.progress import step
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.base import Plan, Provider, Record, Setting
from nbdeploy.providers.image import BASE, PORT, containerfile, write_context
from nbdeploy.providers.machine import Done, Here
from nbdeploy.providers.probe import insist, probe, wait_ready
from nbdeploy.providers.site import LOOPBACK

RUN_BY = ("docker", "podman")
ENGINES = (*RUN_BY, "buildah")
_STOP_S = 30


class ContainerProvider(Provider):
    """Containers on this machine."""

    name = "container"
    summary = "a container on this machine, by docker or podman; an image by buildah"
    settings = (
        Setting("engine", "docker, podman or buildah; auto takes the first that works", "auto"),
        Setting("base", "the image that it is built on: with Python 3.11 or later and pip", BASE),
        Setting("bind", "the address to listen on; where others can reach it, a token is asked for", LOOPBACK),
        Setting("port", "the port; 0 takes a free one", "0"),
        Setting("build", "words more for the engine's build", ""),
    )
    status_here = "contract-tested"

    _engine = ""

    def check(self) -> list[Check]:
        try:
            engine = self.engine()
        except ProviderError as error:
            return [Check("engine", Status.failed, why=str(error))]
        return [Check("engine", Status.passed, value=engine, why=f"{engine} works here.")]

    def plan(self, bundle: Bundle, name: str) -> Plan:
        image, port = _image(name, _release(bundle, [])), self.given["port"]
        engine = "docker" if self.given["engine"] == "auto" else self.given["engine"]
        commands = [self._build(engine, image, ".")]
        if engine in RUN_BY:
            commands.append([engine, *self._run(name, image, _container(name, image), port if port != "0" else "PORT")])
        folder = str(_folder(name, _release(bundle, [])))
        return Plan(
            provider=self.name,
            name=name,
            steps=(
                f"copy {bundle.name} {bundle.version} with a Containerfile to {folder}",
                f"build the image {image}, which gets what the server needs from a package index",
                f"run it by {' or '.join(RUN_BY)}: not as root, nothing writable, no rights of the system's",
                f"ask it about its {len(bundle.manifest['samples'])} samples; all goes where it answers otherwise",
            ),
            files={f"{folder}/{path}": text for path, text in containerfile(bundle, base=self.given["base"]).items()},
            commands=tuple(shlex.join(command) for command in commands),
            why_no_price="It runs on this machine.",
            notes=(
                "An update tries the new container on another port first. While the port changes hands nobody answers.",
                "buildah builds the image and leaves running it to you.",
            ),
        )

    def apply(self, bundle: Bundle, name: str) -> Record:
        engine, release = self.engine(), _release(bundle, [])
        if self.given["bind"] != LOOPBACK:
            store.new_token(name)
        record: Record = {"name": name, "engine": engine, "releases": [], "release": "", "port": 0, "url": ""}
        try:
            self._make(bundle, name, engine, release)
            record |= {"releases": [release], "release": release}
            if engine in RUN_BY:
                record["port"] = int(self.given["port"]) or _free_port()
                record["url"] = f"http://{self.given['bind']}:{record['port']}"
                self._start(engine, name, release, record["port"])
                self._insist(record, bundle, f"{name} is not up")
        except BaseException:
            self._drop(engine, name, release)
            raise
        return record

    def status(self, record: Record) -> dict[str, Any]:
        if record["engine"] not in RUN_BY:
            image = _image(record["name"], record["release"])
            return {"state": "unknown", "why": f"The image {image} was built; running it is left to you."}
        which = _container(record["name"], _image(record["name"], record["release"]))
        done = self._do(record["engine"], "inspect", "--format", "{{.State.Status}}", which)
        if done.code:
            return {"state": "down", "why": f"There is no container {which}: {done.last}"}
        state = done.out.strip()
        return {"state": "up" if state == "running" else "down", "why": "" if state == "running" else f"It is {state}."}

    def logs(self, record: Record, lines: int = 100) -> list[str]:
        which = _container(record["name"], _image(record["name"], record["release"]))
        done = self._do(record["engine"], "logs", "--tail", str(lines), which)
        if done.code:
            raise ProviderError(f"There is no log: {done.last}", hint="nbdeploy endpoints says how the endpoint is.")
        return (done.out + done.err).splitlines()

    def update(self, bundle: Bundle, record: Record) -> Record:
        engine, name, release = record["engine"], record["name"], _release(bundle, record["releases"])
        try:
            self._make(bundle, name, engine, release)
            if engine in RUN_BY:
                trial = {**record, "port": _free_port()}
                trial["url"] = f"http://{LOOPBACK}:{trial['port']}"
                self._start(engine, name, release, trial["port"], bind=LOOPBACK)
                self._insist(trial, bundle, f"{name} was not changed")
                self._remove(engine, name, release)
                self._do(engine, "stop", "-t", str(_STOP_S), _container(name, _image(name, record["release"])))
                self._start(engine, name, release, record["port"])
                self._insist(record, bundle, f"{name} did not answer as {bundle.version}, so it was taken back")
        except BaseException:
            self._drop(engine, name, release)
            if engine in RUN_BY:
                self._do(engine, "start", _container(name, _image(name, record["release"])))
            raise
        kept = [*record["releases"], release]
        for old in kept[:-2]:
            self._drop(engine, name, old)
        return {**record, "releases": kept[-2:], "release": release}

    def rollback(self, record: Record) -> Record:
        if len(record["releases"]) < 2:  # noqa: PLR2004 - the one that answers, and one before
            raise ProviderError(
                f"{record['name']} has no release before {record['release']}.", hint="Put another bundle there: update."
            )
        engine, name, (before, now) = record["engine"], record["name"], record["releases"][-2:]
        self._drop(engine, name, now)
        if engine in RUN_BY:
            self._must(engine, "start", _container(name, _image(name, before)))
            wait_ready(record["url"], store.token(name))
        return {**record, "releases": record["releases"][:-1], "release": before}

    def remove(self, record: Record) -> None:
        for release in record["releases"]:
            self._drop(record["engine"], record["name"], release)

    def engine(self) -> str:
        """The program that builds, and runs. Raises ProviderError, UsageError."""
        wanted = self.given["engine"]
        if wanted not in {"auto", *ENGINES}:
            raise UsageError(f"engine is auto, {', '.join(ENGINES)}; not {wanted}.", hint="Type: --set engine=podman")
        if not self._engine:
            asked = ENGINES if wanted == "auto" else (wanted,)
            works = [one for one in asked if shutil.which(one) and not self._do(one, "info").code]
            if not works:
                neither = (
                    f"{wanted} does not work here."
                    if wanted != "auto"
                    else f"Neither {' nor '.join(asked)} works here."
                )
                raise ProviderError(
                    neither, hint="Install and start one (Debian: podman), or put it elsewhere: --provider local"
                )
            self._engine = works[0]
        return self._engine

    def _make(self, bundle: Bundle, name: str, engine: str, release: str) -> None:
        """Write the context of the build, and build."""
        folder = _folder(name, release)
        shutil.rmtree(folder, ignore_errors=True)
        write_context(bundle, folder, base=self.given["base"])
        with step(f"building the image by {engine}"):
            done = Here().run(self._build(engine, _image(name, release), str(folder)), timeout=1800)
        if done.code:
            log = log_file(f"image-{name}")
            log.write_text(done.out + done.err, encoding="utf-8")
            raise ProviderError(f"The image was not built: {done.last}", hint=f"What {engine} said: {log}")

    def _build(self, engine: str, image: str, folder: str) -> list[str]:
        # Only docker's own format of images holds a HEALTHCHECK.
        form = ["--format", "docker"] if engine != "docker" else []
        more = shlex.split(self.given["build"])
        return [engine, "build", *form, *more, "--tag", image, "--file", f"{folder}/Containerfile", folder]

    def _run(self, name: str, image: str, container: str, port: int | str, *, bind: str = "") -> list[str]:
        bind = bind or self.given["bind"]
        asks = f"NBDEPLOY_TOKEN_SHA256={store.token_hash(name)}" if store.token(name) else "NBDEPLOY_PUBLIC=1"
        return [
            *("run", "--detach", "--name", container, "--restart", "unless-stopped"),
            *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--publish", f"{bind}:{port}:{PORT}", "--env", asks, image),
        ]

    def _start(self, engine: str, name: str, release: str, port: int, *, bind: str = "") -> None:
        image = _image(name, release)
        self._must(engine, *self._run(name, image, _container(name, image), port, bind=bind))

    def _remove(self, engine: str, name: str, release: str) -> None:
        container = _container(name, _image(name, release))
        self._do(engine, "stop", "-t", str(_STOP_S), container)
        self._do(engine, "rm", "--force", container)

    def _drop(self, engine: str, name: str, release: str) -> None:
        """Take away container, image and context of a release."""
        if engine in RUN_BY:
            self._remove(engine, name, release)
        self._do(engine, "rmi", _image(name, release))
        folder = _folder(name, release)
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()

    def _insist(self, record: Record, bundle: Bundle, what: str) -> None:
        insist(probe(record["url"], bundle, store.token(record["name"])), what)

    def _do(self, engine: str, *words: str) -> Done:
        try:
            return Here().run([engine, *words])
        except OSError as error:  # it is no longer installed
            return Done(127, "", str(error))

    def _must(self, engine: str, *words: str) -> None:
        done = self._do(engine, *words)
        if done.code:
            raise ProviderError(f"{engine} {words[0]} failed: {done.last}", hint=f"{engine} said so.")


def _release(bundle: Bundle, releases: list[str]) -> str:
    number = 1 + max((int(one.partition("-")[0]) for one in releases), default=0)
    return f"{number:04d}-{file_name(bundle.version).lower() or 'x'}"


def _image(name: str, release: str) -> str:
    return f"localhost/nbdeploy-{name}:{release}"


def _container(name: str, image: str) -> str:
    return f"nbdeploy-{name}-{image.rpartition(':')[2]}"


def _folder(name: str, release: str) -> Path:
    return state_dir() / "containers" / name / release


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])
