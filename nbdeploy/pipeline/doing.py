"""The work of the steps: each a few calls of what nbdeploy offers a person. Loaded libraries are loaded here, late."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.finding import Edit
from nbdeploy.data.labelled import Labelled
from nbdeploy.errors import DataError, UsageError
from nbdeploy.pipeline.examples import learned_from, looked_through, read_examples
from nbdeploy.pipeline.spec import Bundling, Place, Spec
from nbdeploy.pipeline.subjects import PICTURES

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet


@dataclass(frozen=True)
class Cleaned:
    """The cleaned set, the Edits that made it, and the findings that nobody has decided on."""

    images: ImageSet | Labelled
    edits: tuple[Edit, ...]
    findings: tuple[Mapping[str, Any], ...]
    rows: tuple[int, ...] = ()
    """Of rows and texts, the positions of those that are left out."""


class Doing:
    """Does the work of a pipeline's steps. Another one may stand in for it where the work is beside the point."""

    def read(self, spec: Spec, unpacked: Path) -> ImageSet | Labelled:
        """The data, as it is. `unpacked` is where an archive may be unpacked. Raises DataError."""
        if not spec.place.exists():
            raise DataError(
                f"There is no {spec.place}.", hint="Correct the path in the file, at data:, or put it there."
            )
        if spec.subject is not PICTURES:
            return read_examples(spec)
        from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415 - only where pictures are read

        given = {"seed": spec.seed, **({"valid": spec.data["valid"]} if "valid" in spec.data else {})}
        columns = {f"{key}_column": spec.data[key] for key in ("path", "label", "split") if key in spec.data}
        place = spec.place
        if place.suffix.lower() == ".csv":
            return ImageSet.from_csv(place, **columns, **given)
        if columns:
            raise UsageError("path, label and split are for a .csv.", hint="Leave them out.")
        return ImageSet.from_folder(place, **given) if place.is_dir() else ImageSet.from_zip(place, unpacked, **given)

    def fetch(self, spec: Spec) -> None:
        """Make the folder of a data set that is named. Raises DataError or OutputError."""
        from nbdeploy.data.datasets import dataset  # noqa: PLC0415 - only for a data set that is named

        dataset(spec.data["dataset"], spec.place)

    def clean(self, images: ImageSet | Labelled, spec: Spec) -> Cleaned:
        """Look for what is suspect, where that is asked for, and apply what was decided."""
        if isinstance(images, Labelled):
            return _cleaned(images, spec)
        from nbdeploy.data.journal import NAME, Journal  # noqa: PLC0415 - only where it is cleaned

        place = journal_place(spec)
        if place and spec.clean.get("decisions") not in {None, NAME} and not place.exists():
            raise DataError(f"There is no {place}.", hint="Leave decisions: out to take those beside the data.")
        decided = Journal(place).edits() if place else ()
        settled = {edit.sha256 for edit in decided}
        left_out, findings = set(spec.clean.get("exclude", ())), []
        edits: list[Edit] = []
        if left_out or spec.clean.get("fail_on"):
            from nbdeploy.data.audit import audit  # noqa: PLC0415 - numpy, scipy and scikit-learn

            for row in audit(images, seed=spec.seed):
                if row.sha256 and row.sha256 in settled:
                    continue
                if row.kind in left_out:
                    edits += [_out(row)] if row.sha256 else []
                else:
                    findings.append(row)
        here = {file.sha256 for file in images.files}  # what cannot be read is set aside already
        edits = _each_once([edit for edit in edits if edit.sha256 in here])
        gone = {edit.sha256 for edit in edits if edit.operation == "exclude"}
        still = [row.to_dict() | {"sha256": row.sha256} for row in findings if row.sha256 not in gone or not row.sha256]
        every = (*edits, *decided)
        return Cleaned(images.apply(every) if every else images, every, tuple(still))

    def train(self, images: ImageSet | Labelled, spec: Spec) -> dict[str, Any]:
        """Train, export and save; gives accuracy on held-out files and what it was trained on."""
        from nbdeploy.training.images import train  # noqa: PLC0415 - torch and fastai

        resumes = spec.subject is PICTURES and "resume" in inspect.signature(train).parameters
        resume: dict[str, Any] = {"resume": True} if resumes else {}
        learn = train(images, **spec.train, **resume, seed=spec.seed)
        if _stopped(learn):  # it gives what it had learned by then, which is not what the file says
            raise KeyboardInterrupt
        from nbdeploy.exporting.learner import export  # noqa: PLC0415 - torch and fastai

        program = export(learn, name=spec.name)
        program.save(spec.model, overwrite=True)
        held_out = program.reference.held_out
        answers = program.reference.probabilities.argmax(axis=1)
        labels = program.signature.labels
        right = sum(labels[int(at)] == file.label for at, file in zip(answers, held_out, strict=True))
        figures = {"accuracy": right / len(held_out) if held_out else None, "held_out": len(held_out)}
        if isinstance(images, Labelled):
            return {**figures, "noun": images.noun, "learned_from": learned_from(program.signature)}
        return {
            **figures,
            "arch": str(spec.train.get("arch", "resnet18")),
            "size": program.signature.width,
        }

    def deploy(self, one: Bundling, spec: Spec, images: Any) -> dict[str, Any]:
        """Make the bundle; gives its report's figures. `images()` gives the set, where the model's files have moved."""
        from nbdeploy.core.reference import Reference, present  # noqa: PLC0415
        from nbdeploy.flow import deploy  # noqa: PLC0415 - torch

        _, gone = present(Reference.load(spec.model).held_out)
        keywords = {"name": spec.name, **one.keywords}
        bundle = deploy(
            spec.model,
            target=one.target,
            recipe=one.recipe,
            out=one.out,
            overwrite=True,
            seed=spec.seed,
            images=images() if gone else None,
            **keywords,
        )
        checks = {check.name: str(check.status) for check in bundle.report.checks}
        plain = json.loads(json.dumps(bundle.report.to_dict()["metrics"]))
        return {"metrics": plain, "checks": checks, "verified": bundle.report.compared, "verdict": bundle.verdict()[1]}

    def provide(self, bundle: Path, place: Place) -> dict[str, Any]:
        """Put a bundle at its place, also where an endpoint of that name is there."""
        from nbdeploy.flow import deploy  # noqa: PLC0415

        end = deploy(
            str(bundle),
            provider=place.provider,
            endpoint=place.endpoint,
            settings=dict(place.settings),
            overwrite=True,
        )
        return {"endpoint": end.name, "url": end.url, "provider": end.provider, "sha256": _model_of(end.record)}

    def taken(self, place: Place) -> bool:
        """Whether there is an endpoint of that name."""
        from nbdeploy.providers import store  # noqa: PLC0415 - SQLite

        return any(one.name == place.endpoint for one in store.every())

    def standing(self, place: Place) -> str:
        """SHA-256 of the model that the endpoint is remembered to answer with; "" where there is no such endpoint."""
        from nbdeploy.providers import store  # noqa: PLC0415 - SQLite

        kept = next((one for one in store.every() if one.name == place.endpoint), None)
        return _model_of(kept.record) if kept and kept.provider == place.provider else ""


