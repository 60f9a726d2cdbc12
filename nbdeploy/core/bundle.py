"""Bundle: a folder that a person can use without nbdeploy, and its manifest."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, overload
from urllib.parse import quote

from nbdeploy import registry
from nbdeploy.core import look, numbers, summary
from nbdeploy.core.asked import Asked, raw, unreadable
from nbdeploy.core.files import sha256_of
from nbdeploy.core.hush import native_hushed
from nbdeploy.core.numbers import SPACE
from nbdeploy.core.prediction import Prediction, Predictions
from nbdeploy.core.report import Report
from nbdeploy.core.signature import Signature
from nbdeploy.errors import BundleError, IntegrityError, NbdeployError

if TYPE_CHECKING:
    from nbdeploy.templates.python.predict import Classifier

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest_sha256"
_MAX_MANIFEST_BYTES = 64 << 20
_HOST = "app/python/predict.py"


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
        """The model file, or the folder that it is."""
        return self.path / str(self.manifest["model"])

    @property
    def size_bytes(self) -> int:
        """Of the model, all its files together, as the manifest says."""
        return sum(file["bytes"] for file in self.model_files)

    @property
    def model_files(self) -> list[Mapping[str, Any]]:
        """What the manifest lists of the model's own files: ``path sha256 bytes`` each."""
        model = str(self.manifest["model"])
        return [file for file in self.manifest["files"] if _is_part(file["path"], model)]

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
        """Files that are missing or whose hash is not the manifest's, and the manifest where it breaks its own seal."""
        edited = [] if sealed(self.manifest) == self.manifest else [MANIFEST]
        return edited + [
            file["path"]
            for file in self.manifest["files"]
            if not (self.path / file["path"]).is_file() or sha256_of(self.path / file["path"]) != file["sha256"]
        ]

    @overload
    def predict(self, file: Asked, /) -> Prediction: ...
    @overload
    def predict(self, file: Asked, /, *files: Asked) -> Prediction | list[Prediction]: ...
    def predict(self, file: Asked, /, *files: Asked) -> Prediction | list[Prediction]:
        """Classify a picture, a row or a text, whichever the model takes, or several: then a list. Raises DataError.

        A picture is a path, or the bytes of a file. A row is a dict (column -> value; what is left out is missing), a
        text a string; either may be a path of a .json or a .txt file, or its bytes, too.

        Runs the same host code and runtime that the bundle carries, from nbdeploy's own copy: code inside a bundle
        that came from elsewhere is never executed here.
        """
        answers = Predictions(self._one(item) for item in (file, *files))
        return answers if files else answers[0]

    def _one(self, source: Asked) -> Prediction:
        name, file = raw(source, self.signature.kind)
        classifier = self.classifier
        try:
            prepared = classifier.prepare(file)
        except (OSError, ValueError, SyntaxError) as error:  # what a reader raises for a file that is no such thing
            raise unreadable(name, self.signature, error) from error
        row = classifier.answer(prepared)
        return Prediction(name, row["label"], row["probabilities"], row["inference_ms"])

    @cached_property
    def classifier(self) -> Classifier:
        """The model, loaded once. Raises BundleError where its runtime does not take it."""
        from nbdeploy.templates.python.predict import Classifier  # noqa: PLC0415 - numpy and Pillow

        load: Callable[[str, int], Any] = registry.targets.load(self.target)().load
        try:
            with native_hushed():
                return Classifier(self.path, load=load)
        except NbdeployError:
            raise
        except Exception as error:  # every runtime has errors of its own for a file that it cannot read
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BundleError(
                f"{self.model} cannot be loaded ({why}).", hint="Make the bundle again with nd.deploy."
            ) from error

    def __repr__(self) -> str:
        return f"Bundle({self.name!r} {self.version}, {self.target} {self.recipe}, {self.path})"

    def __str__(self) -> str:
        return "\n".join([self._headline(), str(self.report), *self.usage()])

    def usage(self) -> list[str]:
        """Three lines: where it is, how to use it without nbdeploy, how with it."""
        usual = {"row": "row.json", "text": "text.txt"}.get(self.signature.noun, "photo.jpg")
        sample = (self.manifest.get("samples") or [usual])[0]
        host, picture, here = (shlex.quote(str(p)) for p in (self.path / _HOST, self.path / sample, self.path))
        return [
            f"The bundle is in {self.path} (open report.html there)",
            f"Use it without nbdeploy: python {host} {picture}",
            f"Use it with nbdeploy:    nbdeploy predict {here} {picture}",
        ]

    def verdict(self) -> tuple[str, str]:
        """How it stands: a key of `look.SIGNS`, and words."""
        if accepted := self.manifest.get("accepted_failure"):
            return "failed", f"put in place although checks failed: {accepted['why']}"
        return ("passed", "verified") if self.report.compared else ("not_run", "NOT verified")

    def _headline(self) -> str:
        size = numbers.size(self.size_bytes)
        what = f"{self.name} {self.version} for {self.target}, {self.recipe}, {size}: {self.verdict()[1]}"
        return what.replace(SPACE, " ")

    def _repr_html_(self) -> str:
        s, checks = self.signature, summary.verdict(self.report)
        return look.output(
            look.head(f"{self.name} {self.version} for {self.target}, {self.recipe}"),
            look.tag("div", "nbd-line", look.sign(*self.verdict()), " ", look.tag("span", "nbd-quiet", checks)),
            *self.report.figures(),
            look.quiet(
                f"{len(s.labels)} labels, "
                + (s.given.says() if s.given else f"pictures as {s.width}{SPACE}×{SPACE}{s.height} pixels")
            ),
            look.tag("div", "", look.tag("code", "nbd-mono", str(self.path)), self._link()),
        )

    def _link(self) -> str:
        # A notebook's page resolves links from the notebook's folder, where its kernel runs.
        try:
            place = self.path.relative_to(Path.cwd()).as_posix()
        except (ValueError, OSError):
            return ""
        return look.Html(f' <a href="{escape(quote(place))}/report.html" target="_blank">report.html</a>')


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the SHA-256 of all else in it, so that an edit by hand is noticed."""
    rest = {key: value for key, value in manifest.items() if key != SEAL}
    return {**rest, SEAL: hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()}


def _is_part(name: str, model: str) -> bool:
    """Whether the file `name` belongs to the model: itself, inside it, or beside it with another suffix."""
    path, whole = PurePosixPath(name), PurePosixPath(model)
    return path.is_relative_to(whole) or (len(path.parts) == 1 and path.stem == whole.stem)


def _check_manifest(path: Path, manifest: Any) -> None:
    """Raise BundleError unless the manifest has what the rest of the code reads, and names only files inside."""
    try:
        number = manifest["format"]
        files: Sequence[Mapping[str, Any]] = manifest["files"]
        names = [str(file["path"]) for file in files]
        texts = [manifest[key] for key in ("name", "version", "target", "model")]
        texts += [text for file in files for text in (file["path"], file["sha256"])]
        texts += manifest["samples"]
        recipe, signature = manifest["recipe"]["name"], manifest["signature"]
    except (KeyError, TypeError) as error:
        raise BundleError(f"{path / MANIFEST} is no manifest ({error!r}).", hint="Make the bundle again.") from error
    if number != FORMAT:
        raise BundleError(f"{path} has format {number}; this nbdeploy reads {FORMAT}.", hint="Update nbdeploy.")
    outside = [n for n in names if PurePosixPath(n).is_absolute() or ".." in PurePosixPath(n).parts or "\\" in n]
    if outside or not any(_is_part(name, str(manifest["model"])) for name in names):
        raise BundleError(
            f"{path / MANIFEST} names files outside, or no model: {', '.join(outside) or manifest['model']}.",
            hint="Make the bundle again; do not load one from a stranger.",
        )
    if not all(isinstance(text, str) for text in (*texts, recipe)):
        raise BundleError(f"{path / MANIFEST} is not a manifest.", hint="Make the bundle again.")
    Signature.from_dict(signature)
