"""Bundle: a folder that a person can use without nbdeploy, and its manifest."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, overload

from nbdeploy import registry
from nbdeploy.core.files import sha256_of
from nbdeploy.core.report import SIGNS, Report, Status, show
from nbdeploy.core.signature import Signature
from nbdeploy.errors import BundleError, DataError, IntegrityError

if TYPE_CHECKING:
    from nbdeploy.templates.python.predict import Classifier

FORMAT = 1
MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 64 << 20
_LABELS_SHOWN = 5
_HOST = "app/python/predict.py"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a bundle answered for one picture. `probabilities` is label -> 0..1, in the model's own order."""

    file: str
    label: str
    probabilities: Mapping[str, float]
    inference_ms: float

    @property
    def probability(self) -> float:
        """Of the answer, 0..1."""
        return self.probabilities[self.label]

    def top(self, most: int = _LABELS_SHOWN) -> list[tuple[str, float]]:
        """The likeliest labels with their probabilities, likeliest first."""
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])[:most]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``nbdeploy predict --json`` prints it."""
        return {
            "file": self.file,
            "label": self.label,
            "probabilities": dict(self.probabilities),
            "inference_ms": self.inference_ms,
        }

    def __str__(self) -> str:
        return f"{self.file}: {self.label}  {self.probability:.1%}  ({self.inference_ms:.1f} ms)"

    def _repr_html_(self) -> str:
        bars = "".join(
            f"<tr><td style='text-align:left'>{escape(label)}</td><td style='text-align:right'>{value:.1%}</td>"
            f"<td style='width:160px'><div style='height:8px;width:{value:.1%};border-radius:2px;"
            f"background:var(--jp-brand-color1,#2563eb)'></div></td></tr>"
            for label, value in self.top()
        )
        return f"<table><caption>{escape(self.file)} · {self.inference_ms:.1f} ms</caption>{bars}</table>"


@dataclass(frozen=True)
class Bundle:
    """A deployed model: its folder and what the manifest in it says."""

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read a bundle and hold every file to the manifest's hashes. Raises BundleError or IntegrityError."""
        bundle = cls.open(path)
        wrong = bundle.changed_files()
        if wrong:
            raise IntegrityError(
                f"{bundle.path} was changed after it was made: {', '.join(wrong[:5])}.",
                hint="Make the bundle again with nd.deploy; files of a bundle are not meant to be edited.",
            )
        return bundle

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read only the manifest, without looking at the other files. Raises BundleError."""
        path = Path(path).absolute()
        try:
            if (path / MANIFEST).stat().st_size > _MAX_MANIFEST_BYTES:
                raise BundleError(f"{path / MANIFEST} is too large to be a manifest.", hint="Make the bundle again.")
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BundleError(
                f"{path} is not a bundle ({MANIFEST} is missing).", hint="Name the folder that nd.deploy wrote."
            ) from error
        except (OSError, ValueError) as error:
            raise BundleError(f"{path / MANIFEST} cannot be read ({error}).", hint="Make the bundle again.") from error
        _check_manifest(path, manifest)
        return cls(path, manifest)

    @property
    def name(self) -> str:
        """Of the model."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """Of the model, as the person gave it."""
        return str(self.manifest["version"])

    @property
    def target(self) -> str:
        """The runtime format's name."""
        return str(self.manifest["target"])

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return str(self.manifest["recipe"]["name"])

    @property
    def model(self) -> Path:
        """The model file."""
        return self.path / str(self.manifest["model"])

    @cached_property
    def signature(self) -> Signature:
        """What goes in and comes out."""
        return Signature.from_dict(self.manifest["signature"])

    @property
    def labels(self) -> tuple[str, ...]:
        """In output order."""
        return self.signature.labels

    @cached_property
    def report(self) -> Report:
        """What was checked and measured when the bundle was made."""
        return Report.from_dict(json.loads((self.path / "report.json").read_text(encoding="utf-8")))

    def changed_files(self) -> list[str]:
        """Files that are missing or whose hash is not the manifest's."""
        return [
            file["path"]
            for file in self.manifest["files"]
            if not (self.path / file["path"]).is_file() or sha256_of(self.path / file["path"]) != file["sha256"]
        ]

    @overload
    def predict(self, file: str | Path | bytes, /) -> Prediction: ...
    @overload
    def predict(self, file: str | Path | bytes, /, *files: str | Path | bytes) -> Prediction | list[Prediction]: ...
    def predict(self, file: str | Path | bytes, /, *files: str | Path | bytes) -> Prediction | list[Prediction]:
        """Classify a picture (a path, or the bytes of a file), or several: then a list. Raises DataError.

        Runs the same host code and runtime that the bundle carries, from nbdeploy's own copy: code inside a bundle
        that came from elsewhere is never executed here.
        """
        answers = [self._one(item) for item in (file, *files)]
        return answers if files else answers[0]

    def _one(self, source: str | Path | bytes) -> Prediction:
        name = "(bytes)" if isinstance(source, bytes) else str(source)
        if not isinstance(source, bytes) and not Path(source).is_file():
            raise DataError(f"There is no file {source}.", hint="Give the path of a picture.")
        try:
            row = self.classifier.predict(source)
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for a file that is no picture
            raise DataError(
                f"{name} cannot be read as a picture ({error}).", hint="Give a JPEG or PNG file."
            ) from error
        return Prediction(name, row["label"], row["probabilities"], row["inference_ms"])

    @cached_property
    def classifier(self) -> Classifier:
        """The model, loaded once."""
        from nbdeploy.templates.python.predict import Classifier  # noqa: PLC0415 - numpy and Pillow

        load: Callable[[str, int], Any] = registry.targets.load(self.target)().load
        return Classifier(self.path, load=load)

    def __repr__(self) -> str:
        return f"Bundle({self.name!r} {self.version}, {self.target} {self.recipe}, {self.path})"

    def __str__(self) -> str:
        return "\n".join([self._headline(), str(self.report), *self.usage()])

    def usage(self) -> list[str]:
        """Three lines: where it is, how to use it without nbdeploy, how with it."""
        sample = (self.manifest.get("samples") or ["photo.jpg"])[0]
        host, picture, here = (shlex.quote(str(p)) for p in (self.path / _HOST, self.path / sample, self.path))
        return [
            f"The bundle is in {self.path} (open report.html there)",
            f"Use it without nbdeploy: python {host} {picture}",
            f"Use it with nbdeploy:    nbdeploy predict {here} {picture}",
        ]

    def _headline(self) -> str:
        accepted = self.manifest.get("accepted_failure")
        verdict = (
            f"put in place although checks failed: {accepted['why']}"
            if accepted
            else "verified"
            if self.report.compared
            else "NOT verified"
        )
        size = self.manifest["files"][0]["bytes"] / 1e6
        return f"{self.name} {self.version} for {self.target}, {self.recipe}, {size:.2f} MB: {verdict}"

    def _repr_html_(self) -> str:
        m = self.report.metrics
        facts = [
            ("agreement with the original", m.get("top1_agreement"), "{:.2%}"),
            ("accuracy, original", m.get("accuracy_original"), "{:.2%}"),
            ("accuracy, deployed", m.get("accuracy_deployed"), "{:.2%}"),
            ("largest probability change", m.get("max_abs_diff"), "{:.2g}"),
            ("latency, 1 thread", m.get("latency_ms_p50"), "{:.2f} ms"),
            ("the original's", m.get("latency_ms_p50_original"), "{:.2f} ms"),
        ]
        cells = "".join(
            f"<td style='text-align:left;padding-right:16px'><div style='opacity:.7'>{escape(name)}</div>"
            f"<div style='font-variant-numeric:tabular-nums'><b>{_shown(value, form)}</b></div></td>"
            for name, value, form in facts
        )
        checks = [
            f"{SIGNS[status]} {sum(check.status is status for check in self.report.checks)} {status.replace('_', ' ')}"
            for status in (Status.failed, Status.not_run, Status.passed)
            if any(check.status is status for check in self.report.checks)
        ]
        return (
            f"<div><b>{escape(self._headline())}</b><div>{', '.join(checks)}</div><table><tr>{cells}</tr></table>"
            f"<code>{escape(str(self.path))}</code></div>"
        )


