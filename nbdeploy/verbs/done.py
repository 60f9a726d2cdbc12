"""What a verb of the terminal gives back to the command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Done:
    """A verb's result: `data` for ``--json``, `text` for people, and whether every check passed."""

    data: Any
    text: str
    ok: bool = True
    then: Callable[[], None] | None = None
    """What goes on after the result was printed, on a line of its own: a server."""

    @classmethod
    def of(cls, made: Any, *, ok: bool = True) -> Done:
        """What was made, as it says itself."""
        return cls(made.to_dict(), str(made), ok=ok)
