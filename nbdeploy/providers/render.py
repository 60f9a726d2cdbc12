"""Render: a web service built from a git repository by its render.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nbdeploy.providers.base import Setting
from nbdeploy.providers.plain import as_yaml
from nbdeploy.providers.written import COMMON, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

_API = "https://api.render.com/v1/services"
_PORT = 10000  # what Render takes for granted


class Render(Written):
    """``render.yaml`` (a blueprint); Render builds the image from the repository that the folder becomes."""

    name = "render"
    summary = "Render: render.yaml, and git's commands"
    tool = "git"
    get = "See git-scm.com/downloads."
    credentials = ("RENDER_API_KEY",)
    sign_in = "make a key on Render's page, and export RENDER_API_KEY=..."
    settings = (
        Setting("repository", "the address of an empty git repository that Render may read"),
        Setting("plan", "the instance type", "starter"),
        Setting("region", "where it runs", "frankfurt"),
        Setting("instances", "instances", "1"),
        *COMMON,
    )
    notes = (
        "Once, on dashboard.render.com: New, Blueprint, the repository; it asks for NBDEPLOY_TOKEN_SHA256 there.",
        "Later releases are pushed, and Render builds and switches over by itself.",
        "Anyone can reach the address; the server asks for the bearer token.",
    )

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        fixed = {"HOST": "0.0.0.0", "PORT": str(_PORT), "ORT_DISABLE_TELEMETRY": "1"}  # noqa: S104 - in the container
        service = {
            "type": "web",
            "name": name,
            "runtime": "docker",
            "plan": self.given["plan"],
            "region": self.given["region"],
            "dockerfilePath": "./Containerfile",
            "dockerContext": ".",
            "numInstances": int(self.given["instances"]),
            "healthCheckPath": "/readyz",
            "maxShutdownDelaySeconds": 60,
            "envVars": [
                *({"key": key, "value": value} for key, value in fixed.items()),
                {"key": "NBDEPLOY_TOKEN_SHA256", "sync": False},
            ],
        }
        return {"render.yaml": as_yaml({"services": [service]})}

    def commands(self, name: str, tag: str) -> Commands:
        push = (
            "git init -q -b main",
            "git add -A",
            f"git commit -q -m {tag}",
            f"git push --force {self.given['repository']} main HEAD:refs/tags/{tag}",
        )
        return Commands(
            create=push,
            update=push,
            rollback=(
                "git init -q -b main",
                f"git fetch -q {self.given['repository']} refs/tags/{tag}",
                f"git push --force {self.given['repository']} FETCH_HEAD:refs/heads/main",
            ),
            remove=(f"curl -fX DELETE -H 'Authorization: Bearer $RENDER_API_KEY' {_API}/$RENDER_SERVICE",),
        )

    def address(self, name: str) -> str:
        return f"https://{name}.onrender.com"
