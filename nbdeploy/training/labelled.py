"""What `nbdeploy.train` does with rows and texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdeploy.data.labelled import Labelled
from nbdeploy.data.reading import labelled_from
from nbdeploy.data.rowset import Table
from nbdeploy.data.textset import Texts
from nbdeploy.errors import UsageError
from nbdeploy.tracking.recording import current
from nbdeploy.training.recorded import outcome

if TYPE_CHECKING:
    from fastai.learner import Learner

OF_ALL = frozenset({"epochs", "lr", "batch_size", "keep", "seed", "cbs", "log"})
"""The keywords of `nbdeploy.train` that hold for rows and texts too; of `lr` not "find"."""


def train_labelled(
    data: Any, *, label: str | None, text: str | None, seed: int, of_pictures: Mapping[str, bool], **asked: Any
) -> Learner:
    """Train on a Table, on Texts, or on what such can be read from. `of_pictures`: which options that only pictures
    have were given. Raises UsageError for one that was, DataError, TrainError.
    """
    if given := [name for name, there in of_pictures.items() if there]:
        raise UsageError(f"{given[0]} is for pictures, and this is a table or texts.", hint=f"Leave {given[0]} out.")
    examples: Labelled = labelled_from(data, label=label, text=text, seed=seed)
    current().data(examples)
    current().params(dict.fromkeys(of_pictures))
    if isinstance(examples, Table):
        from nbdeploy.training.tables import train_table  # noqa: PLC0415 - seconds

        learn = train_table(examples, seed=seed, **asked)
    else:
        assert isinstance(examples, Texts)
        from nbdeploy.training.texts import train_texts  # noqa: PLC0415 - seconds

        learn = train_texts(examples, seed=seed, **asked)
    outcome(learn)
    return learn
