"""Heroku: an app of the container stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.providers.base import Setting
from nbdeploy.providers.plain import as_yaml, from_json
from nbdeploy.providers.written import COMMON, HASH, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle


class Heroku(Written):
    """``heroku.yml`` (builds the image), ``app.json`` (what the app needs) and heroku's commands."""

    name = "heroku"
    summary = "Heroku: heroku.yml, app.json and heroku's commands"
    tool = "heroku"
    get = "See devcenter.heroku.com/articles/heroku-cli."
    credentials = ("HEROKU_API_KEY",)
    sign_in = "type heroku login"
    settings = (Setting("dyno", "the kind of dyno", "basic"), Setting("count", "dynos", "1"), *COMMON)
    notes = (
        "Heroku says the port in PORT and ends a dyno by SIGTERM; 30 seconds later it kills it.",
        "Anyone can reach the address; the server asks for the bearer token.",
    )

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        import json  # noqa: PLC0415

        app = {
            "name": name,
            "stack": "container",
            "env": {
                "HOST": {"value": "0.0.0.0"},  # noqa: S104 - inside the container
                "ORT_DISABLE_TELEMETRY": {"value": "1"},
                "NBDEPLOY_TOKEN_SHA256": {"description": "SHA-256 of the bearer tokens", "required": True},
            },
            "formation": {"web": {"quantity": int(self.given["count"]), "size": self.given["dyno"]}},
        }
        return {
            "heroku.yml": as_yaml({"build": {"docker": {"web": "Containerfile"}}}),
            "app.json": json.dumps(app, indent=2) + "\n",
        }

    def commands(self, name: str, tag: str) -> Commands:
        push = (
            "git init -q -b main",
            "git add -A",
            f"git commit -q -m {tag}",
            f"git push --force https://git.heroku.com/{name}.git main",
        )
        config = f"HOST=0.0.0.0 ORT_DISABLE_TELEMETRY=1 NBDEPLOY_TOKEN_SHA256={HASH}"
        return Commands(
            create=(
                f"heroku apps:create {name} --stack container",
                f"heroku config:set -a {name} {config}",
                *push,
                f"heroku ps:scale -a {name} web={self.given['count']}:{self.given['dyno']}",
            ),
            update=push,
            rollback=(f"heroku releases:rollback -a {name}",),
            remove=(f"heroku apps:destroy -a {name} --confirm {name}",),
            status=f"heroku ps -a {name} --json",
            logs=f"heroku logs -a {name} --num {{lines}}",
        )

    def read(self, said: str) -> dict[str, Any]:
        dynos = from_json(said) or []
        states = [str(dyno.get("state", "unknown")) for dyno in dynos if dyno.get("type") == "web"]
        state = "up" if {"up", "idle"} & set(states) else "down"
        return {"state": state, "why": f"{len(states)} web dynos: {', '.join(states) or 'none'}"}
