"""What a pipeline's file says, read and checked: plain frozen data."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbdeploy.core.files import file_name
from nbdeploy.errors import UsageError
from nbdeploy.pipeline.gates import Gate
from nbdeploy.pipeline.schema import PIPELINE
from nbdeploy.pipeline.spots import Spot, read_yaml
from nbdeploy.pipeline.state import FOLDER
from nbdeploy.pipeline.subjects import PICTURES, Subject, check_clean, check_data, check_train, subject_of

CLOUD = "cloud"


@dataclass(frozen=True)
class Place:
    """Where a bundle is put: a provider, an endpoint's name, and what the provider is told."""

    provider: str
    endpoint: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundling:
    """One bundle to make: what is asked of ``nd.deploy``, its gates, and where it is put, if anywhere."""

    label: str
    """``tflite-fp32``; unlike any other of the file."""
    target: str
    recipe: str
    out: Path
    """Absolute."""
    keywords: Mapping[str, Any]
    """What else is given to ``nd.deploy``."""
    gates: tuple[Gate, ...]
    place: Place | None = None


@dataclass(frozen=True)
class Spec:
    """The whole file. Paths are absolute; those of the file start at its own folder `root`."""

    name: str
    seed: int
    root: Path
    data: Mapping[str, Any]
    clean: Mapping[str, Any]
    train: Mapping[str, Any]
    model: Path
    bundles: tuple[Bundling, ...]
    gates: tuple[Gate, ...]

    def at(self, path: str) -> Path:
        """A path of the file, absolute."""
        return _at(self.root, path)

    @property
    def place(self) -> Path:
        """The folder, table or archive of the data."""
        return self.at(self.data["from"] if "from" in self.data else f"data/{self.data['dataset']}")

    @property
    def subject(self) -> Subject:
        """Pictures, rows or texts: as the data says now, which may be made after the file was read."""
        return subject_of(self.data, self.place)


def read_spec(text: str, root: Path, source: str) -> Spec:
    """The Spec of a file's text. Raises UsageError with the line of what is wrong."""
    top = read_yaml(text, source)
    said = PIPELINE.read(top, "a pipeline")
    name = said.get("name") or root.name or "model"
    plain = file_name(name) or "model"
    data = said["data"]
    if len({"from", "dataset"} & set(data)) != 1:
        spot = top.value["data"]
        raise spot.wrong(
            "data is either from: a path, or dataset: a name.", "Type: data: data/pets, or data: {dataset: digits}"
        )
    train = dict(said.get("train", {}))
    spec = Spec(
        name=name,
        seed=said.get("seed", 42),
        root=root,
        data=data,
        clean=said.get("clean", {}),
        train=train,
        model=_at(root, train.pop("out", f"build/{plain}-model")),
        bundles=(),
        gates=tuple(said.get("gates", {}).values()),
    )
    check_data(data, spec.place, top.value["data"])
    # Of data that is not there yet nothing is said before its turn comes.
    subject = spec.subject if spec.place.exists() or "text" in data else PICTURES
    check_clean(subject, top.value.get("clean"))
    check_train(subject, top.value.get("train"))
    spots = _entries(top)
    made = [
        one
        for entry, spot in zip(said.get("deploy", ()), spots, strict=True)
        for one in _bundlings(spec, entry, spot, plain, subject.kind)
    ]
    _check_apart(made, [spec.at(data.get("from", "data")), spec.model], spots[-1] if spots else top)
    for place in (spec.model, *(one.out for one in made)):
        if root.is_relative_to(place) or place.is_relative_to(root / FOLDER):
            raise top.wrong(f"{place} is no place for a result.", f"Choose one like {spec.at('build/NAME')}.")
    return replace(spec, bundles=tuple(_told_apart(made)))


def _at(root: Path, path: str) -> Path:
    return Path(os.path.abspath(root / os.path.expanduser(path)))  # noqa: PTH111 - Path's raises for nobody's home


def _told_apart(made: list[Bundling]) -> Iterator[Bundling]:
    seen: set[str] = set()
    for one in made:
        named = (one.label, one.out.name, *(f"{one.label}-{number}" for number in range(2, len(made) + 2)))
        label = next(label for label in named if label not in seen)
        seen.add(label)
        yield replace(one, label=label)


