"""%runs: the line of Python that it stands for, and what that gives."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from nbdeploy.core.calls import python_call
from nbdeploy.jupyter.naming import say_line


def asked_of_runs(args: argparse.Namespace, keywords: Mapping[str, Any]) -> Any:
    """What `args` of the magic ask for; `keywords` are those of `nd.runs`."""
    from nbdeploy.core.figures import save_figure  # noqa: PLC0415 - only this magic needs them
    from nbdeploy.flow import runs  # noqa: PLC0415

    found, call = runs(**keywords), python_call("nd.runs", **keywords)
    if args.id is None:
        if args.sort:
            found, call = found.sort(args.sort), python_call(f"{call}.sort", args.sort)
        for name, file in (("plot", args.plot), ("history", args.history)):
            if file:
                say_line(f"{call}.{name}().savefig({file!r})")
                save_figure(getattr(found, name)(), file)
        say_line(call)
        return found
    if args.action == "compare":
        say_line(python_call(f"{call}.compare", args.id, *args.words))
        return found.compare(args.id, *args.words)
    run, call = found[args.id], f'{call}["{args.id}"]'
    if args.action in {None, "show"}:
        say_line(call)
        return run
    words = [" ".join(args.words)] if args.action == "note" else args.words if args.action == "tag" else []
    say_line(python_call(f"{call}.{args.action}", *words))
    return getattr(run, args.action)(*words)
