"""What ``%load_ext nbdeploy`` puts into a shell, and takes out of it again."""

from __future__ import annotations

import contextlib
import functools
import importlib
import shlex
from collections.abc import Callable
from typing import Any, Literal

from nbdeploy.jupyter.magics import Magics
from nbdeploy.jupyter.naming import in_one_line
from nbdeploy.options import MAGICS, add_options
from nbdeploy.parsing import Line, Parser

_LIVE = {
    ("nbdeploy.providers.table", "Endpoints"): "nbdeploy.jupyter.widgets.endpoints",
    ("nbdeploy.tracking.runs", "Runs"): "nbdeploy.jupyter.widgets.runs",
}
"""What a notebook shows live -> the module whose `show` does."""
_ATTRIBUTE = "_nbdeploy_magics"


def load(shell: Any) -> None:
    """Register the magics, their completion, the watch for Learners and nbdeploy's way of showing its warnings.

    Loading twice is loading once.
    """
    unload(shell)
    magics = Magics(shell)
    for name in MAGICS:
        shell.register_magic_function(_magic(name, getattr(magics, name)), _kind(name), name)
    for event, callback in magics.events.items():
        shell.events.register(event, callback)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(magics.matcher)
    for kind, module in _LIVE.items():
        shell.display_formatter.ipython_display_formatter.for_type_by_name(*kind, _shows(module))
    setattr(shell, _ATTRIBUTE, magics)


def unload(shell: Any) -> None:
    """Take away what `load` registered."""
    magics = getattr(shell, _ATTRIBUTE, None)
    if magics is None:
        return
    for name in MAGICS:
        for registered in shell.magics_manager.magics.values():
            registered.pop(name, None)
    for event, callback in magics.events.items():
        shell.events.unregister(event, callback)
    if shell.Completer is not None and magics.matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(magics.matcher)
    for kind in _LIVE:
        with contextlib.suppress(KeyError):
            shell.display_formatter.ipython_display_formatter.pop(".".join(kind))
    magics.end_notes()
    delattr(shell, _ATTRIBUTE)


def _shows(module: str) -> Callable[[Any], None]:
    def show(value: Any) -> None:
        importlib.import_module(module).show(value)  # loads anywidget

    return show


def _kind(name: str) -> Literal["line", "line_cell"]:
    """A magic for cells is one for lines too, since IPython asks no cell magic for help without a cell below."""
    return "line_cell" if MAGICS[name].cell else "line"


def _magic(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
    """What the shell calls for a magic: `act` with its parsed line, and the cell where it takes one."""

    @functools.wraps(act)
    def magic(text: str, *cell: str) -> Any:
        line = _parse(name, text)
        return None if line is None else act(line, *cell)

    return magic


def _parse(verb: str, text: str) -> Line | None:
    """The line, or None where --help was asked for and printed. Raises IPython's one-line UsageError."""
    parser = add_options(Parser(prog=f"{'%%' if MAGICS[verb].cell else '%'}{verb}"), verb, notebook=True)
    try:
        with in_one_line():
            return Line(parser, parser.parse_args(shlex.split(text)))
    except SystemExit:  # --help; a cell must not end the kernel
        return None
