"""What is seen of a tuning: a page that grows in a notebook, lines in a pipe, a table and plots afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdeploy.core import live as lives
from nbdeploy.tuning import look
from nbdeploy.tuning.history import history
from nbdeploy.tuning.plots import importance
from nbdeploy.tuning.result import Tuning
from nbdeploy.tuning.space import Space
from nbdeploy.tuning.trial import Trial

SPACE = Space.of({"arch": ["resnet18", "<b>net"], "epochs": 2, "augment": True})


def _trial(number, accuracy=None, **more):
    params = {"arch": ["resnet18", "<b>net"][number % 2], "lr": 10 ** (-2 - number / 10)}
    values = {} if accuracy is None else {"accuracy": accuracy}
    return Trial(number, **{"state": "complete", "params": params, "values": values, "seconds": 2.0, **more})


TRIALS = (
    _trial(0, 0.8),
    _trial(1, state="pruned", curve={2: 0.5, 4: 0.6}, why="60.0 % after 1 of 2 epochs"),
    _trial(2, 0.9),
    _trial(3, state="failed", why="The loss was no longer a number."),
    *(_trial(number, 0.8 - number / 100) for number in range(4, 16)),
)


@pytest.fixture
def tuning():
    return Tuning("pets", Path("pets.sqlite"), SPACE, ("accuracy",), TRIALS, 50, None)


def test_the_table_says_what_was_tried_and_which_is_best(tuning):
    lines = str(tuning).splitlines()
    assert ["network", "learning", "rate", "accuracy", "time"] == lines[0].split()
    assert "* 2  resnet18" in lines[3]
    assert "(60.0 %)  pruned" in lines[2]
    assert "16 trials: 14 done, 1 pruned, 1 failed" in lines
    assert "Best: trial 2: accuracy 90.0 %, on 50 training files set apart." in lines
    assert lines[-1].startswith('nd.train(images, arch="resnet18", lr=0.00630957')


def test_the_page_escapes_shows_the_last_trials_and_says_why_one_failed(tuning):
    page = tuning._repr_html_()
    assert "&lt;b&gt;net" in page
    assert "<b>net" not in page
    assert "4 earlier trials" in page
    assert "Trial 3 failed: The loss was no longer a number." in page
    assert "✓\N{NO-BREAK SPACE}best" in page


def test_the_history_has_a_dot_a_trial_and_needs_two():
    drawn = history(TRIALS, "accuracy", TRIALS[2])
    assert 15 + 1 == drawn.count("<circle")  # a ring around the best
    assert "trial 1: 60.0\N{NO-BREAK SPACE}%, pruned" in drawn
    assert "" == history(TRIALS[:1], "accuracy", None)


def test_the_frame_has_a_row_a_trial(tuning):
    frame = tuning.trials
    assert 16 == len(frame)
    assert ["state", "arch", "lr", "accuracy", "seconds", "why"] == list(frame.columns)
    assert 0.9 == frame.accuracy.max()


def test_the_figure_shows_history_and_what_mattered(tuning):
    titles = [panel.get_title(loc="left") for panel in tuning.plot().axes]
    assert ["Accuracy of each trial, 50 files set apart", "What the accuracy depended on"] == titles
    assert 1 == pytest.approx(sum(importance(tuning).values()))


def test_too_few_trials_say_nothing_of_what_mattered(tuning):
    tuning.tried = TRIALS[:3]
    assert {} == importance(tuning)
    assert tuning.plot().axes


class _Desk:
    space, objectives, wanted, deadline = SPACE, ("accuracy",), 20, None

    def __init__(self, trials):
        self.trials = trials

    def shown(self):
        return list(self.trials)

    def ended(self):
        return 3

    def best(self):
        return TRIALS[2]

    def running(self):
        return [4]

    def seconds_left(self, workers):
        return 90 / workers


def test_the_live_page_says_how_far_it_is_how_long_it_takes_and_the_best_so_far(monkeypatch):
    drawn: list = []
    monkeypatch.setattr(look, "in_notebook", lambda: True)
    monkeypatch.setattr(lives.Live, "show", lambda _, page, text, **__: drawn.append((page, text)))
    show = look.Show("pets", 2)
    show.attach(_Desk([*TRIALS[:4], _trial(4, state="running", seconds=0.0)]))
    show.step(4, 0.5)
    page, text = drawn[-1]
    assert "3 of 20 trials, about 45.0\N{NO-BREAK SPACE}s left, 2 at once" in page
    assert "best so far: trial 2, accuracy 90.0" in page
    assert "width:50.0%" in page
    assert text.startswith("Tuning pets: 5 trials: 2 done")
    show.stage(4, "deploying")
    assert "deploying ..." in drawn[-1][0]
    show.close("pets: done")
    assert "<table" not in drawn[-1][0]


def test_a_pipe_gets_a_line_a_trial(capsys):
    show = look.Show("pets", 1)
    show.attach(_Desk(TRIALS))
    show.ended(TRIALS[0])
    show.ended(TRIALS[3])
    lines = capsys.readouterr().err.splitlines()
    assert "going on with pets: 3 of 20 trials are done" == lines[0]
    assert lines[1] == (
        "trial 0 (3 of 20) done: accuracy 80.0 %; resnet18, learning rate 0.01, 2.0 s; best: trial 2; "
        "about 1 min 30 s left"
    )
    assert "trial 3 (3 of 20) failed: The loss was no longer a number.; " in lines[2]
