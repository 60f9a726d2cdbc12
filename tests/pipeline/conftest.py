"""A folder of tiny pictures with a pipeline's file, and a stand-in for training and converting, which take minutes."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nbdeploy.pipeline.doing import Doing
from nbdeploy.pipeline.running import Pipeline
from nbdeploy.pipeline.spec import Bundling, Place, Spec

TEXT = """\
name: tiny
seed: 1
data: {from: pictures}
train: {arch: resnet18, epochs: 1}
deploy:
  - {target: onnx, recipe: [fp32, fp16]}
  - {target: cloud, provider: local, endpoint: tiny}
"""


def write_pictures(folder: Path, *, each: int = 5, side: int = 40) -> Path:
    """Noisy pictures of three colours in three class folders."""
    numbers = np.random.default_rng(0)
    for label, colour in {"blue": (40, 60, 200), "green": (40, 190, 60), "red": (200, 40, 40)}.items():
        (folder / label).mkdir(parents=True)
        for index in range(each):
            noise = numbers.normal(0, 40, (side, side, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{index}.png")
    return folder


class Quick(Doing):
    """Reads and cleans as always; what is trained and converted is a file of what it was made from."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.metrics: dict[str, Any] = {"accuracy_deployed": 0.9, "size_bytes": 2_000_000}
        self.ends: dict[str, str] = {}
        self.slow = ""
        """The step that never ends, and where it says that it began."""

    def read(self, spec: Spec, unpacked: Path) -> Any:
        return super().read(spec, unpacked)

    def clean(self, images: Any, spec: Spec) -> Any:
        self._did("clean", spec)
        return super().clean(images, spec)

    def train(self, images: Any, spec: Spec) -> dict[str, Any]:
        self._did("train", spec)
        return self._write(
            spec.model, {"of": images.fingerprint, "held_out": len(images.valid), **spec.train, "seed": spec.seed}
        )

    def deploy(self, one: Bundling, spec: Spec, images: Callable[[], Any]) -> dict[str, Any]:
        self._did(one.label, spec)
        self._write(one.out, {"of": (spec.model / "file").read_text(), "recipe": one.recipe})
        return {"metrics": self.metrics, "verified": True, "verdict": "verified"}

    def provide(self, bundle: Path, place: Place) -> dict[str, Any]:
        self.did.append("provide")
        made = hashlib.sha256((bundle / "file").read_bytes()).hexdigest()
        self.ends[place.endpoint] = made
        return {"endpoint": place.endpoint, "url": "", "provider": place.provider, "sha256": made}

    def taken(self, place: Place) -> bool:
        return place.endpoint in self.ends

    def standing(self, place: Place) -> str:
        return self.ends.get(place.endpoint, "")

    def _did(self, name: str, spec: Spec) -> None:
        if name == self.slow:
            (spec.root / "began").touch()
            time.sleep(600)
        self.did.append(name)

    def _write(self, folder: Path, what: Mapping[str, Any]) -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file").write_text(json.dumps(what, sort_keys=True))
        return {"arch": "resnet18", "accuracy": 0.9, "held_out": 10, "size": 32}


class Project:
    """The folder, its file's text, and runs of it."""

    def __init__(self, root: Path) -> None:
        self.root, self.doing, self.text = root, Quick(), TEXT

    def pipeline(self) -> Pipeline:
        """The pipeline that the file says now."""
        (self.root / "pipeline.yaml").write_text(self.text)
        made = Pipeline.load(self.root / "pipeline.yaml")
        return Pipeline(made.spec, doing=self.doing)

    def run(self, **options: Any) -> list[str]:
        """Run it; what was done beside what is up to date."""
        self.doing.did.clear()
        result = self.pipeline().run(**options)
        return [name for name, row in result.steps.items() if row.how == "done"]

    def change(self, old: str, new: str) -> None:
        """Change the file."""
        assert old in self.text
        self.text = self.text.replace(old, new)


ALL = ["data", "clean", "train", "deploy:onnx-fp32", "deploy:onnx-fp16", "deploy:cloud-fp32"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    write_pictures(tmp_path / "pictures", each=5)
    return Project(tmp_path)
