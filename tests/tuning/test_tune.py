"""tune(): many ways to train are tried, kept, gone on with, and the best is trained."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

import nbdeploy as nd
from nbdeploy.core.progress import quiet
from nbdeploy.errors import DataError, OutputError, TrainError, UnknownName, UsageError
from nbdeploy.tuning import workers
from nbdeploy.tuning.study import opened, study_path
from nbdeploy.tuning.tune import tuning_split


@pytest.fixture(scope="module")
def tuned(few, tmp_path_factory):
    """One tuning of three trials, done."""
    from tests.tuning.conftest import TINY

    with pytest.MonkeyPatch.context() as patch, quiet():
        patch.setenv("NBDEPLOY_STATE", str(tmp_path_factory.mktemp("state")))
        return nd.tune(few, **TINY, trials=3, name="pets")


def test_the_best_trial_is_trained_on_all_training_files_and_asked_about_the_held_out_once(tuned, few):
    assert 3 == len(tuned) == len(tuned.trials)
    assert {"complete"} == {trial.state for trial in tuned}
    assert tuned.best.values["accuracy"] == max(trial.values["accuracy"] for trial in tuned)
    assert len(few.train) == len(tuned.learn.dls.train_ds)
    assert len(few.valid) == len(tuned.learn.dls.valid_ds) == tuned.held_out["files"]
    assert tuned.held_out["accuracy"] == pytest.approx(tuned.learn.recorder.values[-1][2])


def test_trials_are_compared_on_files_that_are_not_held_out(tuned, few):
    inner = tuning_split(few, 42)
    assert {file.path for file in few.train} == {file.path for file in inner.files}
    assert tuned.files == len(inner.valid) == 6
    assert ["dark", "light"] == sorted({file.label for file in inner.valid})


def test_the_first_trial_is_trains_own_default(tuned):
    assert 5e-3 == tuned.tried[0].params["lr"]


def test_the_line_of_python_trains_the_winner(tuned, few):
    line = tuned.call
    assert line.startswith('nd.train(images, arch="test_resnet.r160_in1k", size=32, lr=')
    with quiet():
        learn = eval(line, {"nd": nd, "images": few})
    assert tuned.learn.recorder.values[-1] == learn.recorder.values[-1]


def test_the_same_seed_gives_the_same_trials(tuned, few, tiny):
    with quiet():
        again = nd.tune(few, **tiny, trials=3, refit=False)
    assert [trial.values for trial in tuned] == [trial.values for trial in again]
    assert [trial.params for trial in tuned] == [trial.params for trial in again]
    assert again.learn is None
    assert again.name.startswith("pictures-")


def test_the_same_call_goes_on_where_it_was(few, tiny, capsys):
    first = nd.tune(few, **tiny, trials=1, name="pets", refit=False)
    assert "trial 0 (1 of 1) done: accuracy" in capsys.readouterr().err
    more = nd.tune(few, **tiny, trials=2, name="pets", refit=False)
    assert "going on with pets: 1 of 2 trials are done" in capsys.readouterr().err
    assert first.tried[0].params == more.tried[0].params
    assert 2 == len(more)
    with sqlite3.connect(more.path) as file:
        assert [("COMPLETE",)] * 2 == file.execute("SELECT state FROM trials").fetchall()


def test_another_question_under_the_same_name_is_refused_and_afresh_keeps_the_old(few, tiny):
    with quiet():
        nd.tune(few, **tiny, trials=1, name="pets", refit=False)
        with pytest.raises(UsageError, match=r'"pets" was asked something else before: epochs differs') as caught:
            nd.tune(few, **{**tiny, "epochs": [1, 3]}, trials=1, name="pets")
        assert "--no-resume" in caught.value.hint
        nd.tune(few, **{**tiny, "epochs": [1, 3]}, trials=1, name="pets", resume=False, refit=False)
    assert ["pets.1.sqlite", "pets.sqlite"] == sorted(file.name for file in study_path("pets").parent.glob("p*"))


def test_a_second_process_is_not_let_at_the_same_study(few, tiny):
    with opened("pets", {}, ["accuracy"]), pytest.raises(OutputError, match="under way in another process"), quiet():
        nd.tune(few, **tiny, trials=1, name="pets")


KILLED = """
import sys, time
import nbdeploy as nd
from nbdeploy.tuning import workers
from tests.tuning.conftest import TINY

def run(job, params, listener, real=workers.run, runs=[]):
    runs.append(params)
    if len(runs) == 2:
        print("running", flush=True)
        time.sleep(300)
    return real(job, params, listener)

