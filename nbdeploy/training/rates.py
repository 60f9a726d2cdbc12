"""The learning-rate finder: a mock training with a growing rate, on a Learner that is thrown away."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdeploy.core.curves import Line, chart, linear, powers
from nbdeploy.core.hush import hushed
from nbdeploy.core.live import Live, in_notebook
from nbdeploy.core.look import head, output, quiet, tag
from nbdeploy.core.numbers import SPACE, TIMES, superscript
from nbdeploy.core.progress import is_quiet, step
from nbdeploy.errors import TrainError
from nbdeploy.training.seeds import seeded
from nbdeploy.training.setup import Setup

_STEPS = 100
_LEAST, _MOST = 1e-7, 10.0
_TALLEST = 2.0
"""The picture ends at this multiple of the first loss: what comes after is the divergence."""


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Loss by learning rate; shown in a notebook as a curve with the suggestion in it."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Smoothed training loss of one batch at each rate."""
    suggestion: float
    """By fastai's rule `valley`: a point about halfway down the longest fall of the curve."""
    arch: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "suggestion": self.suggestion,
            "arch": self.arch,
            "rates": list(self.rates),
            "losses": [loss if math.isfinite(loss) else None for loss in self.losses],
        }

    def __str__(self) -> str:
        seen = f"{len(self.rates)} batches, {self.rates[0]:.0e} to {self.rates[-1]:.0e}"
        return f"learning rate {self.suggestion:.2g} (valley of {seen})"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        at = min(range(len(self.rates)), key=lambda n: abs(math.log(self.rates[n] / self.suggestion)))
        shown = [loss for loss in self.losses if math.isfinite(loss)]
        high = min(max(shown), _TALLEST * shown[0])
        mantissa, exponent = f"{self.suggestion:.1e}".split("e")
        words = f"{mantissa}{SPACE}{TIMES}{SPACE}10{superscript(int(exponent))}"
        drawing = chart(
            "Loss by learning rate",
            [Line("", list(zip(self.rates, self.losses, strict=True)))],
            powers(self.rates[0], self.rates[-1]),
            linear(0.0, high),
            says=str(self),
            under="learning rate",
            marks=[(self.suggestion, words)],
            ring=(self.rates[at], self.losses[at]),
        )
        note = f'Halfway down the longest fall (valley). To use it: lr={self.suggestion:.2g}, or lr="find".'
        return output(head(f"Learning rate {words}"), tag("div", "nbd-figures", drawing), quiet(note))


def find_rate(setup: Setup) -> RateCurve:
    """Run fastai's `lr_find` on a Learner of its own. Raises TrainError where the curve says nothing."""
    with (
        step("looking for a learning rate") as note,
        seeded(setup.seed),
        tempfile.TemporaryDirectory(prefix="nbdeploy-") as folder,
    ):
        learn = setup.learner()
        if setup.pretrained and not setup.frozen:
            learn.unfreeze()
        learn.path = Path(folder)  # it keeps the weights beside the notebook otherwise
        with learn.no_bar(), learn.no_logging(), hushed():
            try:
                (suggestion,) = learn.lr_find(start_lr=_LEAST, end_lr=_MOST, num_it=_STEPS, show_plot=False)
            except (IndexError, ValueError) as error:  # of a curve that has too few points
                raise TrainError(
                    "The learning-rate finder found no rate: the loss was no number too soon.",
                    hint="Leave lr out for the usual one, or give one: lr=0.001 (--lr 0.001).",
                ) from error
        note(f"{suggestion:.2g}")
    found = [(float(rate), float(loss)) for rate, loss in zip(learn.recorder.lrs, learn.recorder.losses, strict=True)]
    rates, losses = zip(*found, strict=True)
    return RateCurve(rates, losses, float(suggestion), setup.arch.name)


def show_rate(curve: RateCurve) -> RateCurve:
    """Show it in a notebook, above what comes; gives it back."""
    if in_notebook() and not is_quiet():
        Live().show(curve._repr_html_(), str(curve))
    return curve
