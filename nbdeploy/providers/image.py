"""The files that make a container image of a bundle: for every place that takes one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.providers.site import SERVER, needs_server
from nbdeploy.providers.tools import here

BASE = "docker.io/library/python:3.13-slim"
PORT = 8000
USER = "10001:10001"
_ALIVE = (
    "import os, urllib.request; "
    "urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/healthz', timeout=4)"
)
_LEFT_OUT = ("Containerfile", "Dockerfile", ".dockerignore", "README.md", "report.html", "app/cpp", "app/web")


def containerfile(bundle: Bundle, *, base: str = BASE) -> dict[str, str]:
    """Path -> content, to lie beside the bundle's own files, whose folder is the context of the build.

    The image runs as a user of its own, writes nothing (a read-only root is enough, ``/tmp`` is not needed), listens on
    ``$PORT`` of every address, ends well on SIGTERM, and tells by HEALTHCHECK how it is. Who may ask is told when it is
    run: NBDEPLOY_TOKEN_SHA256 or NBDEPLOY_TOKENS, or NBDEPLOY_PUBLIC=1 where the platform in front asks. Raises
    UsageError for a bundle without a server.
    """
    needs_server(bundle)
    lines = [
        f"# {bundle.name} {bundle.version}, made by nbdeploy. Build it in the bundle's folder.",
        f"FROM {base}",
        "ENV ORT_DISABLE_TELEMETRY=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1",
        f"ENV HOST=0.0.0.0 PORT={PORT}",
        f"COPY {SERVER}/requirements.txt /tmp/requirements.txt",
        "RUN PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --no-compile \\",
        "    --root-user-action=ignore -r /tmp/requirements.txt && rm /tmp/requirements.txt",
        "COPY . /srv/bundle/",
        "WORKDIR /srv/bundle",
        f"USER {USER}",
        f"EXPOSE {PORT}",
        "STOPSIGNAL SIGTERM",
        "HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \\",
        f"    CMD {json.dumps(['python3', '-c', _ALIVE])}",
        f"ENTRYPOINT {json.dumps(['python3', SERVER])}",
        'CMD ["serve"]',
    ]
    return {"Containerfile": "\n".join(lines) + "\n", ".dockerignore": "\n".join(_LEFT_OUT) + "\n"}


def image_files(bundle: Bundle, *more: str) -> dict[str, str]:
    """Containerfile and .dockerignore for a folder that holds the bundle's files; `more` lines stand at its end."""
    made = containerfile(bundle)
    return {**made, "Containerfile": made["Containerfile"] + "".join(f"{line}\n" for line in more)}


def builder() -> str:
    """The command that builds images: docker, or podman where only that is here."""
    return "podman" if here("podman") and not here("docker") else "docker"


def copied(bundle: Bundle, folder: Path) -> list[Path]:
    """Copy what the bundle's manifest lists into `folder`, and the manifest; gives the copies."""
    made = [folder / path for path in (MANIFEST, *(file["path"] for file in bundle.manifest["files"]))]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.path / path.relative_to(folder), path)
    return made


def write_context(bundle: Bundle, folder: Path, *, base: str = BASE) -> None:
    """Copy the bundle into `folder`, with what `containerfile` gives."""
    for path in copied(bundle, folder):
        path.chmod(0o644)  # the image's user is another one
    for name, content in containerfile(bundle, base=base).items():
        (folder / name).write_text(content, encoding="utf-8")
