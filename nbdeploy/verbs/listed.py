"""nbdeploy endpoints, nbdeploy runs: a table of all, or one of them and what is to be done with it."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from nbdeploy.parsing import Line
from nbdeploy.questions.endpoints import endpoint_call
from nbdeploy.questions.runs import FILTERS, run_call
from nbdeploy.verbs.done import Done

_WATCH_S = 2.0


def endpoints(line: Line) -> Done:
    """All endpoints as a table, or one of them and what is to be done with it."""
    from nbdeploy.flow import endpoints as find  # noqa: PLC0415 - called lazily

    every, args = find(), line.args
    if args.name is None:
        if args.watch:
            return Done({}, str(every), then=lambda: _watch(every))
        data = every.to_dict()
        return Done(data, every.as_text(data["endpoints"]))
    one, asked = every[args.name], endpoint_call(line, args.model)
    made = asked.on(one)
    if asked.method == "status":
        said = f"{made['state']}: {made['why']}" if made["why"] else made["state"]
        return Done({**one.to_dict(), "status": made}, f"{one}\n{said}", ok=made["state"] != "down")
    if asked.method == "logs":
        return Done({"lines": made}, "\n".join(made))
    if asked.method == "remove":
        return Done({"name": args.name, "removed": True}, f"{args.name} is gone, with all that was made for it.")
    return Done.of(one)


def _watch(every: Any) -> None:
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(_WATCH_S)
            table = str(every)
            clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else "\n"
            sys.stdout.write(f"{clear}{table}\n")
            sys.stdout.flush()


def runs(line: Line) -> Done:
    """All runs as a table, or one of them and what is to be done with it."""
    from nbdeploy.core.figures import check_picture, save_figure  # noqa: PLC0415 - called lazily
    from nbdeploy.flow import runs as find  # noqa: PLC0415

    args = line.args
    for file in filter(None, (args.plot, args.history)):
        check_picture(file)  # what cannot be is said first
    found = find(**line.given(only=FILTERS))
    if args.id is not None:
        run, asked = found[args.id], run_call(args)
        made = run if asked is None else asked.on(found if args.action == "compare" else run)
        if args.action == "remove":
            return Done(made.to_dict(), f"{run.id} is no longer listed. Undo: nbdeploy runs {run.id} restore")
        return Done.of(made)
    found = found.sort(args.sort) if args.sort else found
    drawn = [f"{save_figure(found.plot(), args.plot)}: parallel coordinates"] if args.plot else []
    drawn += [f"{save_figure(found.history(), args.history)}: epoch by epoch"] if args.history else []
    return Done(found.to_dict(), "\n".join([str(found), *drawn]))
