"""The options of the verbs that make bundles and work with them: deploy, compare, verify, predict, serve."""

from __future__ import annotations

from nbdeploy.core.recipe import RECIPES
from nbdeploy.parsing import Parser, whole
from nbdeploy.questions.common import ARCH, PROVIDER, RECIPE, TARGET, Settings, seed
from nbdeploy.registry import providers, targets
from nbdeploy.verification.emulator import ARCHES


def deploy_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `deploy`."""
    if notebook:
        what = "the name of a Learner or Program, or a saved folder; the newest Learner by default"
        parser.add_argument("model", nargs="?", metavar="MODEL", help=what)
    else:
        parser.add_argument("model", metavar="MODEL", help="a folder that `nbdeploy train` or Program.save wrote")
    names = ", ".join(targets)
    parser.add_argument("--target", type=TARGET, help=f"what the bundle is for: {names}; with a provider cloud")
    parser.add_argument("--recipe", type=RECIPE, default="fp32", help=f"how to shrink: {', '.join(RECIPES)} (fp32)")
    parser.add_argument("-o", "--out", metavar="DIR", help="the bundle's folder")
    parser.add_argument("--name", help="the model's name in the bundle")
    parser.add_argument("--version", default="1.0.0", help="the model's version in the bundle (1.0.0)")
    parser.add_argument(
        "--data", dest="images", metavar="DIR", help="data to verify and calibrate with, where the model has none"
    )
    parser.add_argument(
        "--samples", type=whole(0), default=16, metavar="N", help="held-out files put in the bundle (16); 0: none"
    )
    parser.add_argument("--overwrite", action="store_true", help="take the place of a bundle that exists")
    parser.add_argument("--accept-failed", metavar="WHY", help="put it in place though a check failed; WHY is recorded")
    parser.add_argument("--trust-pickle", action="store_true", help="load a .pkl, which can run any code in it")
    parser.add_argument(
        "--verify-files", type=whole(1), metavar="N", help="held-out files to compare on, at most (all it has)"
    )
    parser.add_argument(
        "--calibration-files", type=whole(1), metavar="N", help="training files to calibrate on (all it has)"
    )
    parser.add_argument("--latency-runs", type=whole(0), default=200, metavar="N", help="timed runs (200); 0: none")
    where = f"put the bundle there, where MODEL may be a bundle: {', '.join(providers)}"
    parser.add_argument("--provider", type=PROVIDER, metavar="PLACE", help=where)
    parser.add_argument("--endpoint", metavar="NAME", help="the endpoint's name (the model's)")
    parser.add_argument(
        "--set", dest="settings", action=Settings, metavar="NAME=VALUE", help="what the provider is told, as host=..."
    )
    parser.add_argument("--dry-run", action="store_true", help="show what the provider would make, and make nothing")
    seed(parser)


def compare_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `compare`."""
    del notebook
    what = (
        "names of bundles, or of lists and dicts of them, and bundles' folders; every bundle of the notebook by default"
    )
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE", help=what)


def verify_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `verify`."""
    del notebook
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's folder")
    parser.add_argument("--model", metavar="MODEL", help="the saved model to compare with, file by file")
    parser.add_argument("--data", dest="images", metavar="DIR", help="pictures to compare on")
    parser.add_argument(
        "--verify-files", type=whole(1), metavar="N", help="held-out files to compare on, at most (all it has)"
    )
    parser.add_argument(
        "--arch", type=ARCH, help=f"run it on another processor too, emulated where needed: {', '.join(ARCHES)}"
    )


def predict_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `predict`."""
    del notebook
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's folder")
    parser.add_argument("files", metavar="FILE", nargs="*", help="pictures; or .json rows, or .txt texts")
    parser.add_argument("--row", metavar="JSON", help="a row written here: '{\"column\": 1.5}'")
    parser.add_argument("--text", metavar="TEXT", help="a text written here")


def serve_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `serve`."""
    del notebook
    parser.add_argument(
        "bundle", metavar="BUNDLE", nargs="?", help="a bundle's folder: its page, or else POST /predict"
    )
    parser.add_argument("--port", type=whole(0), default=8000, metavar="P", help="(8000); 0: any that is free")
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine (127.0.0.1); 0.0.0.0: all")
    parser.add_argument("--certfile", metavar="PEM", help="certificate for HTTPS, which phones ask for")
    parser.add_argument("--keyfile", metavar="PEM", help="its key")
    parser.add_argument("--tokens", metavar="FILE", help="callers have to show a token that this file lists")
    parser.add_argument("--new-token", metavar="NAME", help="add a token to --tokens FILE, print it once, and end")
    parser.add_argument(
        "--public", action="store_true", help="ask for no token on any address; something in front does"
    )
    parser.add_argument("--cors", metavar="ORIGINS", help="pages of these origins may ask: https://a.example,...")
    parser.add_argument("--rate", metavar="N/TIME", help="of one caller, at most: 600/minute")
    parser.add_argument("--threads", type=whole(1), metavar="N", help="requests worked on at once (the processors)")
