"""Learners of rows and texts: which there are, and what is the same in exporting them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from nbdeploy.core.progress import step
from nbdeploy.core.reference import DataFile, Reference, spread
from nbdeploy.core.signature import Signature
from nbdeploy.data.labelled import Labelled
from nbdeploy.errors import DataError, ExportError, UsageError
from nbdeploy.exporting.answers import plain_precision
from nbdeploy.exporting.parts import MAX_EXPORT_DRIFT, PROBED, trace
from nbdeploy.exporting.program import Program
from nbdeploy.templates.python.predict import reader
from nbdeploy.training.kinds import kind_of_data, reads_with_spacy

if TYPE_CHECKING:
    from nbdeploy.data.kept import KeptFile


@dataclass(frozen=True, slots=True)
class Readied:
    """What is known of a Learner of rows or texts before it is traced.

    `module` takes what `signature` says and gives probabilities. `ask` gives what the Learner's own pipeline answers to
    raw files, float32 ``[n, classes]``.
    """

    signature: Signature
    module: nn.Module
    held_out: tuple[DataFile, ...]
    ask: Callable[[Sequence[DataFile]], np.ndarray]

    def program(self, learn: Any, name: str) -> Program:
        """The Program, held to its Learner. Raises ExportError."""
        with step("exporting the model"):
            exported = trace(self.module, self.signature)
        with step("asking the original model") as note:
            with plain_precision(learn):
                expected = self.ask(self.held_out)
            note(f"{len(expected)} held-out {self.signature.noun}s")
        if not np.isfinite(expected).all():
            raise ExportError(
                f"The Learner itself answers NaN on a held-out {self.signature.noun}.",
                hint="Train again with a lower learning rate.",
            )
        program = Program(exported, self.signature, Reference(self.held_out, expected), name)
        _compare(program)
        return program


Exporter = Callable[..., Readied]
"""Takes the Learner, the data given beside it, and ``activation most seed``."""


def exporter(dls: Any) -> Exporter | None:
    """What readies a Learner with such data; None where it is one of pictures. Raises ExportError for other texts."""
    kind = kind_of_data(dls)
    if kind == "table":
        from nbdeploy.exporting.tabular import ready_table  # noqa: PLC0415 - fastai

        return ready_table
    if kind == "text":
        from nbdeploy.exporting.textual import ready_texts  # noqa: PLC0415

        return ready_texts
    if reads_with_spacy(dls):
        raise ExportError(
            "A text Learner of fastai reads texts with spaCy's tokenizer, which no app carries.",
            hint='Train one that an app can repeat: nd.train("texts.csv", text="COLUMN", label="COLUMN").',
        )
    return None


def kind_of(model: Any) -> str:
    """``image``, ``table`` or ``text``: what a Learner or a Program takes, found out without any work."""
    signature = getattr(model, "signature", None)
    return signature.kind if isinstance(signature, Signature) else kind_of_data(getattr(model, "dls", None))


def chosen(files: Sequence[KeptFile], labels: Sequence[str], *, most: int, seed: int) -> tuple[DataFile, ...]:
    """At most `most` held-out files, spread over the labels, written where verification finds them.

    Raises ExportError where there is none, DataError for a label that the model does not know.
    """
    unknown = sorted({file.label for file in files} - set(labels))
    if unknown:
        raise DataError(
            f"The data has labels that the model does not know: {', '.join(unknown[:5])}.",
            hint=f"The model knows {', '.join(labels[:10])}.",
        )
    if not files:
        raise ExportError(
            "The Learner has nothing held out, so nothing could be verified.",
            hint="Pass the data too: images=nd.Table.from_csv(...) or nd.Texts.from_csv(...) (--data FILE).",
        )
    # The order of `spread` is that of paths, which must not depend on where the cache is.
    picked = spread([DataFile(file.sha256, file.sha256, file.label) for file in files], most, seed)
    return tuple(DataFile(str(files[at].path), files[at].sha256, files[at].label) for at in picked)


def given(data: Any, kind: type[Labelled], read: Callable[[Path], Labelled]) -> Labelled | None:
    """The data given beside a Learner; a path is read. Raises UsageError for data of another kind."""
    if data is None or isinstance(data, kind):
        return data
    if isinstance(data, str | Path):
        return read(Path(data))
    raise UsageError(
        f"This Learner takes an nd.{kind.__name__}, not {type(data).__name__}.", hint="Give the same data."
    )


def _compare(program: Program) -> None:
    """Hold the Program to the Learner on some held-out files, read by the host's code."""
    run, read = program.runner(), reader(program.signature.to_dict())
    held_out = program.reference.held_out
    drift, worst = 0.0, ""
    for index in dict.fromkeys(np.linspace(0, len(held_out) - 1, min(PROBED, len(held_out))).astype(int).tolist()):
        now = float(np.abs(run(read(held_out[index].path)) - program.reference.probabilities[index]).max())
        if not now <= drift:
            drift, worst = now, held_out[index].path
    if drift > MAX_EXPORT_DRIFT:
        raise ExportError(
            f"The exported model does not answer as the Learner does: {drift:.3g} apart on {worst}.",
            hint="The Learner prepares its input in a way of its own; nbdeploy repeats Categorify, FillMissing and "
            "Normalize. Numbers with more than seven significant figures are better made smaller beforehand.",
        )
