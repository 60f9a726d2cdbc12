"""What a deployment will come to, before it is begun: size, time of each step, files, and what is there already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.core.files import check_place
from nbdeploy.core.numbers import SPACE, size
from nbdeploy.core.recipe import RECIPES
from nbdeploy.errors import BundleError, OutputError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.endpoint import name_for, name_from
from nbdeploy.shipping import remembered
from nbdeploy.shipping.model import About
from nbdeploy.shipping.stages import BUNDLE, ENDPOINT
from nbdeploy.shipping.wanted import Wanted

_BYTES = {
    "fp32": 4.0,
    "fp16": 2.0,
    "dynamic_int8": 1.0,
    "static_int8": 1.0,
    "weight_int8": 1.0,
    "palette_6bit": 0.75,
    "palette_4bit": 0.5,
}
"""Bytes of a parameter in the file."""
_AROUND = 1.03
"""A file holds the graph, scales and names too."""
_ROUGH_S = {
    "plan": (0.5, 0.0, 0.0),
    "check": (0.1, 0.0, 0.0),
    "export": (3.0, 0.2, 0.02),
    "calibrate": (0.5, 0.0, 0.0),
    "convert": (12.0, 0.5, 0.0),
    "verify": (6.0, 0.1, 0.02),
    "measure": (10.0, 1.0, 0.0),
    "package": (0.5, 0.0, 0.0),
    "start": (6.0, 0.0, 0.0),
    "probe": (1.0, 0.0, 0.0),
}
"""Seconds of a step on two slow processor cores: at least, for a million parameters, for a held-out file."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """Seconds of one step; `known` where it was done here with a model about as large."""

    seconds: float
    known: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be expected. `problem` says why it cannot be begun; "" where it can."""

    size: str
    steps: dict[str, Foretold]
    files: str
    place: Path
    endpoint: str
    """The name that an endpoint gets; "" for a bundle alone."""
    replaces: str
    """What is at the place, or the endpoint that is updated; "" where there is nothing."""
    overwrite: bool
    updates: bool
    """Whether there is an endpoint of that name already."""
    problem: str = ""
    hint: str = ""

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(one.seconds for one in self.steps.values())

    @property
    def known(self) -> bool:
        """Whether all of it was done here before."""
        return all(one.known for one in self.steps.values())


def estimate(model: About, wanted: Wanted) -> Estimate:
    """Look ahead; changes nothing and imports nothing heavy."""
    place = wanted.place(model.name)
    there = _there(place)
    wrong = _wrong(place)
    endpoint, update, clash = _endpoint(model, wanted)
    replaces = " ".join(filter(None, (there, update)))
    return Estimate(
        size=_size(model, wanted.recipe),
        steps=_steps(model, wanted),
        files=_files(model, wanted),
        place=place,
        endpoint=endpoint,
        replaces=replaces,
        overwrite=bool(replaces),
        updates=bool(update),
        problem=wrong[0] or clash,
        hint=wrong[1],
    )


def _size(model: About, recipe: str) -> str:
    if not model.parameters or recipe not in _BYTES:
        return "not known"
    return f"about {size(model.parameters * _BYTES[recipe] * _AROUND)}"


def _steps(model: About, wanted: Wanted) -> dict[str, Foretold]:
    needed = list(ENDPOINT if wanted.provider else BUNDLE)
    if not RECIPES[wanted.recipe].calibrated:
        needed.remove("calibrate")
    if wanted.more.get("latency_runs") == 0:
        needed.remove("measure")
    found = {}
    for phase in needed:
        place = wanted.provider if phase in {"plan", "start", "probe"} else wanted.lowered_to
        before = remembered.seconds(phase, place, wanted.recipe, model.parameters)
        if before is not None:
            found[phase] = Foretold(*before)
            continue
        least, million, file = _ROUGH_S[phase]
        guess = least + million * model.parameters / 1e6 + file * model.held_out
        found[phase] = Foretold(0.2 if phase == "export" and model.exported else guess, known=False)
    return found


def _files(model: About, wanted: Wanted) -> str:
    text = f"{model.held_out:,} held-out files to verify on" if model.held_out else "no held-out files"
    if RECIPES[wanted.recipe].calibrated:
        text += f", {model.calibration:,} training files to calibrate on"
    return text


def _there(place: Path) -> str:
    if not (place / MANIFEST).is_file():
        return ""
    try:
        old = Bundle.open(place)
    except BundleError:
        return "A bundle that cannot be read is there; it is kept beside, and Undo brings it back."
    made = str(old.manifest.get("created", ""))[:16].replace("T", " ")
    what = f"{old.name} {old.version} ({old.recipe}, made {made})".replace(SPACE, " ")
    return f"Replaces {what}. That is kept beside, and Undo brings it back."


def _wrong(place: Path) -> tuple[str, str]:
    try:
        check_place(place.absolute(), overwrite=True, mark=MANIFEST)
    except OutputError as error:
        return error.message, error.hint
    return "", ""


def _endpoint(model: About, wanted: Wanted) -> tuple[str, str, str]:
    """Its name, what is updated, and why it cannot be."""
    if not wanted.provider:
        return "", "", ""
    try:
        name = name_for(wanted.endpoint.strip()) if wanted.endpoint.strip() else name_from(wanted.name or model.name)
    except UsageError as error:
        return "", "", f"{error.message} {error.hint}"
    known = {kept.name: kept.provider for kept in store.every()}
    if name not in known:
        return name, "", ""
    if known[name] != wanted.provider:
        return name, "", f"There is an endpoint {name} already, at {known[name]}: choose another name."
    return name, f"Updates the endpoint {name}; Undo rolls it back.", ""
