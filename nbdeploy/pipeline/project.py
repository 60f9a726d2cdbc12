"""init(): a project for somebody's own data: notebook, pipeline, CI workflow, README."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbdeploy.core import look
from nbdeploy.core.files import file_name
from nbdeploy.core.recipe import recipe_named
from nbdeploy.data.records import names
from nbdeploy.errors import MissingExtra, OutputError
from nbdeploy.pipeline.detect import Detected, beside, detect
from nbdeploy.pipeline.schema import json_schema
from nbdeploy.pipeline.spec import read_spec
from nbdeploy.pipeline.subjects import PICTURES, ROWS
from nbdeploy.registry import targets

_TEMPLATES = Path(__file__).parent.parent / "templates" / "project"
_WORKFLOW = ".github/workflows/deploy.yml"
_SHRUNK = ("static_int8", "weight_int8", "fp16")
"""What is made beside fp32: the first that the target does."""
_NAMED = 3
"""Classes that are all called by their names."""
_FEW, _MANY = 500, 20_000
"""Pictures below which an epoch is over soon, and above which one takes long."""


@dataclass(frozen=True)
class Project:
    """What was written, what it was written for, and what to type next."""

    folder: Path
    files: tuple[str, ...]
    data: Detected
    next: tuple[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        counts = dict(self.data.counts)
        remarks = list(self.data.remarks)
        return {
            "folder": str(self.folder),
            "files": list(self.files),
            "counts": counts,
            "remarks": remarks,
            "next": list(self.next),
        }

    def __str__(self) -> str:
        lines = [f"{self.folder}: a project for {self.data.summary}.", *(f"  {name}" for name in self.files)]
        return "\n".join([*lines, *self.data.remarks, "Next:", *(f"  {line}" for line in self.next)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return look.output(
            look.head(f"A project for {self.data.summary}"),
            look.tag("div", "", look.tag("code", "nbd-mono", str(self.folder))),
            look.table([(name, _ABOUT.get(name, "the same by hand")) for name in self.files], "Ht", css="nbd-bare"),
            *map(look.quiet, self.data.remarks),
            look.quiet("Next"),
            *[look.tag("div", "", look.tag("code", "nbd-mono", line)) for line in self.next],
        )


_ABOUT = {
    "pipeline.yaml": "all that is done, from data to bundle",
    "pipeline.schema.json": "what the file may say, for editors",
    _WORKFLOW: "runs the pipeline at every push",
    "README.md": "how to run it",
    "requirements.txt": "what has to be installed",
    ".gitignore": "what is made again",
}


def init(
    folder: str | os.PathLike[str] = ".",
    *,
    data: str | os.PathLike[str],
    label: str | None = None,
    text: str | None = None,
    target: str = "tflite",
    name: str | None = None,
    seed: int = 42,
) -> Project:
    """Write a project for your `data` into `folder`: pipeline.yaml, a notebook, a CI workflow, a README.

    `data` is a folder of pictures or .txt files, one sub-folder a class; a .csv, .zip or .tar of pictures; or a table,
    of whose rows `label` names the column to tell, and `text`, to learn from texts alone, theirs. It is looked at
    (classes, counts, sizes) and stays as it is. `target` is what the bundle is for. `name` is what the model is called,
    by default as the folder. Nothing is overwritten: where one of the files is there already, an OutputError names it
    and nothing is written; so is a folder among the data. Raises DataError for data that no classifier can be made of,
    UnknownName for a target or a column, UsageError for a target that does not take such models.
    """
    target = targets.canonical(target)
    place, source = Path(os.path.abspath(folder)), Path(os.path.abspath(data))
    found = detect(source, label, text)
    if place.is_relative_to(source):
        raise OutputError(
            f"{place} would lie among the data; nothing was written.",
            hint="Choose a folder beside or above it: nbdeploy init DIR",
        )
    recipes = _recipes(target, found.subject.kind)
    name = name or (place.name or "model")
    files = _files(place, found, target=target, recipes=recipes, name=name, seed=seed)
    there = [file for file in files if (place / file).exists() or (place / file).is_symlink()]
    if there:
        raise OutputError(
            f"{place} holds {names(there)} already; nothing was written.",
            hint="Choose another folder: nbdeploy init DIR",
        )
    read_spec(files["pipeline.yaml"], place, "pipeline.yaml")  # what cannot be run is not written
    _write(place, files)
    outside = () if source.is_relative_to(place) else (f"The data lies outside {place}: in CI, fetch it there.",)
    here = beside(place, Path.cwd())
    enter = "" if here == "." else f"cd {shlex.quote(here)} && "
    notebook = next(file for file in files if file.endswith(".ipynb"))
    after = (f"{enter}jupyter lab {shlex.quote(notebook)}", f"{enter}nbdeploy run pipeline.yaml")
    told = replace(found, remarks=(*found.remarks, *outside))
    return Project(place, tuple(files), told, after)


def _files(place: Path, found: Detected, *, target: str, recipes: list[str], name: str, seed: int) -> dict[str, str]:
    plain = file_name(name) or "model"
    notebook = f"{plain}.ipynb"
    epochs = 20 if 0 < found.files < _FEW else 3 if found.files > _MANY else 5
    values = {
        "name": json.dumps(name, ensure_ascii=False) if plain != name or name.isdigit() else name,
        "plain": plain,
        "seed": seed,
        "data": json.dumps(beside(found.path, place), ensure_ascii=False),
        "columns": {key: json.dumps(column, ensure_ascii=False) for key, column in found.columns.items()},
        "arch": "resnet18",
        "epochs": epochs,
        "size": found.side,
        "pretrained": not found.small,
        "target": target,
        "recipes": recipes,
        "endpoint": _endpoint(name),
        "notebook": notebook,
        "extra": targets[target].extra,
        "version": version("nbdeploy"),
        "noun": found.subject.noun,
        "built": f"{plain}-{target}-{recipes[0]}" if len(recipes) > 1 else f"{plain}-{target}",
        "example": shlex.quote(found.example),
        "summary": found.summary,
        "classes_in_words": _apart(list(found.counts)) if found.counts else "the classes of its data",
        "inside": found.path.is_relative_to(place),
        "band": round(1 / len(found.counts), 2) if found.counts else 0.1,
    }
    shown = {**values, "data": beside(found.path, place), "name": name}
    code = {"reading": _reading(found), "training": _training(found), "auditing": _auditing(found)}
    cells = {**values, **code, "name": name}
    told = "notebook.md.j2" if found.subject is PICTURES else "notebook_examples.md.j2"
    return {
        "pipeline.yaml": _rendered("pipeline.yaml.j2", values),
        "pipeline.schema.json": json.dumps(json_schema(), indent=2) + "\n",
        notebook: _notebook(_rendered(told, cells), plain),
        _WORKFLOW: _rendered("deploy.yml.j2", values),
        "README.md": _rendered("README.md.j2", shown),
        "requirements.txt": _rendered("requirements.txt.j2", values),
        ".gitignore": _rendered("gitignore.j2", values),
    }


def _apart(labels: list[str]) -> str:
    """``cat, cow and dog``."""
    return names(labels) if len(labels) > _NAMED else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _write(place: Path, files: Mapping[str, str]) -> None:
    """Write every file, or none."""
    written: list[Path] = []
    try:
        for name, text in files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise OutputError(
            f"{place} cannot be written to ({error.strerror or error}); nothing was written.",
            hint="Choose a folder of your own.",
        ) from error


def _recipes(target: str, kind: str) -> list[str]:
    """fp32 and one that shrinks. Raises UsageError for a target that does not take models of that kind."""
    try:
        lowering = targets.load(target)()
    except MissingExtra:
        return ["fp32"]
    known = lowering.recipes
    if kind != PICTURES.kind:
        known = lowering.beyond_pictures.get(kind, ())
        with suppress(MissingExtra):
            lowering.check(recipe_named("fp32"), kind)
    return [recipe for recipe in known if recipe == "fp32"] + [one for one in _SHRUNK if one in known][:1]


def _endpoint(name: str) -> str:
    from nbdeploy.providers.endpoint import name_from  # noqa: PLC0415

    return name_from(name)


def _reading(found: Detected) -> str:
    if found.subject is not PICTURES:
        kind = "Table" if found.subject is ROWS else "Texts"
        return f"nd.{kind}.{found.reader}(data{_named(found.columns)})"
    columns = "".join(f", {key}_column={json.dumps(name)}" for key, name in found.columns.items())
    return f"nd.ImageSet.{found.reader}(data{columns})"


def _auditing(found: Detected) -> str:
    return f"nd.audit(data{_named(found.columns)})"


def _named(columns: Mapping[str, str]) -> str:
    return "".join(f", {key}={json.dumps(name, ensure_ascii=False)}" for key, name in columns.items())


def _training(found: Detected) -> str:
    size = f", size={found.side}" if found.side else ""
    scratch = ", pretrained=False" if found.small else ""
    return f'nd.train(images, arch="resnet18", epochs=epochs{size}{scratch})'


def _rendered(template: str, values: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only where a project is written

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, Markdown and Python, no HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
    )
    return environment.get_template(template).render(**values)


def _notebook(text: str, name: str) -> str:
    """The cells of a text, divided by lines of ``----`` with the kind of what follows, as a notebook's JSON."""
    cells: list[dict[str, Any]] = []
    kind = "markdown"
    for part in ("----\n" + text).split("\n----"):
        head, _, body = part.removeprefix("----").partition("\n")
        kind = head.strip() or "markdown"
        source = body.strip("\n").splitlines(keepends=True)
        cell: dict[str, Any] = {"cell_type": "markdown", "id": f"{len(cells):02d}-{file_name(name)[:40]}"}
        if kind == "markdown":
            cells.append({**cell, "metadata": {}, "source": source})
            continue
        tags = {"tags": ["parameters"]} if kind == "parameters" else {}
        code = {"cell_type": "code", "execution_count": None, "metadata": tags, "outputs": [], "source": source}
        cells.append({**cell, **code})
    about = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return (
        json.dumps(
            {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, ensure_ascii=False, indent=1
        )
        + "\n"
    )
