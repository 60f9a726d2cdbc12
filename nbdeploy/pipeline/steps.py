"""The steps of a pipeline: what each is made of, by which it is known to be done already, and how it is done."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from nbdeploy.data.labelled import Labelled
from nbdeploy.errors import MissingExtra
from nbdeploy.pipeline.contents import digest_of, files_of
from nbdeploy.pipeline.doing import journal_place
from nbdeploy.pipeline.hashes import MISSING, Hashes
from nbdeploy.pipeline.spec import Bundling, Place, Spec
from nbdeploy.pipeline.subjects import PICTURES
from nbdeploy.pipeline.work import Work


@dataclass(frozen=True)
class Made:
    """What a step came to. `digest` is of what later steps take from it; "" where that is its outputs."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Path, ...] = ()
    digest: str = ""


class Step(ABC):
    """One step. `name` is what a person calls it, `after` the steps that it takes something from."""

    asked: ClassVar[str] = ""
    """The option without which it is not done."""

    def __init__(self, spec: Spec, name: str, after: tuple[str, ...]) -> None:
        self.spec, self.name, self.after = spec, name, after

    @property
    def tools(self) -> tuple[str, ...]:
        """Distributions whose versions matter."""
        return ()

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Plain data that decides what comes of it."""

    def inputs(self, hashes: Hashes) -> dict[str, str]:
        """Name -> hash of the user's own files that it reads."""
        return {}

    @abstractmethod
    def do(self, work: Work) -> Made:
        """Do it."""

    def place(self) -> Path | None:
        """The folder that it makes, or makes anew."""
        return None

    def owned(self, work: Work) -> list[str]:
        """What it makes outside the hidden folder, by names that are remembered."""
        place = self.place()
        return [] if place is None else [work.hashes.name(place)]

    def taken(self, work: Work) -> dict[str, str]:
        """Of `owned`, what is there already, with words on it."""
        place = self.place()
        there = place is not None and (place.exists() or place.is_symlink())
        return {work.hashes.name(place): f"{place} is there already"} if there and place else {}

    def changed(self, work: Work, figures: Mapping[str, Any]) -> str:
        """Why what it made elsewhere is not there any more; "" where it is."""
        return ""


class Data(Step):
    """The data is there, can be read, and is divided into sides."""

    @property
    def tools(self) -> tuple[str, ...]:
        return self.spec.subject.looks

    def settings(self) -> dict[str, Any]:
        return {"data": dict(self.spec.data), "seed": self.spec.seed}

    def inputs(self, hashes: Hashes) -> dict[str, str]:
        place = self.spec.place
        if "dataset" in self.spec.data and not place.is_dir():
            return {hashes.name(place): MISSING}
        return hashes.of_all(files_of(self.spec))

    def do(self, work: Work) -> Made:
        if "dataset" in self.spec.data:
            work.doing.fetch(self.spec)
        images = work.raw
        work.forget_archives()
        counts = {"files": len(images), "classes": len(images.labels), "held_out": len(images.valid)}
        if isinstance(images, Labelled):
            aside = {"set_aside": sum(number for _, number in images.skipped), "noun": images.noun}
        else:
            aside = {"set_aside": len(images.set_aside)}
        return Made({**counts, **aside}, digest=digest_of(images))


class Clean(Step):
    """What people decided is applied; with `exclude` or `fail_on` it is looked for what is suspect."""

    @property
    def tools(self) -> tuple[str, ...]:
        return self.spec.subject.audits if self._audits else ()

    @property
    def _audits(self) -> bool:
        return bool(self.spec.clean.get("exclude") or self.spec.clean.get("fail_on"))

    def settings(self) -> dict[str, Any]:
        # Scores of `fail_on` are judged at every run, of what was found: they change nothing here.
        exclude = sorted(self.spec.clean.get("exclude", ()))
        seed = self.spec.seed if self._audits else None
        return {"exclude": exclude, "decisions": self.spec.clean.get("decisions"), "audit": self._audits, "seed": seed}

    def inputs(self, hashes: Hashes) -> dict[str, str]:
        if self.spec.subject is not PICTURES:  # columns that nothing is learned from are looked at, too
            return hashes.of_all(files_of(self.spec)) if self._audits else {}
        place = journal_place(self.spec)
        return hashes.of_all([place]) if place else {}

    def do(self, work: Work) -> Made:
        raw = work.raw
        made = work.doing.clean(raw, self.spec)
        work.keep_cleaned(made)
        left = len(raw) - len(made.images)
        figures = {"files": len(made.images), "left_out": left, "findings": len(made.findings)}
        people = sum(edit.who != "pipeline" for edit in made.edits)
        noun = {"noun": raw.noun} if isinstance(raw, Labelled) else {}
        return Made({**figures, "decisions": people, **noun}, (work.clean_file,), digest_of(made.images))


