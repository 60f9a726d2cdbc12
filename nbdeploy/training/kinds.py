"""What a Learner takes: pictures, rows of a table, or texts. Found out without any work."""

from __future__ import annotations

import sys
from typing import Any


def kind_of_data(dls: Any) -> str:
    """``image``, ``table`` or ``text``; the last only of what `nbdeploy.train` made, see `reads_with_spacy`."""
    dataset = getattr(dls, "valid_ds", None)
    if _is(dataset, "fastai.tabular.core", "Tabular"):
        return "table"
    return "text" if _is(dataset, "nbdeploy.training.texts", "Encoded") else "image"


def reads_with_spacy(dls: Any) -> bool:
    """Whether it is a Learner of fastai's own for texts."""
    lists = getattr(getattr(dls, "valid_ds", None), "tls", None) or ()
    names = {type(tfm).__name__ for tl in lists[:1] for tfm in tl.tfms.fs}
    return bool(names & {"Numericalize", "Tokenizer"})


def _is(value: Any, module: str, name: str) -> bool:
    # What was never imported was not made either.
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
