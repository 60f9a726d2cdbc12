"""nbdeploy dataset, nbdeploy audit."""

from __future__ import annotations

import shlex

from nbdeploy.errors import UsageError
from nbdeploy.parsing import Line
from nbdeploy.verbs.done import Done


def dataset(line: Line) -> Done:
    """Make a data set's folder, or list the data sets."""
    from nbdeploy.data.datasets import dataset as make  # noqa: PLC0415 - called lazily
    from nbdeploy.data.datasets import dataset_cards  # noqa: PLC0415

    args = line.args
    if args.list:
        cards = dataset_cards()
        return Done({name: str(card) for name, card in cards.items()}, "\n".join(map(str, cards.values())))
    if args.name is None:
        raise UsageError("Which data set?", hint="Type: nbdeploy dataset --list")
    out = make(args.name, **line.given(leave={"name", "list"}))
    data = {"name": args.name, "path": str(out)}
    return Done(data, f"{out}\nNext: nbdeploy train {shlex.quote(str(out))} -o build/model")


def audit(line: Line) -> Done:
    """Say what is suspect. Findings are no failures."""
    from nbdeploy.data.audit import audit as look  # noqa: PLC0415 - called lazily

    args = line.args
    found = look(args.data, **line.given(leave={"data", "kind", "top"}))
    found = found.of(args.kind) if args.kind else found
    return Done.of(found.top(args.top) if args.top else found)
