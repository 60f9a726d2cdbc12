"""Put a bundle's folder together: model, labels, samples with expected answers, host code, README, manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.core.artifact import Artifact
from nbdeploy.core.bundle import FORMAT, MANIFEST, sealed
from nbdeploy.core.files import parts, sha256_of, write_json
from nbdeploy.core.report import Report
from nbdeploy.core.signature import Signature
from nbdeploy.core.versions import installed
from nbdeploy.targets.madeup import made_up
from nbdeploy.templates.python import predict as host
from nbdeploy.templates.python.predict import reader

if TYPE_CHECKING:
    from nbdeploy.exporting.program import Program
    from nbdeploy.targets.base import Target

HOST_CODE = Path(host.__file__)
_TEMPLATES = HOST_CODE.parents[1]


@dataclass(frozen=True, slots=True)
class Sample:
    """A file in the bundle: its name under samples/, the true label, and the original's probabilities."""

    file: str
    truth: str | None
    expected: np.ndarray
    index: int | None = None
    """Among the held-out files; None for a made-up one."""


def lay_out(
    work: Path, program: Program, target: Target, artifact: Artifact, *, name: str, version: str
) -> dict[str, Any]:
    """Write model, labels and host code into `work`, and a first manifest; gives the manifest."""
    model = f"model{target.suffix}"
    for part in parts(artifact.path):
        place = work / part.relative_to(artifact.path.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(part, place)
    (work / "labels.txt").write_text("\n".join(program.signature.labels) + "\n", encoding="utf-8")
    app = work / "app" / "python"
    app.mkdir(parents=True)
    for file, source in host_code(target, program.signature.kind).items():
        shutil.copyfile(source, app / file)
    versions = installed("numpy", "pillow", *target.runtime_requirements)
    lines = [f"{package}  # made with {number}\n" for package, number in versions.items()]
    (app / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    if program.signature.kind == "image":
        target.furnish(work, name=name)
    else:
        target.furnish_rows(work)
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": target.name,
        "recipe": artifact.recipe.to_dict(),
        "model": model,
        "signature": program.signature.to_dict(),
        "files": _files(work, first=model),
        "samples": [],
        "tools": {**artifact.tools, **target.versions()},
        "dataset": {
            "fingerprint": program.reference.fingerprint,
            "held_out": len(program.reference.held_out),
            "calibration": len(program.reference.calibration) if artifact.recipe.calibrated else 0,
        },
    }
    write_json(work / MANIFEST, sealed(manifest))
    return manifest


def add_samples(work: Path, program: Program, *, most: int, available: Sequence[int]) -> list[Sample]:
    """Copy `most` held-out files (spread over the labels) into samples/; made-up ones where `most` is 0.

    `available` are the indices of the held-out files that are on disk.
    """
    folder = work / "samples"
    folder.mkdir()
    reference = program.reference
    samples = []
    for number, index in enumerate(_spread(program, available, most), 1):
        source = Path(reference.held_out[index].path)
        file = f"{number:02d}{source.suffix.lower() if source.suffix.isascii() else '.jpg'}"
        shutil.copyfile(source, folder / file)
        samples.append(Sample(file, reference.held_out[index].label, reference.probabilities[index], index))
    return samples or _made_up(folder, program)


def _spread(program: Program, available: Sequence[int], most: int) -> list[int]:
    by_label: dict[str | None, list[int]] = {}
    for index in available:
        by_label.setdefault(program.reference.held_out[index].label, []).append(index)
    chosen: list[int] = []
    while len(chosen) < most and any(by_label.values()):
        chosen += [left.pop(0) for left in by_label.values() if left]
    return chosen[:most]


def _made_up(folder: Path, program: Program, *, count: int = 4, seed: int = 0) -> list[Sample]:
    """Made-up files, answered by the exported program: a self-test with nobody's pictures, rows or texts."""
    run, read = program.runner(), reader(program.signature.to_dict())
    random = np.random.default_rng(seed)
    samples = []
    for number in range(1, count + 1):
        suffix, content = made_up(program.signature, random)
        file = f"made-up-{number}{suffix}"
        (folder / file).write_bytes(content)
        samples.append(Sample(file, None, run(read(folder / file))))
    return samples


def write_expected(
    work: Path, program: Program, samples: Sequence[Sample], deployed: np.ndarray | None, same: float
) -> None:
    """samples/expected.json: what the original answers, and what this bundle answered when it was made.

    `deployed` is None where nothing here can run the model; then the file says null for it.
    """
    labels = program.signature.labels

    def table(values: np.ndarray) -> dict[str, float]:
        return {label: float(value) for label, value in zip(labels, values, strict=True)}

    write_json(
        work / "samples" / "expected.json",
        {
            "about": "probabilities: the original model's; deployed: this bundle's when it was made, null if not run; "
            "a run of this bundle elsewhere may differ from deployed by tolerance",
            "tolerance": same,
            "samples": [
                {
                    "file": sample.file,
                    "sha256": sha256_of(work / "samples" / sample.file),
                    "true_label": sample.truth,
                    "label": labels[int(sample.expected.argmax())],
                    "probabilities": table(sample.expected),
                    "deployed": None if deployed is None else table(deployed[index]),
                }
                for index, sample in enumerate(samples)
            ],
        },
    )


def finish(
    work: Path,
    manifest: Mapping[str, Any],
    report: Report,
    page: str,
    target: Target,
    *,
    accepted_failure: Mapping[str, Any] | None,
) -> None:
    """Write report, page, README and, last, the whole manifest."""
    write_json(work / "report.json", report.to_dict())
    (work / "report.html").write_text(page, encoding="utf-8", errors="replace")
    samples = sorted(path.name for path in (work / "samples").iterdir() if path.name != "expected.json")
    whole: dict[str, Any] = {
        **manifest,
        "samples": [f"samples/{name}" for name in samples],
        "report": {key: report.to_dict()[key] for key in ("checks", "metrics")},
    }
    if accepted_failure:
        whole["accepted_failure"] = dict(accepted_failure)
    (work / "README.md").write_text(_readme(whole, report, target), encoding="utf-8")
    whole["files"] = _files(work, first=whole["model"])
    write_json(work / MANIFEST, sealed(whole))


def host_code(target: Target | type[Target], kind: str = "image") -> dict[str, Path]:
    """What lies in ``app/python`` of a bundle of that kind, beside the requirements: file name -> nbdeploy's own."""
    beside = {"table": ("rows.py",), "text": ("words.py",)}.get(kind, ())
    return {
        "predict.py": HOST_CODE,
        **{name: HOST_CODE.with_name(name) for name in beside},
        "runtime.py": target.runtime,
        **{path.name: path for path in target.runtime_parts},
    }


def _files(work: Path, *, first: str) -> list[dict[str, Any]]:
    model = [path.relative_to(work).as_posix() for path in parts(work / first)]
    model.sort(key=lambda path: path != first)
    every = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())
    paths = [*model, *(path for path in every if path not in {*model, MANIFEST})]
    return [{"path": p, "sha256": sha256_of(work / p), "bytes": (work / p).stat().st_size} for p in paths]


