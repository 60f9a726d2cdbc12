"""The one table of what a pipeline's file may say: it reads the file, makes the JSON Schema and the documentation."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from nbdeploy.core.finding import KINDS
from nbdeploy.core.recipe import RECIPES, recipe_named
from nbdeploy.errors import UnknownName
from nbdeploy.pipeline.gates import FIGURES, GateText
from nbdeploy.pipeline.kinds import (
    Each,
    Key,
    Kind,
    Named,
    Number,
    Off,
    OrWord,
    Section,
    Several,
    Text,
    Yes,
    YesOr,
    whole,
)
from nbdeploy.pipeline.spots import Spot
from nbdeploy.registry import providers, targets
from nbdeploy.training.course import KEEP, PRECISIONS

_SHARE = Number("a share between 0 and 1", low=0, high=1, inside=True)
_RATE = Number("a number above 0", low=0, high=float("inf"), inside=True)
_SCORE = Number("a score from 0 to 1", low=0, high=1)
_PATH = Text("a path, from the file's own folder")


def _dataset_names() -> Iterable[str]:
    from nbdeploy.data.cards import dataset_cards  # noqa: PLC0415 - reads the cards

    return dataset_cards()


def _dataset(name: str) -> str:
    from nbdeploy.data.cards import card  # noqa: PLC0415 - reads the cards

    return card(name).name


def _kind(name: str) -> str:
    if name not in KINDS:
        raise UnknownName("kind of finding", name, KINDS)
    return name


_KIND = Named("a kind of finding", lambda: KINDS, _kind)


def _one_of(kind: str, known: tuple[str, ...]) -> Named:
    def check(name: str) -> str:
        if name not in known:
            raise UnknownName(kind, name, known)
        return name

    return Named(f"{', '.join(known[:-1])} or {known[-1]}", lambda: known, check)


DATA = Section(
    (
        Key(
            "from",
            _PATH,
            "a folder of pictures or .txt files, one sub-folder a class; a .csv, .zip or .tar of pictures; or a table",
        ),
        Key("dataset", Named("a data set", _dataset_names, _dataset), "a data set by its name, made in data/NAME"),
        Key("valid", _SHARE, "share of the files that is held out", "0.2"),
        Key("path", Text("a column"), "of a .csv of pictures: the column of paths", "path"),
        Key(
            "label",
            Text("a column"),
            "of a table: the column to predict; of rows and texts it has to be named",
            "label",
        ),
        Key("split", Text("a column"), "of a table: the column that says train or valid"),
        Key("text", Text("a column"), "of a table: learn from the texts in this column alone"),
        Key("columns", Several(Text("a column")), "of a table: the columns to learn from", "all that tell something"),
    ),
    short="from",
)

CLEAN = Section(
    (
        Key(
            "decisions",
            Off(_PATH),
            "a decisions.jsonl, what people decided; false leaves decisions out",
            "the one beside the data",
        ),
        Key(
            "exclude",
            Several(_KIND),
            "kinds of findings whose files, rows or texts are left out, unless a person decided on them",
        ),
        Key("fail_on", Each(_SCORE, _KIND), "kind: score; an undecided finding of that score or more fails the run"),
    )
)


def _train_keywords() -> dict[str, inspect.Parameter]:
    from nbdeploy.training.images import train  # noqa: PLC0415 - numpy and Pillow

    # The pipeline's own, and what is no plain data.
    others = {"images", "label", "text", "seed", "cbs", "resume", "metrics"}
    return {name: one for name, one in inspect.signature(train).parameters.items() if name not in others}


def _finds_rates() -> bool:
    """Whether `nd.train` looks for a learning rate when it is told "find"."""
    return "find" in str(_train_keywords()["lr"].annotation)


def _train_kind(name: str) -> Kind | None:
    """What a keyword of `nd.train` that the table below does not name takes, by its annotation."""
    found = _train_keywords().get(name)
    if found is None:
        return None
    parts = {part.strip() for part in str(found.annotation).split("|")} - {"None"}
    kinds: dict[frozenset[str], Kind] = {
        frozenset({"bool"}): Yes(),
        frozenset({"int"}): Number("a whole number", whole=True),
        frozenset({"float"}): Number("a number"),
        frozenset({"str"}): Text(),
    }
    return kinds.get(frozenset(parts), _Plain())


class _Plain:
    """Whatever `nd.train` itself takes, as plain data."""

    words = "a value that nd.train takes"

    def read(self, spot: Spot, name: str) -> Any:
        if isinstance(spot.value, dict):
            return {key: self.read(one, key) for key, one in spot.value.items()}
        return [self.read(one, name) for one in spot.value] if isinstance(spot.value, list) else spot.value

    def schema(self) -> dict[str, Any]:
        return {}


TRAIN = Section(
    (
        Key("arch", Text("a name of torchvision or timm"), "the network", "resnet18"),
        Key("epochs", whole(1), "passes over the data: 5 over pictures", "found out"),
        Key("size", whole(1), "side of the square that the model sees, in pixels", "found out"),
        Key("lr", OrWord(_RATE, "find", _finds_rates), "highest learning rate", "found out"),
        Key("batch_size", whole(2), "pictures, rows or texts a step: 64 pictures", "found out"),
        Key("pretrained", Yes(), "start from published weights", "true"),
        Key("freeze_epochs", whole(0), "epochs for the head alone, where pretrained", "1"),
        Key("augment", Yes(), "turn, zoom, warp and light training pictures a little", "true"),
        Key("flip", Yes(), "mirror training pictures: not for digits, text or signs", "true"),
        Key("class_weights", YesOr(Each(_RATE)), "weigh classes by how rare they are, or each as said", "false"),
        Key("keep", _one_of("epoch to keep", KEEP), "the epoch whose weights are kept", "last"),
        Key("precision", _one_of("precision", PRECISIONS), "of the arithmetic; less than fp32 needs a GPU", "auto"),
        Key("workers", whole(0), "processes that load pictures", "as many as help"),
        Key("out", _PATH, "the folder of the trained model", "build/NAME-model"),
    ),
    more=_train_kind,
    others=_train_keywords,
)

GATES = Section(tuple(Key(name, GateText(name), one.about) for name, one in FIGURES.items()))

DEPLOY = Section(
    (
        Key(
            "target",
            Named("a target", targets.names, targets.canonical),
            "what the bundle is for",
            "cloud, with a provider",
        ),
        Key(
            "recipe",
            Several(Named("a recipe", lambda: RECIPES, lambda name: recipe_named(name).name)),
            "how to shrink: a bundle a recipe",
            "fp32",
        ),
        Key("out", _PATH, "the bundle's folder; of several recipes each gets its name at the end", "build/NAME-TARGET"),
        Key("name", Text(), "the model's name in the bundle", "the pipeline's"),
        Key("version", Text(), "the model's version in the bundle", "1.0.0"),
        Key("samples", whole(0), "held-out pictures, rows or texts put in the bundle", "16"),
        Key("verify_files", whole(1), "held-out files to compare on, at most", "all it has"),
        Key("calibration_files", whole(1), "training files to calibrate on", "all it has"),
        Key("latency_runs", whole(0), "timed runs; 0: none", "200"),
        Key("accept_failed", Text("a reason"), "put it in place though a check failed; the reason is recorded"),
        Key("gates", GATES, "gates of this entry, beside those of the file"),
        Key(
            "provider",
            Named("a provider", providers.names, providers.canonical),
            "where the bundle is put, when the run is given --provide",
        ),
        Key("endpoint", Text("a name"), "the endpoint's name", "the pipeline's"),
        Key("settings", Each(Text()), "what the provider is told: host: ..."),
    )
)

PIPELINE = Section(
    (
        Key("name", Text(), "what the model and the bundles are called", "the folder's name"),
        Key("seed", whole(0), "the same seed, the same result", "42"),
        Key("data", DATA, "what is learned from", required=True),
        Key("clean", CLEAN, "what is left out and what stops the run"),
        Key(
            "train",
            TRAIN,
            "how the model is trained: the keywords of nd.train, for rows and texts those that hold for them",
        ),
        Key("deploy", Several(DEPLOY), "bundles to make of it, and where to put them"),
        Key("gates", GATES, "what every bundle's figures have to be"),
    )
)


def json_schema() -> dict[str, Any]:
    """The file as a JSON Schema (draft 2020-12), with which editors complete and check it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nbdeploy pipeline",
        "description": "From data to verified bundles: nbdeploy run pipeline.yaml",
        **PIPELINE.schema(),
    }


def as_markdown() -> str:
    """The table of docs/pipeline.md."""
    lines = ["| key | takes | what it is for |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {takes} | {about} |" for name, takes, about in _rows(PIPELINE, ""))])


def _rows(section: Section, above: str) -> Iterator[tuple[str, str, str]]:
    for key in section.keys:
        inner = key.takes.inner if isinstance(key.takes, Several) else key.takes
        default = f" ({key.default})" if key.default else ""
        if isinstance(inner, Section) and not (above and inner is GATES):
            takes = "keys, or a list of them" if isinstance(key.takes, Several) else "keys"
            yield f"{above}{key.name}", takes, key.about
            yield from _rows(inner, f"{above}{key.name}.")
        else:
            takes = "as `gates`" if inner is GATES else key.takes.words
            yield f"{above}{key.name}", takes, f"{key.about}{default}"
