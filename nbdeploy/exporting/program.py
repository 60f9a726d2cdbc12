"""Program: the exported model with its Signature and the original's answers; saved and loaded without pickle."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nbdeploy.core.files import new_folder, sha256_of, write_json
from nbdeploy.core.look import head, output, table
from nbdeploy.core.reference import Reference
from nbdeploy.core.signature import Signature
from nbdeploy.core.versions import installed
from nbdeploy.errors import BundleError, IntegrityError
from nbdeploy.templates.python.runtimes.torch import Refused, refuse_pickles

FORMAT = 1
_MODEL = "program.pt2"
_ABOUT = "program.json"
_LABELS_SHOWN = 12


@dataclass(frozen=True)
class Program:
    """The evaluation model with normalising and softmax inside the graph.

    `exported` takes what `signature` says, as uint8 ``[1, height, width, channels]`` for pictures, and gives float32
    ``[1, classes]``. `reference` holds what the original Learner answered on held-out files. `name` is what bundles are
    called by default.
    """

    exported: torch.export.ExportedProgram
    signature: Signature
    reference: Reference
    name: str = "model"

    def runner(self) -> Callable[[np.ndarray], np.ndarray]:
        """A function from the model's input to float32 ``[classes]``, run by PyTorch on the CPU."""
        module = self.exported.module()

        def run(prepared: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                answer: np.ndarray = module(torch.from_numpy(prepared.copy()))[0].numpy()
            return answer

        return run

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the program to `folder`, whole or not at all, without pickle. Raises OutputError."""
        folder = Path(folder)
        with new_folder(folder, overwrite=overwrite, mark=_ABOUT) as work:
            self.write_into(work)
        return folder

    def write_into(self, work: Path) -> None:
        """Write the files of `save` into a folder that exists."""
        save_exported(self.exported, work / _MODEL)
        write_json(work / "signature.json", self.signature.to_dict())
        self.reference.save(work)
        files = [_MODEL, "signature.json", "reference.json", "reference.npy"]
        write_json(
            work / _ABOUT,
            {
                "format": FORMAT,
                "name": self.name,
                "files": {name: sha256_of(work / name) for name in files},
                "tools": installed("torch", "fastai", "nbdeploy"),
            },
        )

    @classmethod
    def load(cls, folder: str | Path) -> Program:
        """Read what `save` wrote. Raises BundleError, or IntegrityError when a file was changed."""
        folder = Path(folder)
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            files = {str(name): str(digest) for name, digest in about["files"].items()}
            name, number = str(about["name"]), int(about["format"])
        except FileNotFoundError as error:
            raise BundleError(
                f"{folder} holds no exported model (program.json is missing).",
                hint="Name a folder that `nbdeploy train` or program.save() wrote.",
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{folder / 'program.json'} cannot be read ({error}).", hint="Export again.") from error
        if number != FORMAT:
            raise BundleError(f"{folder} has format {number}; this nbdeploy reads {FORMAT}.", hint="Export again.")
        for file in (_MODEL, "signature.json", "reference.json", "reference.npy"):
            if not (folder / file).is_file() or sha256_of(folder / file) != files.get(file):
                raise IntegrityError(f"{folder / file} is missing or was changed.", hint="Export the model again.")
        signature = Signature.from_dict(json.loads((folder / "signature.json").read_text(encoding="utf-8")))
        exported = load_exported((folder / _MODEL).read_bytes(), where=folder / _MODEL)
        return cls(exported, signature, Reference.load(folder), name)

    def __repr__(self) -> str:
        s, files = self.signature, len(self.reference.held_out)
        size = f"{s.width}x{s.height}x{s.channels}" if s.kind == "image" else f"a {s.noun} as {list(s.shape)}"
        return f"Program({self.name!r}: {size} -> {len(s.labels)} labels, {files} held-out files)"

    def _repr_html_(self) -> str:
        s, files = self.signature, len(self.reference.held_out)
        more = f" and {len(s.labels) - _LABELS_SHOWN} more" if len(s.labels) > _LABELS_SHOWN else ""
        steps = ", ".join(
            f"{step.op.replace('_', ' ')} to {step.width} × {step.height}, {step.resample}" for step in s.steps
        )
        rows = [
            ("the app does", s.given.says() if s.given else steps),
            ("takes", f"{s.dtype} {list(s.shape)}{'' if s.given else ' (NHWC)'}"),
            ("does itself", "; ".join(s.graph)),
            ("gives", f"float32 probabilities of {', '.join(s.labels[:_LABELS_SHOWN])}{more}"),
            ("is held to", f"{files} held-out files with the original's answers"),
        ]
        return output(head(f"Program {self.name}"), table(rows, "Ht"))


def save_exported(exported: torch.export.ExportedProgram, path: Path) -> None:
    """Write a .pt2. Raises OSError where that fails, as on a full disk: torch's own file writer ends the process."""
    content = io.BytesIO()
    torch.export.save(exported, content)
    path.write_bytes(content.getbuffer())


def load_exported(data: bytes, *, where: Path) -> torch.export.ExportedProgram:
    """The program of a .pt2's bytes, refusing every pickle in it but plain tensors. Raises BundleError."""
    try:
        refuse_pickles(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(io.BytesIO(data))
    except Refused as error:
        raise BundleError(
            f"{where} is refused: {error}.", hint="Loading it could run code. Export it again."
        ) from error
    except Exception as error:  # whatever a hostile or torn archive makes torch raise
        raise BundleError(f"{where} cannot be loaded ({error}).", hint="Export the model again.") from error