def _readme(manifest: Mapping[str, Any], report: Report, target: Target) -> str:
    """The bundle's README: what it is, how it was checked, how to use it here, a few lines a platform."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(  # noqa: S701 - Markdown, not HTML, so nothing is escaped
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("bundle.md.j2").render(
        m={"accepted_failure": None, **manifest},
        metrics=report.metrics,
        target=target,
        input=manifest["signature"]["input"],
        noun=(noun := Signature.from_dict(manifest["signature"]).noun),
        example={"row": "row.json", "text": "text.txt"}.get(noun, "photo.jpg"),
        own=sum(not Path(name).name.startswith("made-up") for name in manifest["samples"]),
    )


def load_original(folder: Path) -> np.ndarray:
    """What the original model answers on the samples, float32 ``[n, classes]``, in the order of `load_expected`."""
    raw = json.loads((folder / "samples" / "expected.json").read_text(encoding="utf-8"))
    return np.array([list(row["probabilities"].values()) for row in raw["samples"]], dtype=np.float32)


def load_expected(folder: Path) -> tuple[list[Path], np.ndarray, float]:
    """Sample files, what the bundle answered when it was made (float32 ``[n, classes]``), and the tolerance.

    Where the bundle did not run then, what the original answers stands for it.
    """
    raw = json.loads((folder / "samples" / "expected.json").read_text(encoding="utf-8"))
    rows = raw["samples"]
    files = [folder / "samples" / Path(row["file"]).name for row in rows]
    values = np.array([list((row["deployed"] or row["probabilities"]).values()) for row in rows], dtype=np.float32)
    return files, values, float(raw["tolerance"])
