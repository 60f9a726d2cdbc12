"""The command line of ``python app/server``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .listening import bound, heed_signals, is_secure, server, url
from .model import Model
from .pool import Pool
from .refusal import Unusable
from .settings import Settings
from .tokens import make


def main(argv: Sequence[str]) -> int:
    """Serve until the process is told to end. 0: it was told to; 1: it cannot; 2: wrong use."""
    try:
        options = _options(argv)
        if options.verb == "token":
            return _token(options)
        settings = dataclasses.replace(
            Settings.from_environment(),
            **{name: value for name, value in vars(options).items() if value is not None and name in _SETTINGS},
        )
        return _serve(Path(options.bundle), settings)
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 1


_SETTINGS = {"host", "port", "fd", "tokens", "public", "certfile", "keyfile"}


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python app/server", description="Serve this bundle over HTTP.")
    parser.add_argument("verb", nargs="?", choices=["serve", "token"], default="serve", help="serve, or make a token")
    parser.add_argument("name", nargs="?", metavar="NAME", help="whose token it is")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="callers have to show a token that this file lists")
    parser.add_argument("--public", action="store_const", const=True, help="ask for no token: something in front does")
    default = os.environ.get("NBDEPLOY_BUNDLE") or str(Path(__file__).resolve().parents[2])
    parser.add_argument("--bundle", default=default, metavar="DIR", help="the bundle's folder (the one this lies in)")
    parser.add_argument("--host", help="an address of this machine (127.0.0.1)")
    parser.add_argument("--port", type=int, help="(8000); 0: any that is free")
    parser.add_argument("--fd", type=int, help="an inherited socket that listens, in place of host and port")
    parser.add_argument("--certfile", metavar="PEM", help="certificate for HTTPS")
    parser.add_argument("--keyfile", metavar="PEM", help="its key")
    return parser.parse_args(argv)


def _token(options: argparse.Namespace) -> int:
    """Print a new token, once; its hash is kept."""
    file = options.tokens or Settings.from_environment().tokens
    if not options.name or not file:
        raise Unusable("Whose token, and where is its hash kept?", hint="Type: token NAME --tokens FILE")
    sys.stdout.write(make(options.name, file) + "\n")
    return 0


def _serve(folder: Path, settings: Settings) -> int:
    model = Model.open(folder)
    is_secure(settings)
    taken, local = bound(settings)
    pool = Pool(model, threads=settings.workers, waiting=settings.queue)

    def ready() -> None:
        sys.stdout.write(json.dumps({"url": url(taken, settings), "pid": os.getpid()}) + "\n")
        sys.stdout.flush()

    running = server(pool, settings, local=local, ready=ready)
    heed_signals(running)
    running.run(sockets=[taken])
    if running.failure:
        raise running.failure
    return 0