class Train(Step):
    """A model is trained and saved."""

    @property
    def tools(self) -> tuple[str, ...]:
        return self.spec.subject.trains

    def settings(self) -> dict[str, Any]:
        return {**self.spec.train, "name": self.spec.name, "seed": self.spec.seed, "out": str(self._out)}

    @property
    def _out(self) -> str:
        return Path(os.path.relpath(self.spec.model, self.spec.root)).as_posix()

    def place(self) -> Path | None:
        return self.spec.model

    def do(self, work: Work) -> Made:
        return Made(work.doing.train(work.cleaned, self.spec), (self.spec.model,))


class Deploy(Step):
    """A bundle is made of the model, and verified."""

    def __init__(self, spec: Spec, one: Bundling) -> None:
        super().__init__(spec, f"deploy:{one.label}", ("train",))
        self.one = one

    @property
    def tools(self) -> tuple[str, ...]:
        from nbdeploy.registry import targets  # noqa: PLC0415 - only of the targets that are used

        try:
            return (*self.spec.subject.deploys, *targets.load(self.one.target).tools)
        except MissingExtra:
            return ()

    def settings(self) -> dict[str, Any]:
        out = Path(os.path.relpath(self.one.out, self.spec.root)).as_posix()
        asked = {"target": self.one.target, "recipe": self.one.recipe, "out": out, "seed": self.spec.seed}
        return {"name": self.spec.name, **self.one.keywords, **asked}

    def place(self) -> Path | None:
        return self.one.out

    def do(self, work: Work) -> Made:
        return Made(work.doing.deploy(self.one, self.spec, lambda: work.cleaned), (self.one.out,))


class Provide(Step):
    """A bundle is put at a provider: only where the run is told to."""

    asked = "--provide"

    def __init__(self, spec: Spec, one: Bundling, place: Place) -> None:
        super().__init__(spec, f"provide:{place.endpoint}", (f"deploy:{one.label}",))
        self.one, self.at = one, place

    def settings(self) -> dict[str, Any]:
        return {"provider": self.at.provider, "endpoint": self.at.endpoint, "set": dict(self.at.settings)}

    def do(self, work: Work) -> Made:
        made = work.doing.provide(self.one.out, self.at)
        return Made(made, digest=str(made["sha256"]))

    def taken(self, work: Work) -> dict[str, str]:
        name = self.at.endpoint
        return {f"endpoint {name}": f"There is an endpoint {name} already"} if work.doing.taken(self.at) else {}

    def owned(self, work: Work) -> list[str]:
        return [f"endpoint {self.at.endpoint}"]

    def changed(self, work: Work, figures: Mapping[str, Any]) -> str:
        now = work.doing.standing(self.at)
        if not now:
            return f"the endpoint {self.at.endpoint} is not there"
        return "" if now == figures.get("sha256") else f"the endpoint {self.at.endpoint} answers with another model"


def steps_of(spec: Spec) -> tuple[Step, ...]:
    """The steps in the order in which they are done."""
    made: list[Step] = [Data(spec, "data", ()), Clean(spec, "clean", ("data",)), Train(spec, "train", ("clean",))]
    made += [Deploy(spec, one) for one in spec.bundles]
    return (*made, *(Provide(spec, one, one.place) for one in spec.bundles if one.place))
