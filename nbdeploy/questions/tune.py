"""The options of tune: what is tried, for what, for how long and where."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from nbdeploy.core.recipe import RECIPES, recipe_named
from nbdeploy.errors import UnknownName
from nbdeploy.parsing import Named, Parser, rate, share, whole
from nbdeploy.questions.common import NET, TARGET, listed, seed
from nbdeploy.registry import tuners
from nbdeploy.tuning.study import PRUNERS
from nbdeploy.tuning.trial import OBJECTIVES

_YES = {"yes": True, "no": False, "true": True, "false": False}


def _known(kind: str, names: Any) -> Named:
    def check(name: str) -> str:
        if name not in names:
            raise UnknownName(kind, name, names)
        return name

    return Named(lambda: names, check)


def _several(one: Callable[[str], Any]) -> Callable[[str], Any]:
    """``a,b`` as a list of choices, ``low..high`` as a range, ``a`` as it is."""

    def read(text: str) -> Any:
        low, dots, high = text.partition("..")
        if dots:
            return one(low), one(high)
        return _one_or_more([one(part) for part in listed(text)])

    return read


def _one_or_more(values: list[Any]) -> Any:
    if not values:
        raise argparse.ArgumentTypeError("takes at least one value")
    return values[0] if len(values) == 1 else values


def _names(one: Callable[[str], str], names: Callable[[], Any]) -> Named:
    """The type of one name or several, with completion."""

    def read(text: str) -> Any:
        return _one_or_more([one(part) for part in listed(text)])

    return Named(names, read)


def _flag(text: str) -> bool:
    if text.lower() not in _YES:
        raise argparse.ArgumentTypeError(f"takes yes, no or yes,no, not {text}")
    return _YES[text.lower()]


def tune_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `tune`."""
    where = "a folder of pictures, one sub-folder a class; or a .csv, .zip or .tar"
    parser.add_argument("data", metavar="DIR", help=where + ("; or the name of an ImageSet" if notebook else ""))
    saved = "the folder to save the winner's model in"
    parser.add_argument("-o", "--out", metavar="MODEL", required=not notebook, help=saved)
    parser.add_argument("--overwrite", action="store_true", help="take the place of a model that exists")
    parser.add_argument("--trials", type=whole(1), default=20, metavar="N", help="how many ways to try (20)")
    parser.add_argument("--time-limit", metavar="TIME", help="no longer than this: 30min, 1h30min, 90s")
    _add_space(parser)
    objective = _known("objective", OBJECTIVES)
    parser.add_argument(
        "--objective",
        dest="objectives",
        type=objective,
        action="append",
        metavar="WHAT",
        help=f"what counts, as often as wanted: {', '.join(OBJECTIVES)} (accuracy)",
    )
    parser.add_argument("--target", type=TARGET, help="deploy every trial, and count what the deployed model does")
    recipes = _names(lambda name: recipe_named(name).name, lambda: RECIPES)
    parser.add_argument("--recipe", type=recipes, default="fp32", metavar="A,B", help="how it is shrunk there (fp32)")
    parser.add_argument(
        "--pruner", type=_known("pruner", PRUNERS), default="median", help=f"{', '.join(PRUNERS)} (median)"
    )
    parser.add_argument("--workers", type=whole(1), metavar="N", help="trials at once, each in a process of its own")
    parser.add_argument(
        "--engine", type=Named(tuners.names, tuners.canonical), default="local", help=f"{', '.join(tuners)} (local)"
    )
    parser.add_argument("--name", help="of the study, which the same line goes on with (made of what is asked)")
    parser.add_argument("--no-resume", dest="resume", action="store_false", help="begin afresh; the old study is kept")
    parser.add_argument("--latency-runs", type=whole(1), default=50, metavar="N", help="timed runs a trial (50)")
    parser.add_argument("--raw", action="store_true", help="without what was decided about the pictures")
    parser.add_argument("--valid", type=share, default=0.2, metavar="SHARE", help="share of files held out (0.2)")
    seed(parser)


def _add_space(parser: Parser) -> None:
    parser.add_argument("--arch", type=_names(str, NET.names), metavar="A,B", help="networks to choose from (resnet18)")
    parser.add_argument("--size", type=_several(whole(1)), metavar="LOW..HIGH", help="side of the square: 64..128")
    parser.add_argument("--lr", type=_several(rate), metavar="LOW..HIGH", help="learning rate (1e-4..1e-2)")
    parser.add_argument(
        "--epochs", type=_several(whole(1)), metavar="LOW..HIGH", help="passes over the pictures (2..8)"
    )
    parser.add_argument("--augment", type=_several(_flag), metavar="YES,NO", help="turn and light pictures (yes,no)")
    parser.add_argument("--batch-size", type=_several(whole(2)), metavar="LOW..HIGH", help="pictures a step (64)")
    parser.add_argument("--flip", type=_several(_flag), metavar="YES,NO", help="mirror pictures (yes)")
    parser.add_argument(
        "--freeze-epochs", type=_several(whole(0)), metavar="LOW..HIGH", help="passes for the head alone (1)"
    )
    parser.add_argument(
        "--from-scratch",
        dest="pretrained",
        action="store_const",
        const=False,
        help="use no pretrained weights",
    )
