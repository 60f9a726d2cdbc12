"""From a Learner of texts that `nbdeploy.train` made to a module that takes the ids of one text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nbdeploy.core.reference import DataFile
from nbdeploy.core.signature import Signature
from nbdeploy.data.textset import Texts
from nbdeploy.errors import UsageError
from nbdeploy.exporting.parts import act_of, activation_for, copied
from nbdeploy.exporting.pipeline import labels_of
from nbdeploy.exporting.rows import Readied, chosen, given
from nbdeploy.templates.python.words import decode
from nbdeploy.training.texts import Encoded


class TextIn(nn.Module):
    """int32 [1, length] in, probabilities out: the model and softmax in one module."""

    def __init__(self, model: nn.Module, activation: nn.Module, largest: int) -> None:
        super().__init__()
        self.model, self.activation, self.largest = model, activation, largest

    def forward(self, ids: Tensor) -> Tensor:
        """int32 [1, length] to float32 [1, classes]."""
        # No caller can make the table of vectors be read past its end.
        probabilities: Tensor = self.activation(self.model(ids.clamp(0, self.largest)))
        return probabilities


def ready_texts(learn: Any, data: Any, *, activation: nn.Module | None, most: int, seed: int) -> Readied:
    """What a Learner of texts takes and does. Raises ExportError, or UsageError for a file of unknown columns."""
    dls = learn.dls
    labels, words = labels_of(dls), dls.valid_ds.words

    def read(path: Path) -> Texts:
        if path.is_dir():
            return Texts.from_folder(path, seed=seed)
        raise UsageError(
            f"Which column of {path.name} is the label?", hint="Type: images=nd.Texts.from_csv(..., label='COLUMN')"
        )

    texts = given(data, Texts, read) or getattr(dls, "texts", None)
    held_out = texts.valid if isinstance(texts, Texts) else ()
    activation = activation or activation_for(learn)
    signature = Signature(
        labels=labels,
        task="text_classification",
        input_name="ids",
        given=words,
        graph=(
            "look up each id, and pass over 0",
            "divide the sum by the root of their number",
            "the network",
            type(activation).__name__.lower(),
        ),
    )

    def ask(files: Sequence[DataFile]) -> np.ndarray:
        said = Encoded([decode(file.path) for file in files], [0] * len(files), words, labels)
        with learn.no_bar(), learn.no_logging(), torch.no_grad():
            outputs = learn.get_preds(dl=dls.valid.new(said), act=act_of(activation))[0]
        return np.asarray(outputs.detach().cpu().float(), dtype=np.float32)

    module = TextIn(copied(learn.model), activation, len(words.vocabulary))
    return Readied(signature, module, chosen(held_out, labels, most=most, seed=seed), ask)
