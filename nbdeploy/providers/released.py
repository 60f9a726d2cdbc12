"""What the providers `local` and `ssh` share: releases in folders, a link to the one that is wanted, and a supervisor.

The supervisor (``nbdeploy/templates/supervisor``, copied to the machine) owns the listening socket. A new release is
first run on a port of its own and asked about its samples; then its server gets the same socket as the old one, which
ends when it has answered what it had taken. So no request meets a closed door.
"""

from __future__ import annotations

import ipaddress
import json
from abc import abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from nbdeploy.core import numbers
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.progress import step
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.base import Plan, Provider, Record, Setting
from nbdeploy.providers.machine import Machine
from nbdeploy.providers.probe import insist, probe
from nbdeploy.providers.site import LOOPBACK, Site, needs_server

SETTINGS = (
    Setting("bind", "the address to listen on; where others can reach it, a token is asked for", LOOPBACK),
    Setting("port", "the port; 0 takes a free one and stays with it", "0"),
    Setting("token", "whether callers need a token: yes, no or auto", "auto"),
    Setting("environment", "own: a virtual environment is made; system: that Python has what is needed", ""),
    Setting("keep", "releases that are kept, to go back to", "3"),
    Setting("threads", "requests that are computed at a time; one a processor core by default", ""),
    Setting("rate", "requests that a caller may make, as 600/minute", ""),
    Setting("cors", "origins whose pages may ask, separated by commas", ""),
    Setting("max_body", "bytes of one request, at most", ""),
)
_VARIABLES = ("threads", "rate", "cors", "max_body")


