"""Numbers of things, as a caller gives them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from nbdeploy.errors import UsageError


def check_counts(given: Mapping[str, Any], least: Mapping[str, int]) -> None:
    """Raise UsageError for what is no whole number of at least so many; None is what was left out."""
    for name, value in given.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise UsageError(f"{name} is {value!r}.", hint=f"It is a whole number, at least {least[name]}.")
        if value < least[name]:
            raise UsageError(f"{name} is {value}.", hint=f"It must be at least {least[name]}.")
