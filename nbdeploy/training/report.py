"""learn_report(): what a trained classifier gets right and wrong on what was held out: pictures, rows or texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.core.hush import hushed
from nbdeploy.core.numbers import percent, wilson
from nbdeploy.core.progress import step
from nbdeploy.errors import UsageError
from nbdeploy.training import reportpage

if TYPE_CHECKING:
    from fastai.learner import Learner

    from nbdeploy.training.explaining import Given
    from nbdeploy.training.explaining.importance import Importance

_TOP = 12
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: shares 0..1 with their 95 % intervals (Wilson); None where there is nothing to divide by."""

    label: str
    support: int
    """Held-out examples of it."""
    answers: int
    """Times that it was the answer."""
    right: int
    precision: float | None
    precision_interval: Interval
    recall: float | None
    recall_interval: Interval
    f1: float | None


@dataclass(frozen=True, slots=True)
class Miss:
    """One of the examples with the highest loss. `loss` is minus the logarithm of its own label's probability."""

    label: str
    answer: str
    probability: float
    """Of the answer."""
    own: float
    """Probability of the label."""
    loss: float
    given: Given
    """What the model was asked about: its ``name``; ``picture heat``, or ``cells`` of a row, or ``text words``."""

    @property
    def file(self) -> str:
        """A picture's path; where a row or a text stands."""
        return self.given.name

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without pictures."""
        own = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "given"}
        return {"file": self.file, **own, **self.given.to_dict()}


@dataclass(frozen=True, slots=True)
class LearnReport:
    """Named results on the held-out examples; shown in a notebook, saved as a page, or taken as plain data."""

    noun: str
    """What an example is: picture, row, text."""
    labels: tuple[str, ...]
    files: int
    """How many were held out."""
    accuracy: float
    accuracy_interval: Interval
    classes: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are true labels, columns answers."""
    top_losses: tuple[Miss, ...]
    explained: str
    """How what is shown beside each of `top_losses` is to be read, or why nothing is."""
    importance: Importance | None = None
    """Of the columns, where the model takes rows."""
    tta: dict[str, Any] | None = None
    """``n accuracy accuracy_interval`` with test-time augmentation, where it was asked for."""

    @property
    def right(self) -> int:
        """Examples whose answer is their label."""
        return sum(row[n] for n, row in enumerate(self.confusion))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without pictures."""
        return {
            "noun": self.noun,
            "labels": list(self.labels),
            "files": self.files,
            "right": self.right,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "classes": [asdict(row) for row in self.classes],
            "confusion": [list(row) for row in self.confusion],
            "top_losses": [miss.to_dict() for miss in self.top_losses],
            "explained": self.explained,
            "importance": self.importance.to_dict() if self.importance else None,
            "tta": self.tta,
        }

    def save(self, path: str | Path) -> Path:
        """Write one page that asks for nothing from outside itself; gives its path. Raises OutputError."""
        return reportpage.save(self, Path(path))

    def __str__(self) -> str:
        low, high = self.accuracy_interval
        told = f"{self.right} of {self.files} held-out {self.noun}s right: {percent(self.accuracy)}"
        lines = [f"{told} (95 % interval {100 * low:.1f} to {percent(high)})"]
        if self.tta:
            lines.append(reportpage.tta_words(self))
        lines += [
            f"  {row.label}: {row.right} of {row.support} found, {row.answers - row.right} wrongly so called"
            for row in self.classes
        ]
        return "\n".join([*lines, *([str(self.importance)] if self.importance else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return reportpage.page(self)


def learn_report(learn: Learner, *, tta: int = 0, top: int = _TOP) -> LearnReport:
    """Look at what a classifier's Learner answers on what it holds out, pictures, rows or texts; it is left as it was.

    Gives the accuracy and each class's precision, recall and F1 with 95 % intervals, the confusion matrix, and the
    `top` examples with the highest loss, beside what their answer came from: of pictures where in it (Grad-CAM), of
    texts by how much the answer's probability falls without each word (of the first 200). Of rows of a table it gives
    the permutation importance of the columns instead: by how much the loss rises and the accuracy drops when one is
    shuffled (Breiman 2001; Fisher, Rudin and Dominici 2019), ten times, with the spread, on up to 5,000 held-out rows.

    With `tta` the accuracy on pictures is also given for test-time augmentation: the mean over `tta` augmented copies,
    weighed three to one with the plain answer (fastai's `Learner.tta`). That is never done unasked, and a deployed
    bundle does not do it.

    Raises DataError where nothing held out has a label, UsageError for a Learner that is no classifier, or for `tta`
    with rows or texts.
    """
    if tta < 0 or top < 0:
        raise UsageError("tta and top cannot be negative.", hint="Type tta=4, top=12, or leave them out.")
    with hushed():
        from nbdeploy.training import asking  # noqa: PLC0415 - fastai takes seconds

    part, labels = asking.opened(learn)
    if tta and part.noun != "picture":
        raise UsageError(
            f"tta is for pictures: it asks about turned and cropped copies of each, and a {part.noun} has none.",
            hint="Leave tta out.",
        )
    with step(f"asking the model about the held-out {part.noun}s") as note:
        probabilities, truth = asking.answers(learn)
        note(f"{len(truth)} {part.noun}s")
    answer = probabilities.argmax(1)
    losses = asking.losses(probabilities, truth)
    worst = np.argsort(-losses, kind="stable")[:top].tolist()
    with step(f"looking at the {part.noun}s with the highest loss"):
        explanation = part.explain(worst, [int(answer[n]) for n in worst])
    matrix = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(matrix, (truth, answer), 1)
    right = int(matrix.trace())
    return LearnReport(
        noun=part.noun,
        labels=labels,
        files=len(truth),
        accuracy=right / len(truth),
        accuracy_interval=wilson(right, len(truth)),
        classes=tuple(_row(label, matrix, n) for n, label in enumerate(labels)),
        confusion=tuple(tuple(int(n) for n in row) for row in matrix),
        top_losses=tuple(
            Miss(
                label=labels[truth[n]],
                answer=labels[answer[n]],
                probability=float(probabilities[n, answer[n]]),
                own=float(probabilities[n, truth[n]]),
                loss=float(losses[n]),
                given=given,
            )
            for n, given in zip(worst, explanation.given, strict=True)
        ),
        explained=explanation.note,
        importance=explanation.importance,
        tta=_augmented(learn, tta) if tta else None,
    )


def _row(label: str, matrix: np.ndarray, n: int) -> ClassRow:
    right, support, answers = int(matrix[n, n]), int(matrix[n].sum()), int(matrix[:, n].sum())
    return ClassRow(
        label=label,
        support=support,
        answers=answers,
        right=right,
        precision=right / answers if answers else None,
        precision_interval=wilson(right, answers),
        recall=right / support if support else None,
        recall_interval=wilson(right, support),
        f1=2 * right / (support + answers) if support + answers else None,
    )


def _augmented(learn: Learner, n: int) -> dict[str, Any]:
    from nbdeploy.training import asking  # noqa: PLC0415

    with step(f"asking again, with {n} augmented copies of each picture"):
        probabilities, truth = asking.answers(learn, tta=n)
    right = int((probabilities.argmax(1) == truth).sum())
    return {"n": n, "accuracy": right / len(truth), "accuracy_interval": wilson(right, len(truth))}