workers.run = run
nd.tune(nd.ImageSet.from_folder(sys.argv[1], valid=.25), **TINY, trials=9, name="pets")
"""


def test_a_killed_tuning_begins_again_with_the_trial_that_it_lost(few, tiny, root):
    command = [sys.executable, "-c", KILLED, few.source]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen(
        command, env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert "running\n" == process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with sqlite3.connect(study_path("pets")) as file:
        assert [("COMPLETE",), ("RUNNING",)] == file.execute("SELECT state FROM trials ORDER BY number").fetchall()
    with quiet():
        again = nd.tune(few, **tiny, trials=3, name="pets", refit=False)
    assert ["complete", "stopped", "complete", "complete"] == [trial.state for trial in again]
    assert "its process was killed" == again.tried[1].why
    assert again.tried[1].params == again.tried[2].params


def _stopping(real, after):
    """The function that runs a trial, interrupted in the middle of trial `after`."""

    def run(job, params, listener):
        step = listener.step
        if len(calls) == after:
            listener.step = lambda share: _interrupt() if share > 0.3 else step(share)
        calls.append(params)
        return real(job, params, listener)

    def _interrupt():
        raise KeyboardInterrupt

    calls: list = []
    return run


def test_ctrl_c_keeps_what_was_done_and_the_stopped_trial_is_first_next_time(few, tiny, monkeypatch):
    monkeypatch.setattr(workers, "run", _stopping(workers.run, 1))
    with quiet():
        stopped = nd.tune(few, **tiny, trials=3, name="pets")
        assert ["complete", "stopped"] == [trial.state for trial in stopped]
        assert "it was stopped" == stopped.stopped
        assert stopped.learn is None
        assert "The same call goes on from here." in str(stopped)
        monkeypatch.undo()
        monkeypatch.setenv("NBDEPLOY_STATE", str(stopped.path.parent.parent))
        more = nd.tune(few, **tiny, trials=3, name="pets", refit=False)
    assert ["complete", "stopped", "complete", "complete"] == [trial.state for trial in more]
    assert more.tried[1].params == more.tried[2].params


def test_ctrl_c_before_anything_was_done_is_ctrl_c(few, tiny, monkeypatch):
    monkeypatch.setattr(workers, "run", _stopping(workers.run, 0))
    with quiet(), pytest.raises(KeyboardInterrupt):
        nd.tune(few, **tiny, trials=3, name="pets")


def test_the_time_limit_ends_the_trial_that_runs_and_the_best_is_trained_all_the_same(few, tiny, monkeypatch):
    real = workers.run

    def slow(job, params, listener):
        if slow.calls:
            slow.desk.deadline = time.monotonic()
        slow.desk, slow.calls = listener.desk, slow.calls + 1
        return real(job, params, listener)

    slow.calls, slow.desk = 0, None
    monkeypatch.setattr(workers, "run", slow)
    with quiet():
        tuning = nd.tune(few, **tiny, trials=5, time_limit="1h30min", name="pets")
    assert ["complete", "stopped"] == [trial.state for trial in tuning]
    assert "the time was up" == tuning.stopped
    assert tuning.learn is not None


def test_no_time_for_one_trial_says_what_to_do(few, tiny):
    with quiet(), pytest.raises(TrainError, match="No trial came to its end within 0.001 s"):
        nd.tune(few, **tiny, trials=5, time_limit=0.001)


@pytest.mark.parametrize("limit", ["soon", "30 days", "-3", "0", ""])
def test_a_time_limit_that_is_none_says_how_to_type_one(few, tiny, limit):
    with pytest.raises(UsageError, match=f"time_limit is {limit}") as caught:
        nd.tune(few, **tiny, time_limit=limit)
    assert "30min" in caught.value.hint


def test_a_trial_that_fails_is_one_failed_trial(few, tiny, monkeypatch):
    from nbdeploy.training import images as training

    real = training.train

    def train(images, **settings):
        if settings["lr"] == 5e-3:
            raise TrainError("The loss was no longer a number.")
        return real(images, **settings)

    monkeypatch.setattr(training, "train", train)
    with quiet():
        tuning = nd.tune(few, **tiny, trials=2, refit=False)
    assert ["failed", "complete"] == [trial.state for trial in tuning]
    assert "The loss was no longer a number." == tuning.tried[0].why


def test_where_every_trial_fails_it_ends_soon_and_says_why(few, tiny, monkeypatch):
    from nbdeploy.training import images as training

    def train(*_, **__):
        raise RuntimeError("no memory is left\nand more")

    monkeypatch.setattr(training, "train", train)
    with (
        quiet(),
        pytest.raises(TrainError, match="All of 3 trials failed. The last: RuntimeError: no memory is left\n"),
    ):
        nd.tune(few, **tiny, trials=20)


def test_what_no_trial_would_be_spared_ends_the_tuning_at_once(few, tiny, monkeypatch):
    from nbdeploy.training import images as training

    def train(*_, **__):
        raise DataError("The disk is gone.", hint="Put it back.")

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", train)
        with quiet(), pytest.raises(DataError, match="The disk is gone") as caught:
            nd.tune(few, **tiny, trials=20)
    assert "Put it back." == caught.value.hint
    with quiet():
        again = nd.tune(few, **tiny, trials=2, refit=False)
    done = [trial for trial in again if trial.state == "complete"]
    assert 2 == len(done)  # what failed for another reason than its own is tried again
    assert again.tried[0].params == done[0].params


def test_a_combination_is_tried_once_and_when_all_were_it_ends(few, tiny):
    with quiet():
        tuning = nd.tune(few, **{**tiny, "lr": [5e-3, 1e-2]}, trials=20, refit=False)
    assert 4 == len(tuning) == len({tuple(trial.params.items()) for trial in tuning})
    assert "every combination was tried" == tuning.stopped
    assert "done" == nd.runs(kind="tune")[0].status


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"objectives": ["acuracy"]}, UnknownName, 'Did you mean "accuracy"'),
        ({"objectives": ["size"], "target": "onnx"}, UsageError, "Accuracy has to be among"),
        ({"objectives": ["accuracy", "size"]}, UsageError, "Size and latency are those of a deployed model"),
        ({"recipe": ["fp16", "fp32"]}, UsageError, "A recipe is for a deployed model"),
        ({"target": "tflit"}, UnknownName, 'Did you mean "tflite"'),
        ({"target": "onnx", "recipe": "palette_4bit"}, UsageError, "palette_4bit"),
        ({"pruner": "medain"}, UnknownName, 'Did you mean "median"'),
        ({"engine": "rai"}, UnknownName, 'Did you mean "ray"'),
        ({"arch": ["resnet18", "resnet81"]}, UnknownName, "Did you mean"),
        ({"trials": 0}, UsageError, "at least 1"),
        ({"workers": 0}, UsageError, "at least 1"),
        ({"learning_rate": 3}, UnknownName, "There is no parameter"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(tmp_path, asked, error, says):
    with pytest.raises(error, match=says):
        nd.tune(tmp_path / "there is no such folder", **asked)


def test_a_class_that_cannot_be_learnt_is_said_before_hours_of_trials(few, tiny):
    import dataclasses

    files = tuple(f for f in few.files if f.label == "light" or f.split == "valid")
    with pytest.raises(DataError, match='No picture of "dark" is left to train on'):
        nd.tune(dataclasses.replace(few, files=files), **tiny)


def test_a_trial_that_lags_behind_is_pruned_at_the_same_share_of_its_own_training(few, tiny, monkeypatch):
    from nbdeploy.training.epoch import Epoch
    from nbdeploy.tuning.objective import Ended
    from nbdeploy.tuning.trial import Outcome

    def run(_, params, listener):
        level = 0.9 if run.calls < 4 else 0.5
        run.calls += 1
        planned = params["epochs"]
        try:
            for done in range(1, planned + 1):
                listener.epoch(Epoch(done, planned, 1.0, level * done / planned))
        except Ended as end:
            return Outcome(end.state, why=end.why)
        return Outcome("complete", {"accuracy": level})

    run.calls = 0
    monkeypatch.setattr(workers, "run", run)
    asked = {**tiny, "epochs": [4, 8]}
    with quiet():
        tuning = nd.tune(few, **asked, trials=5, refit=False)
        assert ["complete"] * 4 + ["pruned"] == [trial.state for trial in tuning]
        assert "after" in tuning.tried[-1].why
        run.calls = 0
        whole = nd.tune(few, **asked, trials=5, refit=False, pruner="none", name="whole")
    assert ["complete"] * 5 == [trial.state for trial in whole]


def test_the_winner_is_saved(few, tiny, tmp_path):
    with quiet():
        nd.tune(few, **tiny, trials=1, out=tmp_path / "model")
        with pytest.raises(OutputError, match="exists already"):
            nd.tune(few, **tiny, trials=1, out=tmp_path / "model")
    assert ("dark", "light") == nd.Program.load(tmp_path / "model").signature.labels
