"""Fly.io: an app of small machines near the callers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.providers.base import Setting
from nbdeploy.providers.plain import from_json
from nbdeploy.providers.written import COMMON, HASH, PORT, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

_FLY = """\
app = "{name}"
primary_region = "{region}"
kill_signal = "SIGTERM"
kill_timeout = "30s"

[build]
  dockerfile = "Containerfile"

[env]
  HOST = "0.0.0.0"
  PORT = "{port}"
  ORT_DISABLE_TELEMETRY = "1"

[deploy]
  strategy = "bluegreen"

[http_service]
  internal_port = {port}
  force_https = true
  auto_stop_machines = "stop"
  auto_start_machines = true
  min_machines_running = {min}
  processes = ["app"]

  [http_service.concurrency]
    type = "requests"
    soft_limit = 8
    hard_limit = 32

  [[http_service.checks]]
    grace_period = "20s"
    interval = "15s"
    timeout = "5s"
    method = "GET"
    path = "/readyz"

[[vm]]
  memory = "{memory}"
  cpu_kind = "shared"
  cpus = {cpus}
"""


class FlyIo(Written):
    """``fly.toml`` and fly's commands; Fly builds the image from the folder."""

    name = "flyio"
    summary = "Fly.io: fly.toml and fly's commands"
    tool = "fly"
    get = "See fly.io/docs/flyctl/install."
    credentials = ("FLY_API_TOKEN", "FLY_ACCESS_TOKEN")
    sign_in = "type fly auth login"
    settings = (
        Setting("region", "where it runs, three letters, as fra"),
        Setting("memory", "memory of a machine", "1gb"),
        Setting("cpus", "processors of a machine, shared", "1"),
        Setting("min", "machines that always run", "1"),
        *COMMON,
    )
    notes = ("Anyone can reach the address; the server asks for the bearer token.",)

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        given = {key: self.given[key] for key in ("region", "memory", "cpus", "min")}
        return {"fly.toml": _FLY.format(name=name, port=PORT, **given)}

    def commands(self, name: str, tag: str) -> Commands:
        deploy = f"fly deploy --config fly.toml --image-label {tag} --yes"
        return Commands(
            create=(
                f"fly apps create {name}",
                f"fly secrets set --stage -a {name} NBDEPLOY_TOKEN_SHA256={HASH}",
                deploy,
            ),
            update=(deploy,),
            rollback=(f"fly deploy --config fly.toml --image registry.fly.io/{name}:{tag} --yes",),
            remove=(f"fly apps destroy {name} --yes",),
            status=f"fly status -a {name} --json",
            logs=f"fly logs -a {name} --no-tail",
        )

    def address(self, name: str) -> str:
        return f"https://{name}.fly.dev"

    def read(self, said: str) -> dict[str, Any]:
        machines = from_json(said).get("Machines") or []
        states = [str(machine.get("state", "unknown")) for machine in machines]
        if not states:
            return {"state": "down", "why": "it has no machines"}
        state = "up" if {"started", "stopped", "suspended"} & set(states) else "down"  # it starts a stopped one
        return {"state": state, "why": f"{len(states)} machines: {', '.join(sorted(states))}"}
