"""learn_report(): what a trained classifier gets right and wrong on the pictures that were held out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.core.hush import hushed
from nbdeploy.core.numbers import percent, wilson
from nbdeploy.core.progress import step
from nbdeploy.errors import DataError, UsageError
from nbdeploy.training import reportpage
from nbdeploy.training.gradcam import NO_MAP

if TYPE_CHECKING:
    from fastai.learner import Learner

_TOP = 12
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: shares 0..1 with their 95 % intervals (Wilson); None where there is nothing to divide by."""

    label: str
    support: int
    """Held-out pictures of it."""
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
    """One of the pictures with the highest loss. `loss` is minus the logarithm of its own label's probability."""

    file: str
    label: str
    answer: str
    probability: float
    """Of the answer."""
    own: float
    """Probability of the label."""
    loss: float
    picture: str = field(repr=False, default="")
    """HTML."""
    heat: str = field(repr=False, default="")
    """HTML of the same picture with the places that the answer came from; empty where there is no Grad-CAM."""


@dataclass(frozen=True, slots=True)
class LearnReport:
    """Named results on the held-out pictures; shown in a notebook, saved as a page, or taken as plain data."""

    labels: tuple[str, ...]
    files: int
    accuracy: float
    accuracy_interval: Interval
    classes: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are true labels, columns answers."""
    top_losses: tuple[Miss, ...]
    grad_cam: str
    """How fine its map is, or why there is none."""
    tta: dict[str, Any] | None = None
    """``n accuracy accuracy_interval`` with test-time augmentation, where it was asked for."""

    @property
    def right(self) -> int:
        """Pictures whose answer is their label."""
        return sum(row[n] for n, row in enumerate(self.confusion))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without pictures."""
        misses = [asdict(miss) for miss in self.top_losses]
        return {
            "labels": list(self.labels),
            "files": self.files,
            "right": self.right,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "classes": [asdict(row) for row in self.classes],
            "confusion": [list(row) for row in self.confusion],
            "top_losses": [{k: v for k, v in miss.items() if k not in {"picture", "heat"}} for miss in misses],
            "grad_cam": self.grad_cam,
            "tta": self.tta,
        }

    def save(self, path: str | Path) -> Path:
        """Write one page that asks for nothing from outside itself; gives its path. Raises OutputError."""
        return reportpage.save(self, Path(path))

    def __str__(self) -> str:
        low, high = self.accuracy_interval
        told = f"{self.right} of {self.files} held-out pictures right: {percent(self.accuracy)}"
        lines = [f"{told} (95 % interval {100 * low:.1f} to {percent(high)})"]
        if self.tta:
            lines.append(reportpage.tta_words(self))
        lines += [
            f"  {row.label}: {row.right} of {row.support} found, {row.answers - row.right} wrongly so called"
            for row in self.classes
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return reportpage.page(self)


def learn_report(learn: Learner, *, tta: int = 0, top: int = _TOP) -> LearnReport:
    """Look at what a classifier's Learner answers on its held-out pictures; the Learner is left as it was.

    Gives the accuracy and each class's precision, recall and F1 with 95 % intervals, the confusion matrix, and the
    `top` pictures with the highest loss, beside where in the picture the answer came from (Grad-CAM). With `tta` the
    accuracy is also given for test-time augmentation: the mean over `tta` augmented copies, weighed three to one with
    the plain answer (fastai's `Learner.tta`). That is never done unasked, and a deployed bundle does not do it.

    Raises DataError where no held-out picture has a label, UsageError for a Learner that is no classifier of pictures.
    """
    if tta < 0 or top < 0:
        raise UsageError("tta and top cannot be negative.", hint="Type tta=4, top=12, or leave them out.")
    with hushed():
        from nbdeploy.training import asking  # noqa: PLC0415 - fastai takes seconds

    labels = asking.labels_of(learn)
    with step("asking the model about the held-out pictures") as note:
        probabilities, truth = asking.answers(learn)
        note(f"{len(truth)} pictures")
    if not len(truth):
        raise DataError("This Learner holds no picture out.", hint="Train with some held out: valid=0.2.")
    answer = probabilities.argmax(1)
    matrix = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(matrix, (truth, answer), 1)
    right = int(matrix.trace())
    misses, grad_cam = _misses(learn, labels, probabilities, truth, top)
    return LearnReport(
        labels=labels,
        files=len(truth),
        accuracy=right / len(truth),
        accuracy_interval=wilson(right, len(truth)),
        classes=tuple(_row(label, matrix, n) for n, label in enumerate(labels)),
        confusion=tuple(tuple(int(n) for n in row) for row in matrix),
        top_losses=misses,
        grad_cam=grad_cam,
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


def _misses(
    learn: Learner, labels: tuple[str, ...], probabilities: np.ndarray, truth: np.ndarray, top: int
) -> tuple[tuple[Miss, ...], str]:
    from nbdeploy.training import asking  # noqa: PLC0415

    own = probabilities[np.arange(len(truth)), truth]
    worst = np.argsort(own, kind="stable")[:top].tolist()
    if not worst:
        return (), "not asked for"
    answer = probabilities.argmax(1)
    with step("looking at the pictures with the highest loss"):
        shown, heat = asking.pictures(learn, worst, [int(answer[n]) for n in worst])
    misses = tuple(
        Miss(
            file=shown[place].file,
            label=labels[truth[n]],
            answer=labels[answer[n]],
            probability=float(probabilities[n, answer[n]]),
            own=float(own[n]),
            loss=float(-np.log(max(float(own[n]), 1e-12))),
            picture=shown[place].picture,
            heat=shown[place].heat,
        )
        for place, n in enumerate(worst)
    )
    return misses, NO_MAP if heat is None else f"a map of {heat[0]} x {heat[1]} fields"


def _augmented(learn: Learner, n: int) -> dict[str, Any]:
    from nbdeploy.training import asking  # noqa: PLC0415

    with step(f"asking again, with {n} augmented copies of each picture"):
        probabilities, truth = asking.answers(learn, tta=n)
    right = int((probabilities.argmax(1) == truth).sum())
    return {"n": n, "accuracy": right / len(truth), "accuracy_interval": wilson(right, len(truth))}
