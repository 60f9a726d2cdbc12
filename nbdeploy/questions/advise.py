"""The options of `advise`: what only the user knows of where a model is to run."""

from __future__ import annotations

import argparse
from typing import Any

from nbdeploy.advising.answers import PRIVACY, UTILISATION
from nbdeploy.errors import UnknownName
from nbdeploy.parsing import Named, Parser, least_0, part, rate
from nbdeploy.verification.emulator import ARCHES, arch_named


class _Prices(argparse.Action):
    """``--price NAME=HOURLY:CURRENCY``, as often as wanted: a dictionary."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name, given_value, price = str(values).partition("=")
        if not name or not given_value:
            raise argparse.ArgumentError(self, f"takes NAME=HOURLY:CURRENCY, not {values}")
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), name: price})


def _privacy(name: str) -> str:
    if name not in PRIVACY:
        raise UnknownName("answer to --privacy", name, PRIVACY)
    return name


def advise_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `advise`."""
    what = "a bundle's folder, or a saved model's, of which a bundle is made to measure"
    if notebook:
        what = f"the name of a bundle, Learner or Program, or {what}; the newest of the notebook by default"
    parser.add_argument("model", nargs="?" if notebook else None, metavar="BUNDLE", help=what)
    parser.add_argument("--offline", action="store_true", help="it has to answer without a connection")
    privacy, arch = Named(lambda: PRIVACY, _privacy), Named(lambda: ARCHES, arch_named)
    parser.add_argument(
        "--privacy", type=privacy, help="device: pictures must not leave it; own: nor machines that you run"
    )
    parser.add_argument("--requests-per-day", type=rate, metavar="N", help="how many answers a day")
    parser.add_argument("--peak", type=rate, metavar="N", help="requests a second, at most")
    parser.add_argument("--round-trip-ms", type=least_0, metavar="MS", help="from a user to a server and back")
    parser.add_argument("--within-ms", type=rate, metavar="MS", help="an answer that takes longer is of no use")
    parser.add_argument("--budget", metavar="AMOUNT:CURRENCY", help="a month's, at most: 50:EUR")
    parser.add_argument("--updates-per-month", type=least_0, metavar="N", help="how often the model changes")
    how = "a machine's price an hour, of server, cloud, browser, a provider or cloud/NAME; none is built in"
    parser.add_argument("--price", dest="prices", action=_Prices, metavar="NAME=HOURLY:CURRENCY", help=how)
    columns = "a .csv or .json of prices: name, hourly, currency, of, source, date"
    parser.add_argument("--price-file", metavar="FILE", help=columns)
    parser.add_argument(
        "--rps", type=rate, metavar="N", help="requests a second that a machine sustains; measured here"
    )
    parser.add_argument("--utilisation", type=part, default=UTILISATION, metavar="SHARE", help="of that, in use (0.5)")
    parser.add_argument("--device-ms", type=rate, metavar="MS", help="an answer on the device, where you timed one")
    parser.add_argument("--seconds", type=rate, default=2.0, help="how long to measure (2)")
    parser.add_argument("--arch", type=arch, help=f"time it on this processor too, emulated: {', '.join(ARCHES)}")
    if not notebook:
        parser.add_argument("--plot", metavar="FILE", help="draw cost against requests a day: a .png, .svg or .pdf")
