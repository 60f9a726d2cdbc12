"""A folder where the commands of the pages are really run, with few pictures, a tiny net and a real IPython shell."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

import nbdeploy as nd
from nbdeploy.cli import main
from nbdeploy.errors import ProviderError
from nbdeploy.jupyter import loading
from nbdeploy.targets import convert

SMALLER = (
    (r"--arch (?!aarch64)\w+", "--arch test_resnet --size 32"),
    (r"--epochs \d+", "--epochs 1"),
    (r"(?<=\btrain )(?!.*--from-scratch)(.*)", r"\1 --from-scratch"),  # weights would be downloaded
    (r"\bdeploy (?=.*--target)(?!.*--latency-runs)(.*)", r"deploy \1 --latency-runs 0"),
    (r"nd\.deploy\((?!.*provider)(.*)\)", r"nd.deploy(\1, latency_runs=0, overwrite=True)"),
    (r"%deploy (?!.*--provider)(.*)", r"%deploy \1 --overwrite"),  # another page may have made it
    (r"Resize\(\d+\)", "Resize(32)"),
    (r"fine_tune\(\d+\)", "fit(1)"),
    (r"vision_learner\(dls, resnet18\)", "vision_learner(dls, resnet18, pretrained=False)"),
)
"""What is made smaller of a command before it is run: a pattern, and what stands in its place."""
EACH = 12
PIPELINE = """
name: pets
data: {from: data/pets}
train: {arch: test_resnet, size: 32, epochs: 1, pretrained: false}
deploy: [{target: tflite, latency_runs: 0}]
"""


class Sandbox:
    """Runs commands one after the other in `folder`; a line that ran already has its outputs and is not run again."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.ran: set[str] = set()
        patch.chdir(folder)
        patch.setenv("NBDEPLOY_STATE", str(folder / "state"))
        # The child's own work, in this process: torch and the converters are imported once, not once a conversion.
        patch.setattr(convert, "_run", _here)
        patch.setattr(convert, "_end_with_parent", lambda: None)
        InteractiveShell.clear_instance()
        self.shell = InteractiveShell.instance()
        loading.load(self.shell)
        self._furnish()

    def end_page(self) -> None:
        """Take away the endpoints that a page made: the next one begins without."""
        for endpoint in list(nd.endpoints().values()):
            with contextlib.suppress(ProviderError):  # only the person can take it away where it is
                endpoint.remove()
            if endpoint.name in nd.endpoints():
                endpoint.remove(forget=True)
        self.ran = {line for line in self.ran if "--provider" not in line and "endpoints" not in line}

    def close(self) -> None:
        """Take away the shell."""
        self.end_page()
        loading.unload(self.shell)
        InteractiveShell.clear_instance()

    def terminal(self, line: str) -> None:
        """Run a line of the terminal that begins with `nbdeploy`. Fails the test unless it ends with status 0."""
        small = smaller(line)
        if small in self.ran:
            return
        words = shlex.split(small)[1:]
        if "-o" in words and "--dry-run" not in words and (self.folder / words[words.index("-o") + 1]).exists():
            words.append("--overwrite")
        code = main(words)
        assert 0 == code, f"{line}: ended with status {code}"
        self.ran.add(small)
        if words[:1] == ["dataset"]:
            thin(self.folder / words[words.index("-o") + 1])

    def cell(self, text: str) -> Any:
        """Run a cell of a notebook. Raises what it raised."""
        result = self.shell.run_cell(smaller(text))
        if error := result.error_before_exec or result.error_in_exec:
            raise error
        return result.result

    def _furnish(self) -> None:
        """What a person has when a page begins: pictures, a table, a model, bundles, a photo."""
        nd.dataset("digits", out="data/digits")
        thin(self.folder / "data" / "digits")
        pets = nd.ImageSet.from_folder("data/digits")
        for file in [one for one in pets if one.label in {"1", "7"}]:
            place = Path("data/pets", {"1": "cat", "7": "dog"}[file.label], file.path.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.path.read_bytes())
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
        for name in ("photo.jpg", "photo.png"):
            picture.save(name)
        kinds = ["adelie", "gentoo", "chinstrap"] * 20
        rows = "".join(
            f"{kind},{36 + 5 * (i % 3) + i % 4},{180 + 9 * (i % 3) + i % 5},{('female', 'male')[i % 2]}\n"
            for i, kind in enumerate(kinds)
        )
        Path("penguins.csv").write_text(f"species,bill_length_mm,flipper_length_mm,sex\n{rows}", encoding="utf-8")
        Path("pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
        self.cell("learn = %train data/digits --arch resnet18 --epochs 1 --from-scratch --no-flip")
        nd.export(self.shell.user_ns["learn"], name="model").save("build/model")
        self.terminal("nbdeploy deploy build/model --target cloud -o build/cloud")
        self.terminal("nbdeploy deploy build/model --target cloud --version 2.0.0 -o build/newer-cloud")
        from fastai.vision.all import ImageDataLoaders, Resize, aug_transforms, resnet18, vision_learner

        names = (ImageDataLoaders, Resize, aug_transforms, resnet18, vision_learner)
        self.shell.user_ns.update({one.__name__: one for one in names}, path=self.folder / "data" / "digits")


def smaller(text: str) -> str:
    """`text` with the work made smaller."""
    for pattern, other in SMALLER:
        text = re.sub(pattern, other, text)
    return text


def thin(folder: Path) -> None:
    """Leave a dozen pictures a class."""
    for place in (one for one in folder.rglob("*") if one.is_dir()):
        for picture in sorted(place.glob("*.png"))[EACH:]:
            picture.unlink()


def _here(command: list[str], log: Path, *_: Any, **__: Any) -> int:
    with log.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        convert.main(Path(command[-1]))
    return 0