class Released(Provider):
    """A machine with a folder an endpoint. Subclasses say which machine, which folder and which Python."""

    environment: ClassVar[str]
    """What the setting of that name is by default."""
    shared: ClassVar[bool]
    """Whether people other than the user may be on the machine, so that its own address is no protection."""
    no_price: ClassVar[str]
    notes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def machine(self) -> Machine:
        """The machine, connected. Raises ProviderError."""

    @abstractmethod
    def folder(self, name: str) -> str:
        """The endpoint's folder there."""

    @property
    @abstractmethod
    def python(self) -> str:
        """The Python that runs the supervisor, and that environments are made of."""

    def began(self, site: Site, name: str) -> dict[str, Any]:
        """Start the supervisor; gives its state."""
        return site.supervise("start").json()

    def ending(self, site: Site, name: str) -> None:
        """Take away what `began` made beside the process."""

    def wheels(self) -> list[Path]:
        """Files of packages to install from, in place of an index."""
        return []

    def unit(self, name: str) -> dict[str, str]:
        """Files of the plan that the subclass adds."""
        return {}

    def plan(self, bundle: Bundle, name: str) -> Plan:
        needs_server(bundle)
        folder, port = self.folder(name), self.given["port"]
        size = numbers.size(sum(file["bytes"] for file in bundle.manifest["files"])).replace(numbers.SPACE, " ")
        where = f"{self.given['bind']}:{port}" if port != "0" else f"a free port of {self.given['bind']}"
        fitting = f"see that {self.python} has what its server needs"
        if self._environment() == "own":
            fitting = f"make an environment of {self.python} with what its server needs, once a list of packages"
        service = json.dumps(self._service(name), indent=2) + "\n"
        return Plan(
            provider=self.name,
            name=name,
            steps=(
                f"copy {bundle.name} {bundle.version} ({size}) to {folder}/releases, each file held to its hash",
                fitting,
                f"run it on a port of its own and ask it about its {len(bundle.manifest['samples'])} samples",
                f"listen on {where}, by a supervisor that starts the server again when it fails",
                "ask there again; where it does not answer as the bundle does, all of it is taken away",
            ),
            files={f"{folder}/service.json": service, **self.unit(name)},
            commands=(f"cd {folder} && {self.python} -S -m supervisor start {folder}",),
            why_no_price=self.no_price,
            notes=(self._who(), *self.notes),
        )

    def apply(self, bundle: Bundle, name: str) -> Record:
        needs_server(bundle)
        site = self._site(self.folder(name))
        if not site.machine.run(["test", "-e", site.folder]).code:
            raise ProviderError(f"{site.folder} is there already.", hint="Choose another name: --endpoint NAME")
        record: Record = {"folder": site.folder, "releases": [], "release": ""}
        if self._asks_for_token():
            store.new_token(name)
        try:
            site.set_up(self._service(name), self._token_line(name))
            release = self._put(site, bundle, [])
            site.attempt(release, bundle, store.token(name), what=f"{name} was not made")
            site.point(release)
            with step("starting it"):
                state = self.began(site, name)
            if not state.get("ready"):
                raise ProviderError(f"{name} did not start: {state.get('why')}", hint=site.tail())
            record |= {"releases": [release], "release": release, **self._address(state)}
            insist(probe(record["url"], bundle, store.token(name), reach=self.reach(record)), f"{name} is not up")
        except BaseException:
            self._clear(site, name)
            raise
        return record

    def update(self, bundle: Bundle, record: Record) -> Record:
        needs_server(bundle)
        site, name = self._site(record["folder"]), _name(record)
        release = self._put(site, bundle, record["releases"])
        try:
            site.attempt(release, bundle, store.token(name), what=f"{name} was not changed")
            state = self._over_to(site, release)
            checks = probe(record["url"], bundle, store.token(name), reach=self.reach(record))
            insist(checks, f"{name} did not answer as {bundle.name} {bundle.version}, so it was taken back")
        except BaseException:
            if site.supervise("status").json().get("release") == release:
                site.supervise("switch", record["release"])
            site.drop(release)
            raise
        kept = [*record["releases"], release]
        most = max(2, int(self.given["keep"]))
        for old in kept[:-most]:
            site.drop(old)
        return self.canary(None, {**record, "releases": kept[-most:], "release": release, **self._address(state)}, 0)

    def rollback(self, record: Record) -> Record:
        releases = list(record["releases"])
        if len(releases) < 2:  # noqa: PLR2004 - the one that answers, and one before
            raise ProviderError(
                f"{_name(record)} has no release before {record['release']}.", hint="Put another bundle there: update."
            )
        site, (*before, left) = self._site(record["folder"]), releases
        state = self._over_to(site, before[-1])
        site.drop(left)
        return self.canary(None, {**record, "releases": before, "release": before[-1], **self._address(state)}, 0)

    def status(self, record: Record) -> dict[str, Any]:
        try:
            done = self._site(record["folder"]).supervise("status")
        except ProviderError as error:
            return {"state": "unknown", "why": error.message}
        state = done.json()
        if not state:
            return {"state": "down", "why": f"There is nothing in {record['folder']}: {done.last}"}
        more: dict[str, Any] = {key: state[key] for key in ("release", "restarts", "pid") if key in state}
        if state["alive"] and state.get("ready"):
            return {"state": "up", "why": "", **more}
        words = f"Its process has ended. Start it again: nbdeploy endpoints {_name(record)} update"
        if state["alive"]:
            words = state.get("why") or "Its server is being started."
        return {"state": "down", "why": words, **more}

    def logs(self, record: Record, lines: int = 100) -> list[str]:
        done = self.machine().run(["tail", "-n", str(lines), f"{record['folder']}/log"])
        if done.code:
            raise ProviderError(f"There is no log: {done.last}", hint="nbdeploy endpoints says how the endpoint is.")
        return done.out.splitlines()

    def remove(self, record: Record) -> None:
        self._clear(self._site(record["folder"]), _name(record))

    def canary(self, bundle: Bundle | None, record: Record, share: float) -> Record:
        site, name = self._site(record["folder"]), _name(record)
        rest = {key: value for key, value in record.items() if key != "canary"}
        beside = site.within("canary")
        if bundle is not None:
            needs_server(bundle)
        if "canary" in record:
            site.machine.run(["rm", "-f", "--", f"{site.folder}/canary.json"])
            beside.clear()
        if bundle is None:
            return rest
        environments = str(PurePosixPath(site.folder).parent / "environments")
        try:
            service = {**self._service(name), "host": LOOPBACK, "port": 0, "environments": environments}
            beside.set_up(service, self._token_line(name))
            beside.point(self._put(beside, bundle, []))
            state = beside.supervise("start").json()
            if not state.get("ready"):
                raise ProviderError(f"The canary did not start: {state.get('why')}", hint=beside.tail())
            beside.ask(int(state["port"]), bundle, store.token(name), what="The canary does not answer as its bundle")
        except BaseException:
            beside.clear()
            raise
        passes_on = {"url": f"http://{LOOPBACK}:{state['port']}", "share": share}
        site.machine.write(f"{site.folder}/canary.json", json.dumps(passes_on).encode())
        return {**rest, "canary": {"share": share, "name": bundle.name, "version": bundle.version}}

    def _site(self, folder: str) -> Site:
        machine = self.machine()
        return Site(machine, machine.absolute(folder), self.python)

    def _put(self, site: Site, bundle: Bundle, releases: list[str]) -> str:
        return site.put(bundle, releases, environment=self._environment(), wheels=self.wheels())

    def _over_to(self, site: Site, release: str) -> dict[str, Any]:
        """Hand the socket to `release`; gives the state. Raises ProviderError: then nothing has changed."""
        with step("handing over"):
            state = site.supervise("switch", release).json()
        if not state.get("ready"):
            raise ProviderError(f"Nothing was changed: {state.get('why')}", hint=site.tail())
        return state

    def _clear(self, site: Site, name: str) -> None:
        self.ending(site, name)
        site.within("canary").clear()
        site.clear()

    def _service(self, name: str) -> dict[str, Any]:
        if not self.given["port"].isdigit() or not self.given["keep"].isdigit():
            raise UsageError("port and keep take numbers.", hint="Type: --set port=8000")
        variables = {f"NBDEPLOY_{key.upper()}": self.given[key] for key in _VARIABLES if self.given[key]}
        host, port = self.given["bind"], int(self.given["port"])
        return {"endpoint": name, "host": host, "port": port, "environment": variables}

    def _address(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"port": state["port"], "url": f"http://{self.public_host()}:{state['port']}"}

    def public_host(self) -> str:
        """The name that the endpoint is asked by."""
        host = self.given["bind"]
        return f"[{host}]" if ":" in host else host

    def _environment(self) -> str:
        found = self.given["environment"] or self.environment
        if found not in {"system", "own"}:
            raise UsageError(f"environment is own or system, not {found}.", hint="Type: --set environment=own")
        return found

    def loopback(self) -> bool:
        """Whether only the machine itself can reach the endpoint."""
        try:
            return ipaddress.ip_address(self.given["bind"]).is_loopback
        except ValueError:
            return self.given["bind"] == "localhost"

    def _asks_for_token(self) -> bool:
        wanted = self.given["token"]
        if wanted not in {"yes", "no", "auto"}:
            raise UsageError(f"token is yes, no or auto, not {wanted}.", hint="Type: --set token=yes")
        if wanted == "no" and not self.loopback():
            raise UsageError("An endpoint that others can reach asks for a token.", hint="Leave token=no out.")
        return wanted == "yes" or (wanted == "auto" and (self.shared or not self.loopback()))

    def _token_line(self, name: str) -> str:
        return store.token_line(name) if self._asks_for_token() else ""

    def _who(self) -> str:
        if self.loopback():
            asks = "and they need its token" if self._asks_for_token() else "and no token is asked"
            return f"Only programs on that machine can reach it, {asks}."
        return (
            "Whoever reaches that machine can reach it, with its token, over plain HTTP: put a proxy that speaks HTTPS "
            "in front, and let it listen on 127.0.0.1."
        )


def _name(record: Record) -> str:
    return PurePosixPath(str(record["folder"])).name
