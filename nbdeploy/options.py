"""The options of every verb, defined once: the terminal and the magics build their parsers from here.

An option's destination is the name of the Python argument it stands for, and its default is that argument's default.
So the values that differ from the defaults are the keywords of one call of the Python API (`given`), and the call can
be printed for a person to copy (`python_call`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.core.finding import KINDS
from nbdeploy.core.recipe import RECIPES, recipe_named
from nbdeploy.errors import UnknownName
from nbdeploy.parsing import Named, Parser, rate, share, whole
from nbdeploy.questions import advise_options
from nbdeploy.registry import engines, providers, targets
from nbdeploy.verification.emulator import ARCHES, arch_named

TERMINAL_ONLY = frozenset({"json", "traceback"})


def _archs() -> list[str]:
    from nbdeploy.training.images import arch_names  # noqa: PLC0415 - imports torch

    return arch_names()


def _datasets() -> list[str]:
    from nbdeploy.data.cards import dataset_cards  # noqa: PLC0415 - reads the cards

    return list(dataset_cards())


def _dataset(name: str) -> str:
    from nbdeploy.data.cards import card  # noqa: PLC0415 - reads the cards

    return card(name).name


class _Settings(argparse.Action):
    """``--set NAME=VALUE``, as often as wanted: a dictionary."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name, given_value, value = str(values).partition("=")
        if not name or not given_value:
            raise argparse.ArgumentError(self, f"takes NAME=VALUE, not {values}")
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), name.replace("-", "_"): value})


TARGET = Named(targets.names, targets.canonical)
PROVIDER = Named(providers.names, providers.canonical)
RECIPE = Named(lambda: RECIPES, lambda name: recipe_named(name).name)
NET = Named(_archs, str)  # train() itself refuses an unknown one; asking here would import torch for a typing error
ARCH = Named(lambda: ARCHES, arch_named)
DATASET = Named(_datasets, _dataset)


def _dataset_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    parser.add_argument("name", nargs="?", type=DATASET, metavar="NAME", help="which data set; --list shows them")
    parser.add_argument("-o", "--out", metavar="DIR", help="the folder to make")
    parser.add_argument("--overwrite", action="store_true", help="take the place of a folder that exists")
    parser.add_argument("--list", action="store_true", help="list the data sets, and do nothing else")


def _collect_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    parser.add_argument("folder", metavar="DIR", help="the folder to collect into; made where it is not there")
    parser.add_argument("--classes", type=_listed, default=(), metavar="A,B", help="classes to begin with")
    parser.add_argument("--valid", type=share, default=0.2, metavar="SHARE", help="share of files held out (0.2)")
    _seed(parser)


def _listed(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _kind(name: str) -> str:
    if name not in KINDS:
        raise UnknownName("kind of finding", name, KINDS)
    return name


def _audit_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    what = (
        "a folder of pictures or of .txt files; a table (.csv, .tsv, .jsonl, .parquet); or a .zip or .tar of pictures"
    )
    parser.add_argument("data", metavar="DATA", help=what)
    parser.add_argument("--label", default="", metavar="COLUMN", help="the column of a table that is to be predicted")
    parser.add_argument("--text", metavar="COLUMN", help="the column of a table that holds text; found out by default")
    parser.add_argument("--split", default="", metavar="COLUMN", help="the column of a table that says train or valid")
    kinds = Named(lambda: KINDS, _kind)
    parser.add_argument("--kind", type=kinds, metavar="KIND", help=f"show one kind only: {', '.join(KINDS)}")
    parser.add_argument("--top", type=whole(1), metavar="N", help="show the N most suspect only")
    engine = Named(engines.names, engines.canonical)
    parser.add_argument(
        "--engine", type=engine, default="local", help="where files are measured: local (default) or ray"
    )
    _seed(parser)


def _train_options(parser: Parser, *, notebook: bool) -> None:
    where = "a folder of pictures, one sub-folder a class; or a .csv, .zip or .tar"
    parser.add_argument("data", metavar="DIR", help=where + ("; or the name of an ImageSet" if notebook else ""))
    if not notebook:  # a notebook keeps the Learner; a terminal has to keep a file
        parser.add_argument("-o", "--out", metavar="MODEL", required=True, help="the folder to save the model in")
        parser.add_argument("--overwrite", action="store_true", help="take the place of a model that exists")
    parser.add_argument("--arch", type=NET, default="resnet18", help="any torchvision or timm name (resnet18)")
    parser.add_argument("--epochs", type=whole(1), default=5, metavar="N", help="passes over the pictures (5)")
    parser.add_argument("--size", type=whole(1), metavar="PIXELS", help="side of the square the model sees")
    parser.add_argument("--lr", type=rate, metavar="RATE", help="highest learning rate; found out by default")
    parser.add_argument("--batch-size", type=whole(1), default=64, metavar="N", help="pictures a step (64)")
    parser.add_argument("--from-scratch", dest="pretrained", action="store_false", help="use no pretrained weights")
    parser.add_argument(
        "--no-flip", dest="flip", action="store_false", help="mirror no pictures: for digits, text, signs"
    )
    parser.add_argument("--raw", action="store_true", help="without what was decided about the pictures")
    parser.add_argument("--valid", type=share, default=0.2, metavar="SHARE", help="share of files held out (0.2)")
    _seed(parser)


def _deploy_options(parser: Parser, *, notebook: bool) -> None:
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
        "--data", dest="images", metavar="DIR", help="pictures to verify and calibrate with, where the model has none"
    )
    parser.add_argument(
        "--samples", type=whole(0), default=16, metavar="N", help="held-out pictures put in the bundle (16); 0: none"
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
        "--set", dest="settings", action=_Settings, metavar="NAME=VALUE", help="what the provider is told, as host=..."
    )
    parser.add_argument("--dry-run", action="store_true", help="show what the provider would make, and make nothing")
    _seed(parser)


