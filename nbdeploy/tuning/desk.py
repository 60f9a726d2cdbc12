"""The desk where trials are handed out and their news comes in: the one place that writes to the study.

Whoever runs the trials (this process, others on this machine, a cluster) takes the next, says how it goes, and hands in
how it ended. So however many work, the study has one writer, and no more trials are begun than were asked for.
"""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbdeploy.errors import NbdeployError, TrainError
from nbdeploy.tracking.recording import current, recording
from nbdeploy.tuning.space import Space
from nbdeploy.tuning.study import GRID, LEAST, read, set_attrs
from nbdeploy.tuning.trial import Outcome, Trial, winner

if TYPE_CHECKING:
    import optuna

    from nbdeploy.training.epoch import Epoch
    from nbdeploy.tuning.look import Show

EXHAUSTED = "every combination was tried"
_ALL_FAILED = 3
"""So many failures and nothing else: the fault is not one of the trials."""
_SAME = 50
_STATUS = {"complete": "done", "pruned": "stopped"}


class Desk:
    """Hands out trials until `wanted` of them ended, or the time is up, or it is closed."""

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        objectives: Sequence[str],
        show: Show,
        *,
        wanted: int,
        files: int,
        deadline: float | None = None,
        seed: int = 42,
        pruned: bool = True,
    ) -> None:
        self.study, self.space, self.objectives, self.show = study, space, tuple(objectives), show
        self.wanted, self.files, self.deadline, self.pruned = wanted, files, deadline, pruned
        self.trials = read(study, objectives)
        self.stopped = ""
        """Why there are fewer trials than were wanted; empty where there are not."""
        self._exhausted = False
        self.error: NbdeployError | None = None
        self._run = current().id
        self._random = random.Random(seed + len(self.trials))  # noqa: S311 - no secret
        self._asked: dict[int, optuna.Trial] = {}
        self._began: dict[int, float] = {}
        show.attach(self)

    def next(self) -> Trial | None:
        """The next trial to run; None when there is none to begin now."""
        if self.error or self.stopped or self._time_is_up() or self._exhausted:
            return None
        if self.ended() + len(self._asked) >= self.wanted:
            return None
        for _ in range(_SAME):
            asked = self.study.ask(self.space.distributions())
            same = self._same(asked.params)
            if same is None:
                trial = Trial(asked.number, "running", dict(asked.params))
                self._asked[asked.number], self._began[asked.number] = asked, time.monotonic()
                self.trials[asked.number] = trial
                self.show.draw()
                return trial
            self._tell_same(asked, same)
            if not self._enqueue_untried():
                break
        self._exhausted = True  # those that run come to their end all the same
        return None

    def epoch(self, number: int, epoch: Epoch) -> str:
        """Note how a trial stands; gives why it is to be pruned, or nothing."""
        trial, asked = self.trials[number], self._asked[number]
        place = GRID * epoch.done // epoch.planned
        curve = {**trial.curve, place: epoch.accuracy}
        self._change(number, curve=curve)
        if epoch.done == epoch.planned:
            return ""
        if len(self.objectives) > 1:
            return self._worse_than_its_like(number, place, epoch.accuracy)
        if place not in trial.curve:  # of more epochs than places the first one counts; Optuna would warn of the next
            asked.report(epoch.accuracy, place)
        if not asked.should_prune() or not self._clearly_behind(number, place, epoch.accuracy):
            return ""
        return f"{100 * epoch.accuracy:.1f} % after {epoch.done} of {epoch.planned} epochs"

    def step(self, number: int, share: float) -> None:
        """Show how far a trial is."""
        self.show.step(number, share)

    def stage(self, number: int, what: str) -> None:
        """Show what a trial does after training."""
        self.show.stage(number, what)

    def over(self) -> bool:
        """Whether trials that run are to end now."""
        return bool(self.error) or bool(self.stopped) or self._time_is_up()

    def done(self, number: int, outcome: Outcome) -> None:
        """Write down how a trial ended."""
        from optuna.trial import TrialState  # noqa: PLC0415 - loaded by now

        asked = self._asked.pop(number)
        if outcome.error:  # no fault of this trial: where it is mended, the same call tries it again
            outcome = dataclasses.replace(outcome, state="stopped")
        attrs: dict[str, Any] = {"seconds": outcome.seconds, "figures": outcome.figures}
        attrs |= {"curve": {str(place): value for place, value in self.trials[number].curve.items()}}
        attrs |= {"why": outcome.why} if outcome.why else {}
        attrs |= {"ended": "stopped"} if outcome.state == "stopped" else {}
        set_attrs(self.study, number, attrs)
        if outcome.state == "complete":
            failed = outcome.figures.get("failed_checks", ())
            asked.set_constraint("checks", len(failed))
            self.study.tell(asked, [outcome.values[name] for name in self.objectives])
        else:
            self.study.tell(asked, state=TrialState.PRUNED if outcome.state == "pruned" else TrialState.FAIL)
        if outcome.state == "stopped":  # a resumed tuning begins with it
            self.study.enqueue_trial(asked.params, user_attrs={"again": number})
        self._change(
            number,
            state=outcome.state,
            values=outcome.values,
            figures=outcome.figures,
            why=outcome.why,
            seconds=outcome.seconds,
        )
        self._record(number)
        self._judge(outcome)
        self.show.ended(self.trials[number])

    def _record(self, number: int) -> None:
        """Note the trial among the runs, as a part of the tuning's."""
        trial = self.trials[number]
        params = {**self.space.fixed, **trial.params}
        with recording("trial", params=params, parent=self._run, name=f"{self.study.study_name} {number}") as run:
            for place, accuracy in sorted(trial.curve.items()):
                run.metric("accuracy", accuracy, step=place)
            run.metrics({**trial.figures, **trial.values})
            why = f"pruned: {trial.why}" if trial.state == "pruned" else trial.why
            run.ended(_STATUS.get(trial.state, trial.state), why, trial.seconds)

    def close(self, why: str = "") -> None:
        """Nothing more is handed out; what still runs is written down as stopped, to be begun again another time."""
        self.stopped = self.stopped or why or (EXHAUSTED if self._exhausted else "")
        for number in list(self._asked):
            self.done(number, Outcome("stopped", why=why or self.stopped, seconds=self._ran(number)))

    def ended(self) -> int:
        """How many trials count: those that came to an end of their own, and were no repetition."""
        return sum(trial.state in {"complete", "pruned", "failed"} for trial in self.shown())

    def shown(self) -> list[Trial]:
        """Every trial but those that only repeat one."""
        return [trial for trial in self.trials.values() if "same_as" not in trial.figures]

    def best(self) -> Trial | None:
        """The winner so far."""
        return winner(self.trials.values(), self.objectives, self.files)

    def running(self) -> list[int]:
        """Numbers of the trials that run."""
        return list(self._asked)

    def seconds_left(self, workers: int) -> float | None:
        """A guess from the trials that ended; None where there are none yet."""
        took = [trial.seconds for trial in self.shown() if trial.state in {"complete", "pruned"} and trial.seconds]
        if not took:
            return None
        each = statistics.mean(took)
        spent = sum(min(each, self._ran(number)) for number in self._asked)
        guess = max(0.0, each * (self.wanted - self.ended()) - spent) / max(1, workers)
        return guess if self.deadline is None else min(guess, max(0.0, self.deadline - time.monotonic()))

    def _ran(self, number: int) -> float:
        return round(time.monotonic() - self._began.get(number, time.monotonic()), 2)

    def _time_is_up(self) -> bool:
        if self.deadline is not None and time.monotonic() >= self.deadline and not self.stopped:
            self.stopped = "the time was up"
        return bool(self.stopped)

    def _change(self, number: int, **changes: Any) -> None:
        self.trials[number] = dataclasses.replace(self.trials[number], **changes)

    def _judge(self, outcome: Outcome) -> None:
        if outcome.error:
            from nbdeploy import errors  # noqa: PLC0415 - rare path

            name, message, hint = outcome.error
            kind = getattr(errors, name, NbdeployError)
            try:
                self.error = kind(message, hint=hint)
            except TypeError:  # a class that is made of other things
                self.error = NbdeployError(message, hint=hint)
        ended = [trial for trial in self.shown() if trial.state in {"complete", "pruned", "failed"}]
        if len(ended) >= _ALL_FAILED and all(trial.state == "failed" for trial in ended) and not self.error:
            self.error = TrainError(
                f"All of {len(ended)} trials failed. The last: {ended[-1].why}",
                hint="Try the parameters with nd.train first, and tune around what works.",
            )

    def _same(self, params: Mapping[str, Any]) -> Trial | None:
        done = (trial for trial in self.shown() if trial.state in {"complete", "pruned", "failed", "running"})
        return next((trial for trial in done if trial.params == params), None)

    def _tell_same(self, asked: optuna.Trial, same: Trial) -> None:
        """A repetition costs nothing: the same seed gives the same model, so its values are known."""
        from optuna.trial import TrialState  # noqa: PLC0415 - loaded by now

        set_attrs(self.study, asked.number, {"same_as": same.number})
        if same.state == "complete":
            asked.set_constraint("checks", len(same.figures.get("failed_checks", ())))
            self.study.tell(asked, [same.values[name] for name in self.objectives])
        else:
            self.study.tell(asked, state=TrialState.FAIL)

    def _enqueue_untried(self) -> bool:
        """Put a combination in the queue that was not tried; False where there is none. Ranges always have more."""
        every = self.space.every()
        if every is None:
            return True
        tried = [trial.params for trial in self.shown() if trial.state != "stopped"]
        left = [params for params in every if params not in tried]
        if left:
            self.study.enqueue_trial(self._random.choice(left))
        return bool(left)

    def _clearly_behind(self, number: int, place: int, accuracy: float) -> bool:
        """Whether it is more than chance that it has less right than half of the others had by then."""
        others = [t.curve[place] for t in self.shown() if t.number != number and place in t.curve]
        return not others or accuracy < self._chance_below(others)

    def _chance_below(self, accuracies: Sequence[float]) -> float:
        """One standard error, of so many files, below their median."""
        median = statistics.median(accuracies)
        return median - math.sqrt(median * (1 - median) / max(1, self.files))

    def _worse_than_its_like(self, number: int, place: int, accuracy: float) -> str:
        """Optuna prunes nothing where there are several objectives. Trials of the same network, though, have the same
        size and latency, so that only accuracy tells them apart: of those the median rule holds.
        """
        own = self.trials[number]
        like = [
            trial.curve[place]
            for trial in self.shown()
            if trial.number != number and place in trial.curve and _network(trial) == _network(own)
        ]
        if not self.pruned or place < GRID // 2 or len(like) < LEAST or accuracy >= self._chance_below(like):
            return ""
        return f"{100 * accuracy:.1f} %, less than the median of this network's trials by then"


def _network(trial: Trial) -> tuple[Any, ...]:
    return tuple(trial.params.get(name) for name in ("arch", "size", "recipe"))
