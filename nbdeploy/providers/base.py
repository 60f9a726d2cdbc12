"""What a provider is: a place that a bundle can be put, where it answers over HTTP.

`plan` says what would be made and changes nothing; `apply` makes it and is done when the place answered as the bundle
does. What a provider has to remember of an endpoint (addresses, release names, process ids) is a plain dictionary, its
record, which the caller keeps.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from nbdeploy.errors import MissingExtra, UsageError
from nbdeploy.registry import providers

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle
    from nbdeploy.core.report import Check
    from nbdeploy.providers.asking import Reach

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a provider can be told: ``--set NAME=VALUE``. Without a default it has to be given."""

    name: str
    about: str
    default: str | None = None
    secret: bool = False
    """Kept out of plans, records and logs."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a machine costs while it runs. No price is invented: where it is not known there is no Price."""

    hourly: float
    currency: str
    of: str
    """What the price is of, "2 vCPU, 4 GiB"."""
    source: str
    date: str
    """The day the price was read, ``YYYY-MM-DD``: prices age."""

    @classmethod
    def given(cls, text: str, of: str = "") -> Price | None:
        """The price that the person gave, "0.05 USD 2026-11-01" an hour; None for "". Raises UsageError."""
        if not text:
            return None
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ([A-Z]{3})(?: (\d{4}-\d\d-\d\d))?", text.strip())
        if not match:
            raise UsageError(f'"{text}" is no price.', hint='Type: --set price="0.05 USD" (an hour)')
        date = match[3] or dt.datetime.now(dt.UTC).date().isoformat()
        return cls(float(match[1]), match[2], of or "what you run there", "given by you", date)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would make, before it does."""

    provider: str
    name: str
    """Of the endpoint."""
    steps: tuple[str, ...]
    """What happens, in order, in words."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files that are written besides the bundle's own: path -> content."""
    commands: tuple[str, ...] = ()
    """What is run, or is to be typed by the person where nbdeploy cannot run it."""
    price: Price | None = None
    why_no_price: str = ""
    notes: tuple[str, ...] = ()
    """What a person should know first: who can reach it, what is not covered."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data: every field under its name."""
        lists = {key: list(getattr(self, key)) for key in ("steps", "commands", "notes")}
        return {**asdict(self), **lists, "files": dict(self.files)}

    def __str__(self) -> str:
        from nbdeploy.providers.plan_look import as_text  # noqa: PLC0415 - only where it is shown

        return as_text(self)

    def _repr_html_(self) -> str:
        from nbdeploy.providers.plan_look import as_html  # noqa: PLC0415 - only where it is shown

        return as_html(self)


class Provider(ABC):
    """A place. Subclasses are found by name in `nbdeploy.registry.providers`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    requires: ClassVar[tuple[str, ...]] = ()
    """Modules that must be importable."""
    acts: ClassVar[bool] = True
    """Whether `apply` acts by itself. The others write the plan's files and leave its commands to the person."""
    status_here: ClassVar[str]
    """How far it was tried where nbdeploy is developed: ``run``, ``contract-tested`` or ``generated``."""

    def __init__(self, **settings: str) -> None:
        known = {setting.name for setting in self.settings}
        wrong = sorted(set(settings) - known)
        if wrong:
            raise UsageError(
                f'The provider "{self.name}" knows no setting "{wrong[0]}".',
                hint=f"It knows: {', '.join(sorted(known)) or 'none'}.",
            )
        lacking = [s.name for s in self.settings if s.default is None and s.name not in settings]
        if lacking:
            raise UsageError(
                f'The provider "{self.name}" needs {", ".join(lacking)}.',
                hint="Type: " + " ".join(f"--set {name}=..." for name in lacking),
            )
        for module in self.requires:
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(f'The provider "{self.name}"', module, providers[self.name].extra)
        self.given: dict[str, str] = {s.name: settings.get(s.name, s.default or "") for s in self.settings}

    @abstractmethod
    def check(self) -> list[Check]:
        """What stands in the way, before anything is made: tools, accounts, machines. Changes nothing."""

    @abstractmethod
    def plan(self, bundle: Bundle, name: str) -> Plan:
        """What `apply` would make for `bundle` as the endpoint `name`. Pure: no network, nothing written."""

    @abstractmethod
    def apply(self, bundle: Bundle, name: str) -> Record:
        """Put `bundle` there. Gives the record: ``url`` (empty where the person has to act first), ``token`` never.

        Raises ProviderError; what was half made is taken away again.
        """

    @abstractmethod
    def status(self, record: Record) -> dict[str, Any]:
        """``{"state": "up" | "down" | "unknown", "why": str, ...}``. Does not raise for a place that is down."""

    @abstractmethod
    def logs(self, record: Record, lines: int = 100) -> list[str]:
        """The last lines, oldest first."""

    @abstractmethod
    def update(self, bundle: Bundle, record: Record) -> Record:
        """Put `bundle` in the place of what answers now, without losing a request where the place allows that. One that
        does not answer is taken back: ProviderError, and what answered before still does.
        """

    @abstractmethod
    def rollback(self, record: Record) -> Record:
        """Back to the release before. Raises ProviderError where there is none."""

    @abstractmethod
    def remove(self, record: Record) -> None:
        """Take away all that `apply` and `update` made, and nothing else. Twice is once."""

    def canary(self, bundle: Bundle | None, record: Record, share: float) -> Record:
        """Let `share` of the requests, 0..1, be answered by `bundle`; with None end that. Raises UsageError where the
        place cannot.
        """
        raise UsageError(
            f'The provider "{self.name}" does not divide requests between two bundles.',
            hint="Make a second endpoint, and divide them where they come from.",
        )

    def reach(self, record: Record) -> Reach | None:
        """How a connection is opened to an endpoint whose address does not lead to it from here; None where it does."""
        return None
