"""Serving a bundle over HTTP. Imports no torch, no fastai and no target: a bundle's own files are all it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbdeploy.errors import UsageError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from nbdeploy.core.bundle import Bundle


def application(bundle: Bundle, *, loopback: bool) -> Starlette:
    """What answers for `bundle`; `loopback` where only this machine can ask. Raises UsageError.

    What a bundle holds decides, not its target's name.
    """
    from nbdeploy.serve.site import HOME, site  # noqa: PLC0415 - starlette

    if any(file["path"] == HOME for file in bundle.manifest["files"]):
        return site(bundle, loopback=loopback)
    raise UsageError(
        f"{bundle.path} ({bundle.target}) has no page to serve; so far nbdeploy serves the targets web and tfjs only.",
        hint="Type: nbdeploy deploy MODEL --target web, or ask this one with: nbdeploy predict BUNDLE FILE",
    )
