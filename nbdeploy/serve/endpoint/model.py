"""The model of a bundle: what its manifest says, and the bundle's own host code to run it."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np

from .refusal import Unusable

TASKS = {"image_classification": "picture", "table_classification": "row", "text_classification": "text"}
"""What is served, and what a person calls one input of it."""
Load = Callable[[str, int], Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True, slots=True)
class Code:
    """What runs the model: host code with `Classifier`, the runtime's `load`, and whether one loaded model may answer
    several threads at once.
    """

    host: ModuleType
    load: Load
    shared: bool

    @classmethod
    def of(cls, folder: Path) -> Code:
        """The code that lies in the bundle itself. Raises Unusable."""
        place = folder / "app" / "python"
        try:
            host = host_code(place / "predict.py")
            runtime = host.load_module(place / "runtime.py")
        except ModuleNotFoundError as error:
            raise Unusable(f"{error}.", hint=f"Type: pip install -r {place / 'requirements.txt'}") from error
        except OSError as error:
            raise Unusable(f"{folder} holds no host code ({error}).", hint="Name a bundle's folder.") from error
        return cls(host, runtime.load, getattr(runtime, "SHARED", False))


def host_code(file: Path) -> ModuleType:
    """predict.py at `file`, loaded afresh: its limits can be set for this server alone."""
    spec = importlib.util.spec_from_file_location("_bundle_host", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["_bundle_host"] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Model:
    """A bundle's folder, its manifest, and the code to run it."""

    folder: Path
    manifest: dict[str, Any]
    code: Code

    @classmethod
    def open(cls, folder: Path, code: Code | None = None) -> Model:
        """Read the manifest. Raises Unusable where there is none, or the model is not the one that it lists."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            task, files = manifest["signature"]["task"], [folder / part["path"] for part in _parts(manifest)]
            wrong = [
                file.name
                for file, part in zip(files, _parts(manifest), strict=True)
                if hashlib.sha256(file.read_bytes()).hexdigest() != part["sha256"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unusable(f"{folder} is not a bundle ({error}).", hint="Name the folder: --bundle DIR") from error
        if wrong or not files:
            raise Unusable(
                f"{', '.join(wrong) or 'The model'} in {folder} is not what manifest.json lists.",
                hint="Make the bundle again with nd.deploy.",
            )
        if task not in TASKS:
            raise Unusable(f"This endpoint serves {', '.join(TASKS)}, not {task}.", hint="Update nbdeploy.")
        return cls(folder, manifest, code or Code.of(folder))

    @property
    def name(self) -> str:
        """Of the model."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """Of the model, as the person gave it."""
        return str(self.manifest["version"])

    @functools.cached_property
    def sha256(self) -> str:
        """Of the model's file; of the list of their hashes where it is several."""
        parts = [str(part["sha256"]) for part in _parts(self.manifest)]
        return parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()

    @property
    def labels(self) -> list[str]:
        """In output order."""
        return [str(label) for label in self.manifest["signature"]["labels"]]

    @property
    def noun(self) -> str:
        """What the model takes: ``picture``, ``row`` or ``text``."""
        return TASKS[str(self.manifest["signature"]["task"])]

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Of a model of rows: ``name kind categories`` of each; else none."""
        return list(self.manifest["signature"]["host"].get("columns", []))

    @property
    def input(self) -> dict[str, Any]:
        """The signature's input: name, dtype, shape ``[1, height, width, channels]``."""
        return dict(self.manifest["signature"]["input"])

    @property
    def output_name(self) -> str:
        """Of the probabilities."""
        return str(self.manifest["signature"]["output"]["name"])

    def about(self) -> dict[str, str]:
        """What every answer says of the model."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}

    def load(self, count: int) -> list[Any]:
        """`count` classifiers, each on one thread; the same one where the runtime allows that. Raises Unusable."""
        try:
            made = [
                self.code.host.Classifier(self.folder, threads=1, load=self.code.load)
                for _ in range(1 if self.code.shared else count)
            ]
        except Exception as error:  # every runtime has errors of its own for a file that it cannot read
            raise Unusable(
                f"The model cannot be loaded ({type(error).__name__}: {error}).", hint="Make the bundle again."
            ) from error
        return made * count if self.code.shared else made

    def test(self, classifier: Any) -> int:
        """Ask about every sample of the bundle; gives how many. Raises Unusable where an answer is not as it was."""
        try:
            expected = json.loads((self.folder / "samples" / "expected.json").read_text(encoding="utf-8"))
            for row in expected["samples"]:
                given = classifier.predict((self.folder / "samples" / Path(row["file"]).name).read_bytes())
                wanted = row["deployed"] or row["probabilities"]
                drift = max(abs(given["probabilities"][label] - value) for label, value in wanted.items())
                if not drift <= expected["tolerance"]:
                    raise Unusable(
                        f"samples/{row['file']} is answered otherwise than when the bundle was made (by {drift:.3g}).",
                        hint="Install the versions that requirements.txt names, or make the bundle again here.",
                    )
            return len(expected["samples"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unusable(f"The bundle's samples cannot be asked ({error}).", hint="Make it again.") from error


def _parts(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The files of the model: itself, inside it, or beside it with another suffix."""
    model = str(manifest["model"])
    stem = PurePosixPath(model).stem
    return [
        file
        for file in manifest["files"]
        if file["path"] == model
        or file["path"].startswith(f"{model}/")
        or ("/" not in file["path"] and PurePosixPath(file["path"]).stem == stem)
    ]
