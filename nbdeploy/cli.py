# PYTHON_ARGCOMPLETE_OK
"""The `nbdeploy` command: the verbs of the Python API for a terminal and for CI.

Results go to standard output, all else to standard error. Exit status: 0 done, 1 a check failed or the work could not
be done, 2 wrong use, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from traceback import print_exception
from typing import Any

from nbdeploy.errors import MissingExtra, NbdeployError, NbdeployWarning, UnknownName, explain, say, show_tracebacks
from nbdeploy.options import VERBS, add_options
from nbdeploy.parsing import Line, Named, Parser

STOPPED = 130  # 128 + SIGINT, as shells count it
SHELLS = ("bash", "zsh", "fish")


def parser() -> Parser:
    """The command's parser, with every verb."""
    verbs = "\n".join(f"  {name:12}{verb.summary}" for name, verb in VERBS.items())
    top = Parser(
        prog="nbdeploy",
        usage="nbdeploy VERB ... (nbdeploy VERB --help says more)",
        description="From a folder of pictures to a verified model in people's hands.",
        epilog=f"verbs:\n{verbs}\n\nexample:\n  nbdeploy demo",
    )
    top.add_argument("--version", dest="tell_version", action="store_true", help="print nbdeploy's version")
    below = top.add_subparsers(prog="nbdeploy", dest="verb", metavar="VERB", help=argparse.SUPPRESS)
    for name in VERBS:
        add_options(below.add_parser(name), name)
    completion = below.add_parser("completion", description="Print the script that completes in a shell.")
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    completion.epilog = 'example:\n  eval "$(nbdeploy completion bash)"'
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        return _main(argv)
    except KeyboardInterrupt as stop:
        say(f"\nStopped; {str(stop) or 'nothing was put in place.'}")
        return STOPPED
    except BrokenPipeError:  # the reader of our output has gone; let the interpreter's own flush have no target
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    except Exception as error:  # noqa: BLE001 - the last place to turn an error into a line and a status
        return _failed(error, argv)


def _main(argv: list[str]) -> int:
    show_tracebacks("--traceback" in argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that has no such letters
    top = parser()
    if "_ARGCOMPLETE" in os.environ:
        _complete(top)
    if not argv or argv == ["--version"]:
        sys.stdout.write(f"{_version()}\n" if argv else top.format_help())
        return 0 if argv else 2
    if not argv[0].startswith("-") and argv[0] not in {*VERBS, "completion"}:
        raise UnknownName("verb", argv[0], VERBS)
    args = top.parse_args(argv)
    if args.verb == "completion":
        sys.stdout.write(_shell_code(args.shell))
        return 0
    from nbdeploy.verbs import DO  # noqa: PLC0415 - `nbdeploy --help` needs none of it

    with _clean_output(), warnings.catch_warnings():
        _plain_warnings(everything=args.traceback)
        done = DO[args.verb](Line(_below(top)[args.verb], args))
    sys.stdout.write(_json(done.data) if args.json and not done.then else f"{done.text}\n")
    sys.stdout.flush()
    if done.then:
        done.then()
    return 0 if done.ok else 1


def _failed(error: Exception, argv: list[str]) -> int:
    if "--traceback" in argv:
        print_exception(error)
    elif isinstance(error, NbdeployError):
        say(explain(error))
    else:
        say(f"{explain(error)}\nThis error was not foreseen; --traceback shows where it comes from.")
    if "--json" in argv:
        message, hint = getattr(error, "message", str(error)), getattr(error, "hint", "")
        document = {"error": {"code": type(error).__name__, "message": message, "hint": hint}}
        report = getattr(error, "report", None)
        sys.stdout.write(_json(document | (report.to_dict() if report else {})))
    return getattr(error, "exit_status", 1)


def _json(data: Any) -> str:
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    return json.dumps(data, ensure_ascii=plain, indent=2, allow_nan=False) + "\n"


@contextmanager
def _clean_output() -> Iterator[None]:
    # Libraries print to sys.stdout, native code and child processes to descriptor 1: both go to standard error.
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # started with standard output closed
        yield
        return
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _plain_warnings(*, everything: bool) -> None:
    if everything:
        return
    warnings.simplefilter("ignore")  # those of libraries are for developers
    warnings.simplefilter("always", NbdeployWarning)

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        say(f"Note: {message}")

    warnings.showwarning = show


def _below(top: Parser) -> dict[str, Parser]:
    """The parser of each verb."""
    return next(dict(action.choices) for action in top.actions() if isinstance(action.choices, dict))


def _complete(top: Parser) -> None:
    with suppress(ModuleNotFoundError):
        import argcomplete  # noqa: PLC0415 - only a shell that completes needs it

        for action in (action for verb in _below(top).values() for action in verb.actions()):
            if isinstance(action.type, Named):
                names = action.type.names
                action.completer = lambda names=names, **_: list(names())  # type: ignore[attr-defined] # argcomplete's
        argcomplete.autocomplete(top)


def _shell_code(shell: str) -> str:
    try:
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - only this verb needs it
    except ModuleNotFoundError as error:
        raise MissingExtra("Completion in a shell", "argcomplete", "") from error
    return str(shellcode(["nbdeploy"], shell=shell)) + "\n"


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - 10 ms that other verbs need not pay

    return version("nbdeploy")
