"""Trials on a Ray cluster, by Ray Tune: it places them, and asks the same desk what to try and what to prune.

So a study goes on wherever it was begun: its SQLite file is written by this process alone, and sampler, pruner and
rules are one. The cluster is found as for audits (see `nbdeploy.data.raycluster`); every machine of it has to see the
files under the same paths.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pickle  # what is pickled goes to the cluster's own workers only
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Any

from nbdeploy.data import raycluster  # before Ray: it says what Ray must not report

# Ray Tune's own telling of its trials goes nowhere; the desk's is shown.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_SYNCER", "1")

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from nbdeploy.training.epoch import Epoch
from nbdeploy.tuning.desk import Desk
from nbdeploy.tuning.objective import Job, run
from nbdeploy.tuning.trial import Outcome
from nbdeploy.tuning.workers import STOPPED

_NUMBER, _PARAMS, _EPOCH, _OUTCOME = "number", "params", "epoch", "outcome"
"""Keys of what is told to a trial and what it tells; the last two as JSON, for Ray Tune takes dictionaries apart."""


def engine(job: Job, desk: Desk, workers: int | None) -> None:
    """Run trials on the cluster until the desk has no more; without `workers` as many at once as it has room for."""
    with raycluster.engine():
        try:
            _fit(job, desk, workers)
        except KeyboardInterrupt:
            desk.close(STOPPED)
        finally:
            desk.close()


def _fit(job: Job, desk: Desk, workers: int | None) -> None:
    places = [os.path.abspath(place) for place in sys.path]
    home, told = __name__, ray.put(pickle.dumps(job))

    def trainable(config: dict[str, Any]) -> None:
        sys.path.extend(place for place in places if place not in sys.path)
        # Imported on the worker, which finds it by these places.
        importlib.import_module(home).one(ray.get(told), config)

    room: dict[str, float] = {"cpu": 1, "gpu": 1} if ray.cluster_resources().get("GPU") else {"cpu": 1}  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="nbdeploy-tune-") as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray about its own future
        left = None if desk.deadline is None else max(1.0, desk.deadline - time.monotonic())
        tuner = tune.Tuner(
            tune.with_resources(trainable, room),
            tune_config=tune.TuneConfig(
                search_alg=_Search(desk),
                scheduler=_Pruning(desk),
                num_samples=-1,
                max_concurrent_trials=workers,
                time_budget_s=left,
                reuse_actors=True,  # a new process loads PyTorch for ten seconds
            ),
            run_config=tune.RunConfig(storage_path=place, verbose=0),
        )
        with redirect_stdout(io.StringIO()):
            tuner.fit()


class _Search(Searcher):
    """What Ray Tune asks for the next trial, and tells how one ended."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(metric="accuracy", mode="max")
        self.desk, self.numbers = desk, dict[str, int]()

    def suggest(self, trial_id: str) -> Any:
        trial = self.desk.next()
        if trial is None:
            return Searcher.FINISHED
        self.numbers[trial_id] = trial.number
        return {_NUMBER: trial.number, _PARAMS: dict(trial.params)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """What it says on the way is heard by the scheduler, which may answer."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        number = self.numbers[trial_id]
        if number not in self.desk.running():
            return
        if error:
            self.desk.done(number, Outcome("failed", why="its process on the cluster ended"))
        elif result and _OUTCOME in result:
            self.desk.done(number, Outcome(**json.loads(result[_OUTCOME])))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is kept where it always is."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is kept where it always is."""


class _Pruning(FIFOScheduler):
    """What Ray Tune asks after each epoch whether a trial is to go on: the study's own pruner answers."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.desk = desk

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        number = trial.config[_NUMBER]
        if number not in self.desk.running():
            return str(TrialScheduler.STOP)
        if _EPOCH in result:
            epoch = Epoch(**json.loads(result[_EPOCH]))
            why = self.desk.epoch(number, epoch)
            if why:
                seconds = round(float(result.get("time_total_s", 0.0)), 2)
                self.desk.done(number, Outcome("pruned", why=why, seconds=seconds))
                return str(TrialScheduler.STOP)
            self.desk.step(number, epoch.done / epoch.planned)
        elif "stage" in result:
            self.desk.stage(number, result["stage"])
        return str(TrialScheduler.STOP if self.desk.over() else TrialScheduler.CONTINUE)


class _Far:
    """Takes the news of a trial to Ray Tune. A pruned one is ended by it from outside."""

    def step(self, share: float) -> None:
        """Ray Tune is told of epochs, not of batches."""

    def epoch(self, epoch: Epoch) -> None:
        tune.report({"accuracy": epoch.accuracy, _EPOCH: json.dumps(asdict(epoch))})

    def stage(self, what: str) -> None:
        tune.report({"accuracy": 0.0, "stage": what})


def one(told: bytes, config: dict[str, Any]) -> None:
    """What a worker of the cluster does with one trial."""
    job = pickle.loads(told)  # noqa: S301 - written by the process that started this cluster's job
    with contextlib.redirect_stdout(sys.stderr):
        outcome = run(job, config[_PARAMS], _Far())
    tune.report({"accuracy": outcome.values.get("accuracy", 0.0), _OUTCOME: json.dumps(asdict(outcome))})
