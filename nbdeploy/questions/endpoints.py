"""The options of endpoints, what they ask of one, and the options of doctor and demo, which ask for next to nothing."""

from __future__ import annotations

from typing import Any

from nbdeploy.core.calls import Call
from nbdeploy.errors import UsageError
from nbdeploy.parsing import Line, Parser, share, whole
from nbdeploy.questions.common import one_of

ACTIONS = ("status", "update", "canary", "rollback", "logs", "remove")


def endpoints_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `endpoints`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one endpoint; all without")
    action = one_of("action", ACTIONS)
    parser.add_argument("action", nargs="?", type=action, metavar="ACTION", help=f"what to do: {', '.join(ACTIONS)}")
    what = "of update and canary: a bundle, or a model to make one of" + (", or a variable" if notebook else "")
    parser.add_argument("model", nargs="?", metavar="BUNDLE", help=what)
    parser.add_argument("--share", type=share, default=0.1, help="of canary: the requests that BUNDLE answers (0.1)")
    parser.add_argument("--end", action="store_true", help="of canary: end it")
    parser.add_argument("--lines", type=whole(1), default=100, metavar="N", help="of logs (100)")
    parser.add_argument("--forget", action="store_true", help="of remove: also where its place cannot be reached")
    if not notebook:
        parser.add_argument("--watch", action="store_true", help="show the table anew every two seconds")


def endpoint_call(line: Line, model: Any) -> Call:
    """What `line` asks of the endpoint it names; `model` stands for the bundle that it names. Raises UsageError."""
    args = line.args
    values: tuple[Any, ...] = ()
    if args.action == "logs":
        values = (args.lines,)
    elif args.action == "update" and args.model:
        values = (model,)
    elif args.action == "canary":
        if not args.model and not args.end:
            hint = f"Type: {line.parser.prog} {args.name} canary BUNDLE --share 0.1"
            raise UsageError("Which bundle?", hint=hint)
        values = (None,) if args.end else (model, args.share)
    forget = args.forget and args.action == "remove"
    return Call(args.action or "status", values, {"forget": True} if forget else {})


def doctor_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `doctor`."""
    del notebook
    parser.add_argument("--gpu", action="store_true", help="look for a GPU too, which imports torch (seconds)")
    parser.add_argument(
        "--setup-arm", action="store_true", help="get what running bundles on an emulated ARM64 processor takes, once"
    )


def demo_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `demo`."""
    del notebook
    parser.add_argument("-o", "--out", default="build/digits-tflite", metavar="DIR", help="(build/digits-tflite)")
