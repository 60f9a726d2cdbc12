"""What the original model answered on held-out files: the truth that every deployed thing is held to."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core.files import sha256_of, write_json
from nbdeploy.errors import BundleError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class DataFile:
    """A raw picture on disk. `label` is None where the true label is not known."""

    path: str
    sha256: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """Held-out files with the original model's own probabilities, and training files to calibrate on.

    `probabilities` is float32 ``[len(held_out), classes]``, from the Learner's own pipeline on the raw files.
    """

    held_out: tuple[DataFile, ...]
    probabilities: np.ndarray
    calibration: tuple[DataFile, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 over the content hashes and labels of all files, in sorted order."""
        lines = sorted(f"{file.sha256} {file.label}" for file in (*self.held_out, *self.calibration))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def bounded(self, *, held_out: int | None, calibration: int | None, seed: int) -> Reference:
        """At most so many files of each kind, spread over the labels; None leaves a kind as it is."""
        kept = spread(self.held_out, len(self.held_out) if held_out is None else held_out, seed)
        taught = spread(self.calibration, len(self.calibration) if calibration is None else calibration, seed)
        return replace(
            self,
            held_out=tuple(self.held_out[i] for i in kept),
            probabilities=self.probabilities[kept],
            calibration=tuple(self.calibration[i] for i in taught),
        )

    def save(self, folder: Path) -> None:
        """Write ``reference.json`` and ``reference.npy``."""
        import numpy as np  # noqa: PLC0415 - core stays light

        write_json(
            folder / "reference.json",
            {
                "held_out": [asdict(file) for file in self.held_out],
                "calibration": [asdict(file) for file in self.calibration],
            },
        )
        np.save(folder / "reference.npy", self.probabilities, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Reference:
        """Read what `save` wrote. Raises BundleError."""
        import numpy as np  # noqa: PLC0415 - core stays light

        try:
            raw = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
            probabilities = np.load(folder / "reference.npy", allow_pickle=False)
            held_out = tuple(DataFile(**file) for file in raw["held_out"])
            calibration = tuple(DataFile(**file) for file in raw["calibration"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(
                f"The reference answers in {folder} cannot be read ({error}).",
                hint="Export the model again with nd.export or nbdeploy train.",
            ) from error
        if len(held_out) != len(probabilities):
            raise BundleError(
                f"{folder} holds {len(probabilities)} answers for {len(held_out)} files.",
                hint="Export the model again with nd.export or nbdeploy train.",
            )
        return cls(held_out, probabilities, calibration)


def spread(files: Sequence[DataFile], most: int, seed: int) -> list[int]:
    """Indices of at most `most` files, in turns of the labels, the same for the same `seed`; all in order if fewer."""
    if len(files) <= most:
        return list(range(len(files)))
    shuffled = sorted(range(len(files)), key=lambda index: files[index].path)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - a sample, not a secret
    by_label: dict[str | None, list[int]] = {}
    for index in shuffled:
        by_label.setdefault(files[index].label, []).append(index)
    chosen: list[int] = []
    while len(chosen) < most:  # a round takes one of each label
        chosen += [left.pop() for left in by_label.values() if left]
    return chosen[:most]


def as_data_file(path: str | Path, label: str | None = None) -> DataFile:
    """A DataFile with its hash read from disk."""
    path = Path(path).absolute()
    return DataFile(str(path), sha256_of(path), label)


def present(files: Sequence[DataFile]) -> tuple[list[int], list[int]]:
    """Indices of the files that are on disk with the same content, and of those that are not."""
    here: list[int] = []
    gone: list[int] = []
    for index, file in enumerate(files):
        path = Path(file.path)
        (here if path.is_file() and sha256_of(path) == file.sha256 else gone).append(index)
    return here, gone