def _entries(top: Spot) -> list[Spot]:
    given = top.value.get("deploy")
    if given is None:
        return []
    return given.value if isinstance(given.value, list) else [given]


def _bundlings(spec: Spec, entry: Mapping[str, Any], spot: Spot, plain: str, kind: str) -> Iterator[Bundling]:
    entry = dict(entry)
    provider = entry.pop("provider", None)
    target = entry.pop("target", CLOUD if provider else None)
    if target is None:
        raise spot.wrong("target is missing in deploy.", "Type: target: tflite (or provider: local)")
    recipes = entry.pop("recipe", ["fp32"])
    alone = {"endpoint", "settings"} & set(entry)
    if alone and not provider:
        raise spot.wrong(f"{' and '.join(sorted(alone))} without a provider.", "Type: provider: local")
    if provider and len(recipes) > 1:
        raise spot.wrong("one endpoint takes one bundle, and here are several recipes.", "Name one recipe.")
    out = entry.pop("out", f"build/{plain}-{target}")
    gates = {gate.figure: gate for gate in (*spec.gates, *entry.pop("gates", {}).values())}
    place = None
    if provider:
        place = Place(provider, entry.pop("endpoint", "") or _endpoint(plain), entry.pop("settings", {}))
        _check_place(place, target, spot)
    _check_recipes(target, recipes, spot, kind)
    for recipe in recipes:
        folder = spec.at(out if len(recipes) == 1 else f"{out}-{recipe}")
        yield Bundling(f"{target}-{recipe}", target, recipe, folder, entry, tuple(gates.values()), place)


def _endpoint(name: str) -> str:
    from nbdeploy.providers.endpoint import name_from  # noqa: PLC0415 - only with a provider

    return name_from(name)


def _check_place(place: Place, target: str, spot: Spot) -> None:
    """Say what a provider does not take before minutes of work; a missing extra is said when its turn comes."""
    from nbdeploy.errors import MissingExtra  # noqa: PLC0415 - only with a provider
    from nbdeploy.providers.endpoint import name_for  # noqa: PLC0415
    from nbdeploy.registry import providers, targets  # noqa: PLC0415

    try:
        made = targets.load(target)
        ours = made.__module__.startswith("nbdeploy.")  # a target of somebody's own may bring a server
        if ours and not issubclass(made, targets.load(CLOUD)):
            raise spot.wrong(f"a bundle for {target} has no server to put at a provider.", f"Type: target: {CLOUD}")
        name_for(place.endpoint)
        providers.load(place.provider)(**place.settings)
    except MissingExtra:
        return
    except UsageError as error:
        if "--set" in error.hint:
            error.hint = "Type: settings: {KEY: value}"
        raise (error if error.message.startswith(spot.source) else spot.told(error)) from None


def _check_recipes(target: str, recipes: list[str], spot: Spot, kind: str) -> None:
    """Say what a target does not do before minutes of training; a missing extra is said when its turn comes."""
    from nbdeploy.core.recipe import recipe_named  # noqa: PLC0415
    from nbdeploy.errors import MissingExtra  # noqa: PLC0415
    from nbdeploy.registry import targets  # noqa: PLC0415

    try:
        lowering = targets.load(target)()
    except MissingExtra:
        return
    try:
        for recipe in recipes:
            lowering.check(recipe_named(recipe), kind)
    except UsageError as error:
        raise spot.told(error) from None
    except MissingExtra:
        return


def _check_apart(made: list[Bundling], others: list[Path], spot: Spot) -> None:
    places = [*others, *(one.out for one in made)]
    for at, place in enumerate(places):
        for other in places[:at]:
            if place.is_relative_to(other) or other.is_relative_to(place):
                raise spot.wrong(
                    f"two results would lie in one another: {other} and {place}.", "Give each its own out:."
                )
    ends = [one.place.endpoint for one in made if one.place]
    for name in ends:
        if ends.count(name) > 1:
            raise spot.wrong(f"two bundles would be the endpoint {name}.", "Give each an endpoint: of its own.")
