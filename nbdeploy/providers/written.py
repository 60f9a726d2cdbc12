"""Places that nbdeploy writes files for, and whose own command a person (or, for what comes later, nbdeploy) runs.

A subclass says its files and its commands; it can be 80 lines. The files are put into a folder beside the
bundle's own, so that the folder is all that the place's command needs.
"""

from __future__ import annotations

import http.client
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nbdeploy.core.files import new_folder
from nbdeploy.core.report import Check
from nbdeploy.errors import ProviderError
from nbdeploy.providers import asking, store
from nbdeploy.providers.base import Plan, Price, Provider, Record, Setting
from nbdeploy.providers.image import builder, copied, image_files
from nbdeploy.providers.releases import before, checked, insist_new, tag_of
from nbdeploy.providers.store import hashed
from nbdeploy.providers.tools import ask, credentials_check, here, tool_check

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

COMMANDS = "commands.txt"
"""The file that marks a folder as written here: what to type, in order."""
PORT = 8080
"""That images are told to listen at, where the place does not choose."""
HASH = "$NBDEPLOY_TOKEN_SHA256"
"""In a command: the SHA-256 of the endpoint's token, which is known when the endpoint is made."""
COMMON = (
    Setting("out", "the folder to write to; build/NAME-PROVIDER", ""),
    Setting("url", "where it answers, once you made it", ""),
    Setting("price", 'what it costs an hour, "0.05 USD", and when you read it, "0.05 USD 2026-11-01"', ""),
)
IMAGE = Setting("image", "the image's name in your registry, without a tag: registry.example/you/model")


@dataclass(frozen=True, slots=True)
class Commands:
    """What is typed at a place. `status` prints what `Written.read` reads."""

    create: tuple[str, ...]
    update: tuple[str, ...]
    remove: tuple[str, ...] = ()
    rollback: tuple[str, ...] = ()
    """Back to the release whose tag it was made for."""
    status: str = ""
    logs: str = ""
    """``{lines}`` stands for the number of lines."""


