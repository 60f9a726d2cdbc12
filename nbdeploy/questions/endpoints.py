"""The options of endpoints, and of the verbs that ask for next to nothing: doctor, demo."""

from __future__ import annotations

from nbdeploy.errors import UnknownName
from nbdeploy.parsing import Named, Parser, share, whole

ACTIONS = ("status", "update", "canary", "rollback", "logs", "remove")


def _action(name: str) -> str:
    if name not in ACTIONS:
        raise UnknownName("action", name, ACTIONS)
    return name


def endpoints_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `endpoints`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one endpoint; all without")
    action = Named(lambda: ACTIONS, _action)
    parser.add_argument("action", nargs="?", type=action, metavar="ACTION", help=f"what to do: {', '.join(ACTIONS)}")
    what = "of update and canary: a bundle, or a model to make one of" + (", or a variable" if notebook else "")
    parser.add_argument("model", nargs="?", metavar="BUNDLE", help=what)
    parser.add_argument("--share", type=share, default=0.1, help="of canary: the requests that BUNDLE answers (0.1)")
    parser.add_argument("--end", action="store_true", help="of canary: end it")
    parser.add_argument("--lines", type=whole(1), default=100, metavar="N", help="of logs (100)")
    parser.add_argument("--forget", action="store_true", help="of remove: also where its place cannot be reached")
    if not notebook:
        parser.add_argument("--watch", action="store_true", help="show the table anew every two seconds")


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