def _verify_options(parser: Parser, *, notebook: bool) -> None:
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


def _predict_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's folder")
    parser.add_argument("files", metavar="FILE", nargs="+", help="pictures")


def _serve_options(parser: Parser, *, notebook: bool) -> None:
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


ACTIONS = ("status", "update", "canary", "rollback", "logs", "remove")


def _action(name: str) -> str:
    if name not in ACTIONS:
        raise UnknownName("action", name, ACTIONS)
    return name


def _endpoints_options(parser: Parser, *, notebook: bool) -> None:
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


def _doctor_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    parser.add_argument("--gpu", action="store_true", help="look for a GPU too, which imports torch (seconds)")
    parser.add_argument(
        "--setup-arm", action="store_true", help="get what running bundles on an emulated ARM64 processor takes, once"
    )


def _demo_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    parser.add_argument("-o", "--out", default="build/digits-tflite", metavar="DIR", help="(build/digits-tflite)")


def _clean_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    what = "a folder of pictures, fit to train on or not; a .csv, .zip or .tar; or the name of an ImageSet"
    parser.add_argument("images", metavar="DIR", help=what)
    parser.add_argument("--learn", metavar="NAME", help="the name of a Learner, which then judges, not thumbnails")
    parser.add_argument("--journal", metavar="FILE", help="where decisions are kept (decisions.jsonl beside the data)")
    _seed(parser)


def _compare_options(parser: Parser, *, notebook: bool) -> None:
    del notebook
    what = (
        "names of bundles, or of lists and dicts of them, and bundles' folders; every bundle of the notebook by default"
    )
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE", help=what)