class Written(Provider):
    """Subclasses bind `tool`, `get`, `files` and `commands`."""

    acts = False
    status_here = "contract-tested"
    settings: ClassVar[tuple[Setting, ...]] = COMMON
    tool: ClassVar[str]
    """The place's own command."""
    get: ClassVar[str]
    """How the tool is had, in a sentence."""
    credentials: ClassVar[tuple[str, ...]] = ()
    """Environment variables of which one says who you are."""
    sign_in: ClassVar[str] = ""
    notes: ClassVar[tuple[str, ...]] = ()
    needs_image: ClassVar[bool] = False
    """Whether an image is built and pushed first."""
    guarded: ClassVar[bool] = True
    """Whether the server asks for a bearer token; else the place itself asks who calls."""

    @abstractmethod
    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        """The place's own files: path -> content."""

    @abstractmethod
    def commands(self, name: str, tag: str) -> Commands:
        """What is typed for the endpoint `name` and the release `tag`."""

    def read(self, said: str) -> dict[str, Any]:
        """What the place's status command said: ``{"state", "why"}`` and, where it says so, ``url``."""
        return {"state": "unknown", "why": said.strip()[:200]}

    def address(self, name: str) -> str:
        """Where the endpoint will answer, where that is known beforehand; else empty."""
        return ""

    def check(self) -> list[Check]:
        found = [tool_check(self.tool, self.get)]
        if self.needs_image:
            found.append(tool_check(builder(), "Install docker or podman to build and push the image."))
        if self.credentials:
            found.append(credentials_check(self.credentials, self.sign_in))
        return found

    def plan(self, bundle: Bundle, name: str) -> Plan:
        folder, written = self.folder(checked(name)), self.written(bundle, name)
        lines = self._create(name, tag_of(bundle))
        price = Price.given(self.given["price"])
        return Plan(
            provider=self.name,
            name=name,
            steps=(
                f"write {', '.join(written)} beside a copy of the bundle into {folder}",
                *(f"you type: {line}" for line in lines),
            ),
            files={f"{folder}/{path}": text for path, text in written.items()},
            commands=(f"cd {folder}", *lines),
            price=price,
            why_no_price="" if price else "No price is known here: --set price='0.05 USD' says what you pay an hour.",
            notes=self.notes,
        )

    def apply(self, bundle: Bundle, name: str) -> Record:
        token = store.new_token(name) if self.guarded else ""
        self._write(bundle, name, token)
        tag = tag_of(bundle)
        return {
            "name": name,
            "url": self.given["url"] or self.address(name),
            "folder": str(self.folder(name).absolute()),
            "tags": [tag],
            "made": [tag],
            "commands": list(self._create(name, tag, token)),
        }

    def status(self, record: Record) -> dict[str, Any]:
        line = self.commands(record["name"], record["tags"][-1]).status
        if record["url"] and (said := self._ready(record)):
            return said
        if not line:
            return {"state": "unknown", "why": f"It does not answer, and {self.name} has no command that says more."}
        try:
            return self.read(ask(line, patience_s=60))
        except ProviderError as error:
            return {"state": "unknown", "why": str(error)}

    def logs(self, record: Record, lines: int = 100) -> list[str]:
        line = self.commands(record["name"], record["tags"][-1]).logs
        if not line:
            raise ProviderError(f"{self.name} shows logs only on its own page.", hint="Look there.")
        return ask(line.format(lines=lines), patience_s=60).splitlines()[-lines:]

    def update(self, bundle: Bundle, record: Record) -> Record:
        name, tag = record["name"], tag_of(bundle)
        insist_new(name, tag, record["tags"])
        self._write(bundle, name, store.token(name))
        lines = self._pushed(tag) + self.commands(name, tag).update
        self.run(lines, record)
        return {**record, "tags": [*record["tags"], tag], "made": [*record["made"], tag], "commands": list(lines)}

    def rollback(self, record: Record) -> Record:
        lines = self.commands(record["name"], before(record["name"], record["tags"])).rollback
        if not lines:
            raise ProviderError(f"{self.name} goes back only on its own page.", hint="Nothing was changed.")
        self.run(lines, record)
        return {**record, "tags": record["tags"][:-1], "commands": list(lines)}

    def remove(self, record: Record) -> None:
        folder = Path(record["folder"])
        if not (folder / COMMANDS).is_file():
            return
        lines = self.removal(record)
        self.run((*lines, f"rm -r {folder}"), record)

    def removal(self, record: Record) -> tuple[str, ...]:
        """What takes away all that was made for an endpoint."""
        return self.commands(record["name"], record["tags"][-1]).remove

    def _ready(self, record: Record) -> dict[str, Any]:
        """What ``/readyz`` says; {} where it cannot be asked from here."""
        try:
            answer = asking.ask(record["url"], "/readyz", token=store.token(record["name"]), timeout=5)
        except (OSError, http.client.HTTPException):
            return {}
        return {"state": "up", "why": "/readyz says that it is ready"} if answer.status == http.client.OK else {}

    def folder(self, name: str) -> Path:
        """Where the files for the endpoint `name` go."""
        return Path(self.given["out"] or f"build/{name}-{self.name}")

    def written(self, bundle: Bundle, name: str) -> dict[str, str]:
        """Every file that is written besides the bundle's own: path in the folder -> content."""
        return {**self.image(bundle), **self.files(bundle, name)}

    def image(self, bundle: Bundle) -> dict[str, str]:
        """How the image is built from the folder. Raises UsageError for a bundle without a server."""
        return image_files(bundle)

    def run(self, lines: Sequence[str], record: Record) -> None:
        """Type `lines` in the folder. Raises ProviderError with all of them where a person has to."""
        absent = sorted({line.split()[0] for line in lines if not here(line.split()[0])})
        if absent or any("$" in line for line in lines):
            why = f"{' and '.join(absent)} not installed here" if absent else "it needs what only you can fill in"
            raise ProviderError(
                f"{self.name} was not changed: {why}.", hint="Type: " + " && ".join([f"cd {record['folder']}", *lines])
            )
        for line in lines:
            ask(line, folder=Path(record["folder"]))

    def _create(self, name: str, tag: str, token: str = "") -> tuple[str, ...]:
        lines = self._pushed(tag) + self.commands(name, tag).create
        return tuple(line.replace(HASH, hashed(token)) for line in lines) if token else lines

    def _pushed(self, tag: str) -> tuple[str, ...]:
        """What builds and pushes the image of the release `tag`, where the place takes an image."""
        if not self.needs_image:
            return ()
        image = f"{self.given['image']}:{tag}"
        return f"{builder()} build -f Containerfile -t {image} .", f"{builder()} push {image}"

    def _write(self, bundle: Bundle, name: str, token: str = "") -> None:
        lines = self._create(checked(name), tag_of(bundle), token)
        with new_folder(self.folder(name), overwrite=True, mark=COMMANDS) as work:
            copied(bundle, work)
            for path, text in {**self.written(bundle, name), COMMANDS: "\n".join(lines) + "\n"}.items():
                (work / path).parent.mkdir(parents=True, exist_ok=True)
                (work / path).write_text(text.replace(HASH, hashed(token)) if token else text, encoding="utf-8")
