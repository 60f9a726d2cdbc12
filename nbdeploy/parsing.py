"""Parsing of a line of options: argparse, with nbdeploy's errors and nothing guessed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from nbdeploy.errors import UnknownName, UsageError

TERMINAL_ONLY = frozenset({"json", "traceback"})


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are nbdeploy's errors; a misspelt option gets "Did you mean"."""

    def __init__(self, **settings: Any) -> None:
        # A shortened option would be a guess, and a guess is never run.
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with what argparse found wrong."""
        said = re.sub(r"^argument (?:-\w/)?([^:]+): ", r"\1 ", message)
        if said.startswith("the following arguments are required: "):
            said = f"{said.rpartition(': ')[2]} is missing"
        raise UsageError(f"{said[:1].upper()}{said[1:]}.", hint=f"Example: {self.epilog_example}. Help: {self.prog} -h")

    @property
    def epilog_example(self) -> str:
        """The example line of the help."""
        return (self.epilog or self.prog).rpartition("\n")[2].strip()

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse, refusing an unknown option before argparse complains of anything else."""
        args = None if args is None else list(args)
        if args is not None and not self._has_verbs():
            self._refuse_unknown(args)
        found, extra = super().parse_known_args(args, namespace)
        if extra:
            self.error(f"There is no place for {' '.join(extra)}")
        return found, extra

    def actions(self) -> list[argparse.Action]:
        """Every option and positional value, in the order of the help."""
        return list(self._actions)

    def _has_verbs(self) -> bool:
        return self._subparsers is not None

    def _refuse_unknown(self, args: Sequence[str]) -> None:
        known = self._option_string_actions
        for word in args:
            if word == "--":
                return
            if " " in word or not re.match(r"--?[A-Za-z]", word):
                continue
            name = word.partition("=")[0]
            if name not in known and (word.startswith("--") or word[:2] not in known):
                raise UnknownName("option", name, [option for option in known if option.startswith("--")])


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was parsed. `args` holds every value of it, also those left at their defaults."""

    parser: Parser
    args: argparse.Namespace

    def given(self, *, leave: Collection[str] = (), only: Collection[str] | None = None) -> dict[str, Any]:
        """What differs from the defaults, as keywords of the Python call: without `leave`, or `only` those."""
        names = {action.dest for action in self.parser.actions()} - TERMINAL_ONLY - set(leave)
        return {
            name: value
            for name, value in vars(self.args).items()
            if name in names and (only is None or name in only) and value != self.parser.get_default(name)
        }


@dataclass(frozen=True, slots=True)
class Named:
    """The type of an option whose value is a name from a table: `names` for completion, `check` to accept one."""

    names: Callable[[], Iterable[str]]
    check: Callable[[str], str]

    def __call__(self, value: str) -> str:
        return self.check(value)


def whole(least: int) -> Callable[[str], int]:
    """The type of a whole number of at least `least`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?\d+", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"takes a whole number of at least {least}, not {text}")
        return int(text)

    return parse


def _number(check: Callable[[float], bool], what: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not check(value):
            raise argparse.ArgumentTypeError(f"takes {what}, not {text}")
        return value

    return parse


least_0 = _number(lambda x: 0 <= x < float("inf"), "a number of at least 0")
share = _number(lambda x: 0 < x < 1, "a share between 0 and 1")
part = _number(lambda x: 0 < x <= 1, "a share above 0, up to 1")
rate = _number(lambda x: 0 < x < float("inf"), "a number above 0")