def _seed(parser: Parser) -> None:
    parser.add_argument("--seed", type=whole(0), default=42, metavar="N", help="the same seed, the same result (42)")


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it does in a line, an example of its options, and what adds them to a parser."""

    summary: str
    example: str
    add: Callable[..., None]
    in_notebook: str = ""
    """The example of the magic; empty where the verb is no magic."""


VERBS: dict[str, Verb] = {
    "dataset": Verb("make a data set's folder of pictures", "digits -o build/digits", _dataset_options),
    "audit": Verb(
        "say what is suspect in pictures, tables and texts", "penguins.csv --label species --top 50", _audit_options
    ),
    "train": Verb(
        "train an image classifier on a folder of pictures",
        "build/digits -o build/model --arch resnet18 --epochs 5",
        _train_options,
        in_notebook="build/digits --arch resnet18 --epochs 5",
    ),
    "deploy": Verb(
        "export, shrink, verify and bundle a model",
        "build/model --target tflite --recipe static_int8 -o build/app",
        _deploy_options,
        in_notebook="--target tflite --recipe static_int8 --out build/app",
    ),
    "verify": Verb("check a bundle again", "build/app --model build/model", _verify_options),
    "predict": Verb("ask a bundle what is in pictures", "build/app photo.jpg", _predict_options),
    "serve": Verb("serve a bundle over HTTP", "build/app --port 8000", _serve_options),
    "endpoints": Verb(
        "how endpoints are; update, roll back, remove them",
        "pets update build/pets-cloud",
        _endpoints_options,
        in_notebook="pets rollback",
    ),
    "advise": Verb(
        "say where a model should run, and what that costs",
        "build/app --requests-per-day 20000 --peak 5 --round-trip-ms 80 --price server=0.02:EUR",
        advise_options,
        in_notebook="--requests-per-day 20000 --peak 5 --round-trip-ms 80 --price server=0.02:EUR",
    ),
    "doctor": Verb("what is installed, what is missing, what to type", "", _doctor_options, in_notebook="--gpu"),
    "demo": Verb("the main job on an embedded data set, in minutes", "", _demo_options),
}

WIDGETS: dict[str, Verb] = {
    "clean": Verb("look through suspect pictures and decide", "", _clean_options, in_notebook="build/digits"),
    "collect": Verb(
        "collect pictures into a folder, by hand",
        "",
        _collect_options,
        in_notebook="data/pets --classes cat,dog",
    ),
    "compare": Verb(
        "put bundles side by side with their original", "", _compare_options, in_notebook="small build/app"
    ),
}
"""What only a notebook has."""

MAGICS: dict[str, Verb] = {**WIDGETS, **{name: verb for name, verb in VERBS.items() if verb.in_notebook}}


def add_options(parser: Parser, verb: str, *, notebook: bool = False) -> Parser:
    """Give `parser` the options and the help of `verb`."""
    about = MAGICS[verb] if notebook else VERBS[verb]
    parser.description = f"{about.summary[:1].upper()}{about.summary[1:]}."
    example = f"%{verb} {about.in_notebook}" if notebook else f"nbdeploy {verb} {about.example}"
    parser.epilog = f"example:\n  {example.strip()}"
    about.add(parser, notebook=notebook)
    if not notebook:
        parser.add_argument("--json", action="store_true", help="print one JSON document, all else on standard error")
        parser.add_argument("--traceback", action="store_true", help="show the whole traceback of an error")
    return parser


def given(
    parser: Parser, args: argparse.Namespace, *, leave: Collection[str] = (), only: Collection[str] | None = None
) -> dict[str, Any]:
    """The values that differ from the defaults, as keywords of the Python call, without `leave`, or `only` those."""
    names = {action.dest for action in parser.actions()} - TERMINAL_ONLY - set(leave)
    return {
        name: value
        for name, value in vars(args).items()
        if name in names and (only is None or name in only) and value != parser.get_default(name)
    }


@dataclass(frozen=True, slots=True)
class Code:
    """Python text that is shown as it stands: a variable's name, a call inside a call."""

    text: str


def python_call(function: str, *values: Any, **keywords: Any) -> str:
    """The line of Python that does the same: ``nd.deploy(learn, target="tflite")``."""
    shown = [*map(_shown, values), *(f"{name}={_shown(value)}" for name, value in keywords.items())]
    return f"{function}({', '.join(shown)})"


def _shown(value: Any) -> str:
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


_READERS = {".csv": "from_csv", **dict.fromkeys((".zip", ".tar", ".tar.gz", ".tgz"), "from_zip")}


def read_images(path: str, settings: Mapping[str, Any], *, raw: bool = False) -> tuple[Any, str]:
    """The ImageSet at `path` with what was decided about its pictures, and the line of Python that gives it.

    `raw` leaves the decisions out.
    """
    from nbdeploy.data.decided import decided, journal_beside  # noqa: PLC0415 - only where pictures are read
    from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415

    constructor, call = images_call(path, settings)
    images = getattr(ImageSet, constructor)(path, **settings)
    if journal_beside(images) is None:
        return images, call
    if raw:
        return images.apply([]), f"{call}.apply([])"
    place = path if Path(path).is_dir() else str(Path(path).parent)
    return decided(images), f"{call}.apply({python_call('nd.Journal', place)})"


def images_call(path: str, settings: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the ImageSet constructor that reads `path`, and the line of Python that calls it."""
    name = "from_folder"
    if not Path(path).is_dir():
        name = next((made for end, made in _READERS.items() if path.lower().endswith(end)), name)
    return name, python_call(f"nd.ImageSet.{name}", path, **settings)
