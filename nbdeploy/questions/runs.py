"""The options of runs, and what they ask of one."""

from __future__ import annotations

import argparse

from nbdeploy.core.calls import Call
from nbdeploy.parsing import Parser
from nbdeploy.questions.common import one_of
from nbdeploy.tracking.recording import KINDS
from nbdeploy.tracking.shown import SIGNS

FILTERS = frozenset({"kind", "where", "status", "all", "removed"})
"""The options that are arguments of `nd.runs`."""
ACTIONS = ("show", "compare", "reproduce", "remove", "restore", "note", "tag")


def runs_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `runs`."""
    del notebook
    parser.add_argument("id", nargs="?", metavar="ID", help="one run; all of this project without")
    action = one_of("action", ACTIONS)
    parser.add_argument("action", nargs="?", type=action, metavar="ACTION", help=f"what to do: {', '.join(ACTIONS)}")
    what = "of compare: the runs to put beside it; of note and tag: the words"
    parser.add_argument("words", nargs="*", metavar="MORE", help=what)
    kind = one_of("kind", KINDS)
    parser.add_argument("--kind", type=kind, help=f"only those: {', '.join(KINDS)}")
    parser.add_argument("--where", metavar="CONDITION", help="only those: \"accuracy > .9 and arch == 'resnet18'\"")
    status = one_of("status", tuple(SIGNS))
    parser.add_argument("--status", type=status, help=f"only those: {', '.join(SIGNS)}")
    parser.add_argument("--all", action="store_true", help="those of other folders too")
    parser.add_argument("--removed", action="store_true", help="also those that were removed")
    parser.add_argument("--sort", metavar="NAME", help="by a parameter or metric, the best first (the newest first)")
    parser.add_argument("--plot", metavar="FILE", help="draw parallel coordinates into a new .png, .svg or .pdf")
    parser.add_argument("--history", metavar="FILE", help="draw the figures epoch by epoch into a new file")


def run_call(args: argparse.Namespace) -> Call | None:
    """What is to be done with the run that is named, or of `compare` with all of them; None where it is only shown."""
    if args.action in {None, "show"}:
        return None
    if args.action == "compare":
        return Call("compare", (args.id, *args.words))
    words = (" ".join(args.words),) if args.action == "note" else args.words if args.action == "tag" else ()
    return Call(args.action, tuple(words))