def journal_place(spec: Spec) -> Path | None:
    """The journal of decisions, whether it is there or not; None where decisions are left out."""
    from nbdeploy.data.journal import NAME  # noqa: PLC0415

    said = spec.clean.get("decisions")
    if said is False:
        return None
    place = spec.place
    beside = (place if place.is_dir() else place.parent) / NAME
    if not said:
        return beside
    named = spec.at(said)
    return beside if not named.exists() and said == NAME else named


def _cleaned(examples: Labelled, spec: Spec) -> Cleaned:
    """Rows or texts without those that findings of the kinds in `exclude` name."""
    if not (spec.clean.get("exclude") or spec.clean.get("fail_on")):
        return Cleaned(examples, (), ())
    rows, findings = looked_through(examples, spec)
    left = examples.without(frozenset(rows)) if rows else examples
    return Cleaned(left, (), tuple(one.to_dict() for one in findings), rows)


def edits_to_plain(edits: tuple[Edit, ...]) -> list[dict[str, Any]]:
    """Edits as JSON takes them."""
    return [{**asdict(edit), "path": str(edit.path)} for edit in edits]


def edits_from_plain(raw: list[dict[str, Any]]) -> list[Edit]:
    """What `edits_to_plain` gave, as Edits again."""
    scores = (tuple((str(kind), float(score)) for kind, score in one["scores"]) for one in raw)
    return [Edit(**{**one, "path": Path(one["path"]), "scores": some}) for one, some in zip(raw, scores, strict=True)]


def _stopped(learn: Any) -> bool:
    """Whether a person ended the training before its time."""
    history = getattr(learn, "history", None)
    return bool(history.get("stopped") if isinstance(history, Mapping) else getattr(history, "stopped", None))


def _out(row: Any) -> Edit:
    """The Edit that leaves out what a finding is about: of copies one stays, as the finding suggests."""
    suggested: Edit | None = row.edit(who="pipeline")
    if suggested is not None and suggested.operation == "merge":
        return suggested
    why = f"{row.kind}: {row.evidence}"
    return Edit(row.path, "exclude", sha256=row.sha256, why=why, who="pipeline", scores=((row.kind, row.score),))


def _each_once(edits: list[Edit]) -> list[Edit]:
    return list({edit.sha256: edit for edit in reversed(edits)}.values())[::-1]


def _model_of(record: Mapping[str, Any]) -> str:
    return str(record.get("model", {}).get("sha256", ""))
