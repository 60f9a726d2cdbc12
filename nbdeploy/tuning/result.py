"""What came of a tuning: its trials, the best of them, the Learner trained that way, and how all this looks."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core import look
from nbdeploy.core.numbers import SPACE, duration, percent
from nbdeploy.core.summary import in_columns
from nbdeploy.errors import NbdeployWarning, UsageError
from nbdeploy.training.epoch import validated
from nbdeploy.tuning import words
from nbdeploy.tuning.look import board
from nbdeploy.tuning.space import Space, in_order
from nbdeploy.tuning.trial import Trial, front, winner

if TYPE_CHECKING:
    import pandas as pd
    from fastai.learner import Learner
    from matplotlib.figure import Figure

    from nbdeploy.data.imageset import ImageSet

_STANDARD_ERROR = "accuracy within one standard error of the best, and the least in the rest"


@dataclass(eq=False)
class Tuning:
    """The trials of one study, and the Learner that the best of them gave."""

    name: str
    path: Path
    """The study, one SQLite file, which Optuna's own tools read too."""
    space: Space
    objectives: tuple[str, ...]
    tried: tuple[Trial, ...]
    files: int
    """How many pictures the trials were compared on, none of which is held out."""
    images: ImageSet
    target: str | None = None
    seed: int = 42
    stopped: str = ""
    """Why there are fewer trials than were asked for; empty where there are not."""
    learn: Learner | None = None
    """Trained with the best parameters on all training files; None where that was not asked for, or it was stopped."""

    _asked: tuple[Any, float] | None = field(default=None, repr=False)
    """The Learner that was asked about the held-out files, and how many it had right, 0..1."""

    @property
    def best(self) -> Trial:
        """The trial to train with: the best, or with several objectives the one of `pareto` whose accuracy is within
        one standard error of the best and whose other figures, multiplied, are the least. Raises UsageError for none.
        """
        found = winner(self.tried, self.objectives, self.files)
        if found is None:
            raise UsageError("No trial came to its end.", hint="Run the same call again: it goes on.")
        return found

    @property
    def pareto(self) -> list[Trial]:
        """The trials that no other beats, most accurate first; with one objective the best alone."""
        return front(self.tried, self.objectives)

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial: number, state, every parameter and value, seconds, why."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [
            {"number": t.number, "state": t.state, **t.params, **dict(t.values), "seconds": t.seconds, "why": t.why}
            for t in self.tried
        ]
        columns = ["number", "state", *self.space.open, *self.objectives, "seconds", "why"]
        return pd.DataFrame(rows, columns=pd.Index(columns)).set_index("number")

    @property
    def held_out(self) -> dict[str, Any] | None:
        """``{"accuracy", "interval", "files"}`` of `learn` on the held-out files, which chose nothing; or None."""
        if self.learn is None:
            return None
        from nbdeploy.core.numbers import wilson  # noqa: PLC0415 - numpy

        files = len(self.images.valid)
        if self._asked is None or self._asked[0] is not self.learn:
            self._asked = (self.learn, validated(self.learn)["accuracy"])
        accuracy = self._asked[1]
        return {"accuracy": accuracy, "interval": list(wilson(round(accuracy * files), files)), "files": files}

    @property
    def call(self) -> str:
        """The line of Python that trains the best."""
        return self._call(self.best)

    @property
    def recipe(self) -> str:
        """How the best trial was shrunk; fp32 where nothing was deployed."""
        return str(self.best.params.get("recipe", self.space.fixed.get("recipe", "fp32")))

    def params(self, trial: int | None = None) -> dict[str, Any]:
        """The keywords of nd.train of the best trial, or of the one of that number."""
        chosen = self._trial(trial)
        every = {**in_order({**self.space.fixed, **chosen.params}), "seed": self.seed}
        return {name: value for name, value in every.items() if name != "recipe"}

    def train(self, trial: int | None = None, **others: Any) -> Learner:
        """Train as the best trial, or the one of that number, on all training files; `others` go to nd.train."""
        from nbdeploy.training.images import train  # noqa: PLC0415 - torch

        with warnings.catch_warnings():  # what was said at the beginning of the tuning
            warnings.filterwarnings("ignore", message=".*not applied", category=NbdeployWarning)
            return train(self.images, **{**self.params(trial), **others})

    def deploy(self, **settings: Any) -> Any:
        """``nd.deploy`` of `learn`, for the target and with the recipe that were tuned for; gives the Bundle."""
        from nbdeploy.flow import deploy  # noqa: PLC0415 - torch

        if self.learn is None:
            self.learn = self.train()
        return deploy(self.learn, **{"target": self.target, "recipe": self.recipe, **settings})

    def save(self, out: str | Path, *, overwrite: bool = False) -> Path:
        """Save the Program of `learn` in a folder. Raises OutputError, or UsageError where there is no Learner."""
        from nbdeploy.exporting.learner import export  # noqa: PLC0415 - torch

        if self.learn is None:
            raise UsageError("The best parameters were not trained yet.", hint="Type: tuning.learn = tuning.train()")
        return export(self.learn, name=Path(out).name).save(out, overwrite=overwrite)

    def plot(self) -> Figure:
        """The history, which parameters mattered, and with several objectives accuracy against each other one."""
        from nbdeploy.tuning.plots import plots  # noqa: PLC0415 - loads matplotlib

        return plots(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: name, study, objectives, best, pareto, trials, held_out, call, stopped."""
        best = winner(self.tried, self.objectives, self.files)
        return {
            "name": self.name,
            "study": str(self.path),
            "objectives": list(self.objectives),
            "target": self.target,
            "tuning_files": self.files,
            "best": best and best.to_dict(),
            "pareto": [trial.number for trial in self.pareto],
            "held_out": self.held_out,
            "call": best and self._call(best),
            "trials": [trial.to_dict() for trial in self.tried],
            "stopped": self.stopped,
        }

    def __len__(self) -> int:
        return len(self.tried)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.tried)

    def __str__(self) -> str:
        heads = ("", *(words.title(name) for name in self.space.open), *self.objectives, "", "time")
        best = winner(self.tried, self.objectives, self.files)
        rows = [
            (
                f"{'* ' if best and trial.number == best.number else ''}{trial.number}",
                *(words.value(name, trial.params.get(name)) for name in self.space.open),
                *words.values(trial, self.objectives),
                words.state(trial),
                duration(trial.seconds),
            )
            for trial in self.tried
        ]
        numbers = tuple(range(len(self.space.open) + 1 + len(self.objectives)))
        lines = in_columns([heads, *rows], right=numbers) if rows else []
        return "\n".join([*lines, *self._said()]).replace(SPACE, " ")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        best = winner(self.tried, self.objectives, self.files)
        several = len(self.objectives) > 1
        fronted = [trial.number for trial in self.pareto] if several else []
        said = self._said()
        return look.output(
            look.head(f"{self.name}: {words.counted(self.tried)}"),
            *map(look.quiet, said[1:-1]),
            look.tag("div", "nbd-mono", said[-1]) if best else "",
            *board(self.tried, list(self.space.open), self.objectives, best, front=fronted),
        )

    def _said(self) -> list[str]:
        """Sentences, the line of Python last."""
        said = [f"{words.counted(self.tried)}; {self.stopped}" if self.stopped else words.counted(self.tried)]
        best = winner(self.tried, self.objectives, self.files)
        if best is None:
            return [*said, "No trial came to its end."]
        why = f" ({_STANDARD_ERROR})" if len(self.objectives) > 1 and len(self.pareto) > 1 else ""
        whose = " of the deployed model" if self.target else ""
        said.append(
            f"Best: trial {best.number}{why}: {words.all_values(best.values)}{whose}, "
            f"on {self.files:,} training files set apart."
        )
        if found := self.held_out:
            low, high = (100 * end for end in found["interval"])
            said.append(
                f"Trained with that on all training files: {percent(found['accuracy'])} of {found['files']:,} held-out "
                f"files, which chose nothing ({low:.1f} to {high:.1f}{SPACE}% with 95{SPACE}% confidence)."
            )
        if self.stopped == "it was stopped":
            said.append("The same call goes on from here.")
        return [*said, self.call]

    def _call(self, trial: Trial) -> str:
        keywords = {name: value for name, value in self.params(trial.number).items() if (name, value) != ("seed", 42)}
        return f"nd.train(images, {', '.join(f'{name}={_shown(value)}' for name, value in keywords.items())})"

    def _trial(self, number: int | None) -> Trial:
        if number is None:
            return self.best
        found: Mapping[int, Trial] = {trial.number: trial for trial in self.tried}
        if number not in found:
            raise UsageError(f"There is no trial {number}.", hint=f"There are {min(found)} to {max(found)}.")
        return found[number]


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)
