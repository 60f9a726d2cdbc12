"""Divided: what pictures, rows and texts to train on have in common: labels, two sides, and a hash of everything."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Generic, Protocol, TypeVar


class Example(Protocol):
    """One file with a label."""

    @property
    def label(self) -> str:
        """Its class."""

    @property
    def split(self) -> str:
        """``train`` or ``valid``."""

    @property
    def sha256(self) -> str:
        """The hash of its bytes."""


F = TypeVar("F", bound=Example)


class Divided(Generic[F]):
    """Files with labels, to learn from or held out."""

    files: tuple[F, ...]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted: the order of the model's answers."""
        return tuple(sorted({file.label for file in self.files}))

    @cached_property
    def train(self) -> tuple[F, ...]:
        """The files to learn from."""
        return tuple(file for file in self.files if file.split == "train")

    @cached_property
    def valid(self) -> tuple[F, ...]:
        """The files held out."""
        return tuple(file for file in self.files if file.split == "valid")

    @cached_property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Label -> (number to train on, number held out)."""
        train, valid = (Counter(file.label for file in side) for side in (self.train, self.valid))
        return {label: (train[label], valid[label]) for label in self.labels}

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of every file's hash and label, whatever their names, places, order and split."""
        lines = sorted(f"{file.sha256} {file.label}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[F]:
        return iter(self.files)
