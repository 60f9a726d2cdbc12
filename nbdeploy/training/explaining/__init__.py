"""What a report shows of a held-out example and of what its answer came from: pictures, rows and texts, a part each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nbdeploy.core.look import Html
from nbdeploy.training.kinds import kind_of_data

if TYPE_CHECKING:
    from nbdeploy.training.explaining.importance import Importance


class Given(Protocol):
    """A held-out example with what its answer came from."""

    @property
    def name(self) -> str:
        """A picture's path; where a row or a text stands."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without pictures."""

    def html(self) -> Html:
        """The example for people."""

    def told(self) -> str:
        """What its answer came from, as far as words say it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of some examples and, for rows, of the model."""

    given: tuple[Given, ...]
    note: str
    """How to read them, in a sentence."""
    importance: Importance | None = None


class Explainer(Protocol):
    """Knows the held-out examples of one Learner."""

    noun: str
    """What an example is called."""

    def labels(self) -> Sequence[str] | None:
        """The classes in output order; None where it is no classifier with one label each. Raises DataError."""

    def explain(self, which: Sequence[int], classes: Sequence[int]) -> Explanation:
        """The held-out examples of these indices, and what spoke for the class of each."""


def explainer(learn: Any) -> Explainer:
    """The part that fits what this Learner takes."""
    kind = kind_of_data(learn.dls)
    if kind == "table":
        from nbdeploy.training.explaining.rows import RowExplainer  # noqa: PLC0415 - fastai

        return RowExplainer(learn)
    if kind == "text":
        from nbdeploy.training.explaining.texts import TextExplainer  # noqa: PLC0415

        return TextExplainer(learn)
    from nbdeploy.training.explaining.pictures import PictureExplainer  # noqa: PLC0415

    return PictureExplainer(learn)
