"""The options of ``%ship``: what the panel begins with."""

from __future__ import annotations

from nbdeploy.parsing import Parser
from nbdeploy.questions.common import PROVIDER, RECIPE, TARGET, Settings


def ship_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `ship`."""
    del notebook
    what = "the name of a Learner or Program, or a saved folder; the newest Learner by default"
    parser.add_argument("model", nargs="?", metavar="MODEL", help=what)
    parser.add_argument("--target", type=TARGET, metavar="TARGET", help="the target that is chosen at first")
    parser.add_argument("--recipe", type=RECIPE, metavar="RECIPE", help="the recipe that is chosen at first")
    parser.add_argument("--provider", type=PROVIDER, metavar="PROVIDER", help="the provider that is chosen at first")
    parser.add_argument("--name", default="", help="what the model is called in the bundle")
    parser.add_argument("-o", "--out", default="", metavar="DIR", help="where the bundle is to lie")
    parser.add_argument("--endpoint", default="", metavar="NAME", help="with --provider: the endpoint's name")
    help_ = "with --provider: one of its settings; may be repeated"
    parser.add_argument("--set", dest="settings", action=Settings, metavar="NAME=VALUE", help=help_)
