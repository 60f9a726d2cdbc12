"""Several trials at once, each in a process of its own."""

from __future__ import annotations

import os
import signal
import threading
import time

import psutil
import pytest

import nbdeploy as nd
from nbdeploy.core.progress import quiet
from nbdeploy.training.epoch import Epoch
from nbdeploy.tuning import objective, workers
from nbdeploy.tuning.desk import EXHAUSTED
from nbdeploy.tuning.objective import Job
from nbdeploy.tuning.trial import Outcome


def test_two_workers_share_a_study_and_one_that_dies_is_one_failed_trial(few, tiny, monkeypatch):
    started: list = []
    real = workers._Worker._start

    def start(worker):
        real(worker)
        started.append(worker._process.pid)
        if len(started) == 1:
            worker._process.send_signal(signal.SIGKILL)

    monkeypatch.setattr(workers._Worker, "_start", start)
    with quiet():
        tuning = nd.tune(few, **tiny, trials=4, workers=2, refit=False)
    states = [trial.state for trial in tuning]
    assert 4 == len(states)
    assert 3 == states.count("complete")
    (failed,) = (trial for trial in tuning if trial.state == "failed")
    assert "its process ended (signal 9)" in failed.why
    assert not any(map(psutil.pid_exists, started))


@pytest.mark.filterwarnings("error:The reported value is ignored")
def test_all_combinations_come_to_their_end_and_what_python_prints_at_its_start_is_no_news(
    few, tiny, monkeypatch, tmp_path
):
    (tmp_path / "sitecustomize.py").write_text("print('hello')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with quiet():
        tuning = nd.tune(few, **{**tiny, "lr": 0.01, "epochs": [1, 20]}, trials=5, workers=2, refit=False)
    assert ["complete"] * 2 == [trial.state for trial in tuning]
    assert EXHAUSTED == tuning.stopped


@pytest.fixture
def desk():
    """A desk that keeps what it hears, with one trial to hand out."""

    class Desk:
        stopped, said = "", []

        def __init__(self):
            self.said = []

        def epoch(self, number, epoch):
            self.said.append((number, epoch))
            return "too slow"

        def over(self):
            return False

    return Desk()


def test_news_of_another_process_is_the_same_as_of_this_one(desk):
    class Process:
        trial = type("Trial", (), {"number": 3})
        answered = None

        def answer(self, what):
            self.answered = what

    process = Process()
    epoch = {"done": 1, "planned": 2, "valid_loss": 0.5, "accuracy": 0.75}
    workers._hear(process, {"epoch": epoch}, desk)
    assert [(3, Epoch(1, 2, 0.5, 0.75))] == desk.said
    assert "too slow" == process.answered
    with pytest.raises(objective.Ended, match="too slow"):
        workers._Here(desk, 3).epoch(Epoch(1, 2, 0.5, 0.75))


def test_while_one_model_is_timed_the_other_trials_of_the_machine_stand_still():
    name, passed = f"test-{os.getpid()}", []

    def other():
        objective.pass_through(name)
        passed.append(time.monotonic())

    with objective.pausing(name):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
        assert [] == passed
    thread.join(timeout=10)
    assert 1 == len(passed)


def test_what_goes_wrong_in_a_trial_is_its_outcome(few, monkeypatch):
    from nbdeploy.errors import ConversionError, WeightsUnavailable
    from nbdeploy.training import images as training

    def raising(error):
        def train(*_, **__):
            raise error

        monkeypatch.setattr(training, "train", train)
        return objective.run(Job(few, {}, ("accuracy",)), {}, None)

    def said(outcome: Outcome):
        return outcome.state, outcome.why, outcome.error

    assert ("failed", "no such layer", None) == said(raising(ConversionError("no such layer")))
    assert ("failed", "KeyError: 'x'", None) == said(raising(KeyError("x")))
    assert ("failed", "no network", ("WeightsUnavailable", "no network", "wait")) == said(
        raising(WeightsUnavailable("no network", hint="wait"))
    )
    assert ("pruned", "slow", None) == said(raising(objective.Ended("pruned", "slow")))
