"""The options of every verb, defined once: the terminal and the magics build their parsers from here.

An option's destination is the name of the Python argument it stands for, and its default is that argument's default.
So the values that differ from the defaults are the keywords of one call of the Python API (`Line.given`), and the call
can be printed for a person to copy (`python_call`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.core.calls import Code, images_call, python_call
from nbdeploy.parsing import Parser
from nbdeploy.questions.advise import advise_options
from nbdeploy.questions.data import audit_options, clean_options, collect_options, dataset_options
from nbdeploy.questions.deploy import compare_options, deploy_options, predict_options, serve_options, verify_options
from nbdeploy.questions.endpoints import demo_options, doctor_options, endpoints_options
from nbdeploy.questions.pipeline import init_options, run_options
from nbdeploy.questions.runs import runs_options
from nbdeploy.questions.ship import ship_options
from nbdeploy.questions.train import pretrained_options, train_options
from nbdeploy.questions.tune import tune_options

__all__ = [
    "MAGICS",
    "VERBS",
    "WIDGETS",
    "Code",
    "Verb",
    "add_options",
    "images_call",
    "python_call",
    "read_images",
]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it does in a line, an example of its options, and what adds them to a parser."""

    summary: str
    example: str
    add: Callable[..., None]
    in_notebook: str = ""
    """The example of the magic; empty where the verb is no magic."""
    cell: bool = False
    """Whether the magic takes a whole cell: ``%%NAME``."""


VERBS: dict[str, Verb] = {
    "dataset": Verb("make a data set's folder of pictures", "digits -o build/digits", dataset_options),
    "audit": Verb(
        "say what is suspect in pictures, tables and texts", "penguins.csv --label species --top 50", audit_options
    ),
    "train": Verb(
        "train a classifier of pictures, rows or texts",
        "build/digits -o build/model --arch resnet18 --epochs 5",
        train_options,
        in_notebook="build/digits --arch resnet18 --epochs 5",
    ),
    "pretrained": Verb(
        "take a ready model with its labels, to deploy it untrained",
        "mobilenet_v3_small --images photos -o build/ready",
        pretrained_options,
        in_notebook="mobilenet_v3_small --images photos",
    ),
    "tune": Verb(
        "try many ways to train, and train the best one",
        "build/digits -o build/model --trials 20 --arch resnet18,mobilenet_v3_small --lr 1e-4..1e-2 --time-limit 30min",
        tune_options,
        in_notebook="build/digits --trials 20 --arch resnet18,mobilenet_v3_small --lr 1e-4..1e-2 --time-limit 30min",
    ),
    "deploy": Verb(
        "export, shrink, verify and bundle a model",
        "build/model --target tflite --recipe static_int8 -o build/app",
        deploy_options,
        in_notebook="--target tflite --recipe static_int8 --out build/app",
    ),
    "run": Verb("do what a pipeline's file says, and only what changed", "pipeline.yaml --until train", run_options),
    "init": Verb("write a project for your data", "pets --data data/pets --target tflite", init_options),
    "verify": Verb("check a bundle again", "build/app --model build/model", verify_options),
    "predict": Verb("ask a bundle about pictures, rows or texts", "build/app photo.jpg", predict_options),
    "serve": Verb("serve a bundle over HTTP", "build/app --port 8000", serve_options),
    "endpoints": Verb(
        "how endpoints are; update, roll back, remove them",
        "pets update build/pets-cloud",
        endpoints_options,
        in_notebook="pets rollback",
    ),
    "advise": Verb(
        "say where a model should run, and what that costs",
        "build/app --requests-per-day 20000 --peak 5 --round-trip-ms 80 --price server=0.02:EUR",
        advise_options,
        in_notebook="--requests-per-day 20000 --peak 5 --round-trip-ms 80 --price server=0.02:EUR",
    ),
    "runs": Verb(
        "what was trained, tuned and deployed; compare it, do it again",
        "swift-otter compare calm-heron",
        runs_options,
        in_notebook="swift-otter reproduce",
    ),
    "doctor": Verb("what is installed, what is missing, what to type", "", doctor_options, in_notebook="--gpu"),
    "demo": Verb("the main job on an embedded data set, in minutes", "", demo_options),
}

WIDGETS: dict[str, Verb] = {
    "clean": Verb("look through suspect pictures and decide", "", clean_options, in_notebook="build/digits"),
    "collect": Verb(
        "collect pictures into a folder, by hand",
        "",
        collect_options,
        in_notebook="data/pets --classes cat,dog",
    ),
    "ship": Verb(
        "deploy by a panel, with every step to be seen, stopped and undone", "", ship_options, in_notebook="learn"
    ),
    "compare": Verb("put bundles side by side with their original", "", compare_options, in_notebook="small build/app"),
    "pipeline": Verb(
        "do what the cell says, and only what changed", "", run_options, in_notebook="pets --until train", cell=True
    ),
}
"""What only a notebook has."""

MAGICS: dict[str, Verb] = {**WIDGETS, **{name: verb for name, verb in VERBS.items() if verb.in_notebook}}


def add_options(parser: Parser, verb: str, *, notebook: bool = False) -> Parser:
    """Give `parser` the options and the help of `verb`."""
    about = MAGICS[verb] if notebook else VERBS[verb]
    parser.description = f"{about.summary[:1].upper()}{about.summary[1:]}."
    percent = "%%" if about.cell else "%"
    example = f"{percent}{verb} {about.in_notebook}" if notebook else f"nbdeploy {verb} {about.example}"
    parser.epilog = f"example:\n  {example.strip()}"
    about.add(parser, notebook=notebook)
    if not notebook:
        parser.add_argument("--json", action="store_true", help="print one JSON document, all else on standard error")
        parser.add_argument("--traceback", action="store_true", help="show the whole traceback of an error")
    return parser


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
