"""What endpoints and their releases are called at a place, and which release came before which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbdeploy.core.bundle import SEAL
from nbdeploy.errors import ProviderError, UsageError

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle


def checked(name: str) -> str:
    """`name`, where every place takes it. Raises UsageError."""
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", name):
        return name
    raise UsageError(
        f'"{name}" is no name for an endpoint there.',
        hint="Take at most 32 small letters, digits and hyphens, a letter first: my-model",
    )


def tag_of(bundle: Bundle) -> str:
    """A release's name at a place: the model's version and eight digits of the bundle's seal."""
    version = re.sub(r"[^a-z0-9]+", "-", bundle.version.lower()).strip("-")[:20] or "0"
    return f"v{version}-{str(bundle.manifest[SEAL])[:8]}"


def insist_new(name: str, release: str, releases: Sequence[str]) -> None:
    """Raise ProviderError where `release` is what answers now: the last of `releases`."""
    if release == releases[-1]:
        raise ProviderError(f"{name} has this very release ({release}).", hint="Update with another bundle.")


def before(name: str, releases: Sequence[str]) -> str:
    """The release before the one that answers now. Raises ProviderError where there is none."""
    if len(releases) < 2:  # noqa: PLR2004 - the release now and the one before
        raise ProviderError(f"{name} has no release before {releases[-1]}.", hint="Nothing was changed.")
    return releases[-2]
