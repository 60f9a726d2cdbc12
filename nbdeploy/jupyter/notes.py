"""nbdeploy's own warnings in a notebook: one line with a sign, not a red block with a path and a line of code."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from nbdeploy.core.live import Live, in_notebook
from nbdeploy.core.look import joined, output, sign, tag
from nbdeploy.errors import NbdeployWarning, say


def show_notes() -> Callable[[], None]:
    """Show them so from now on; gives the function that ends it. Warnings of others are shown as before."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *args: Any, **keywords: Any) -> None:
        if not issubclass(category, NbdeployWarning):
            before(message, category, *args, **keywords)
        elif in_notebook():
            line = tag("div", "", sign("warned", "Note"), joined(" ", str(message)))
            Live().show(output(line), f"Note: {message}")
        else:
            say(f"Note: {message}")

    def end() -> None:
        if warnings.showwarning is show:
            warnings.showwarning = before

    warnings.showwarning = show
    return end