def _shown(value: Any, form: str) -> str:
    return form.format(value) if isinstance(value, int | float) else show(value)


def _check_manifest(path: Path, manifest: Any) -> None:
    """Raise BundleError unless the manifest has what the rest of the code reads, and names only files inside."""
    try:
        number = manifest["format"]
        files: Sequence[Mapping[str, Any]] = manifest["files"]
        names = [str(file["path"]) for file in files]
        texts = [manifest[key] for key in ("name", "version", "target", "model")]
        [file["sha256"] for file in files]
        recipe, signature = manifest["recipe"]["name"], manifest["signature"]
    except (KeyError, TypeError) as error:
        raise BundleError(f"{path / MANIFEST} is no manifest ({error!r}).", hint="Make the bundle again.") from error
    if number != FORMAT:
        raise BundleError(f"{path} has format {number}; this nbdeploy reads {FORMAT}.", hint="Update nbdeploy.")
    outside = [n for n in names if PurePosixPath(n).is_absolute() or ".." in PurePosixPath(n).parts or "\\" in n]
    if outside or str(manifest["model"]) not in names:
        raise BundleError(
            f"{path / MANIFEST} names files outside, or no model: {', '.join(outside) or manifest['model']}.",
            hint="Make the bundle again; do not load one from a stranger.",
        )
    if not all(isinstance(text, str) for text in (*texts, recipe)):
        raise BundleError(f"{path / MANIFEST} is not a manifest.", hint="Make the bundle again.")
    Signature.from_dict(signature)
