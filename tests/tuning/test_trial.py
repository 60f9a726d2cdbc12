"""Which trials no other beats, and which of them is trained."""

from __future__ import annotations

from nbdeploy.tuning.trial import Trial, front, winner

THREE = ("accuracy", "size", "latency")


def _trial(number, accuracy, size=1e6, latency=1.0, **more):
    values = {"accuracy": accuracy, "size": size, "latency": latency}
    return Trial(number, **{"state": "complete", "params": {}, "values": values, **more})


def test_with_one_objective_the_best_wins_and_of_equals_the_first():
    trials = [_trial(0, 0.8), _trial(1, 0.9), _trial(2, 0.9), _trial(3, 0.7)]
    assert [1] == [trial.number for trial in front(trials, ["accuracy"])]
    assert 1 == winner(trials, ["accuracy"], 100).number


def test_the_front_holds_what_no_other_beats_in_everything():
    trials = [
        _trial(0, 0.95, 2e6),
        _trial(1, 0.90, 1e6),
        _trial(2, 0.89, 1.5e6),
        _trial(3, 0.95, 3e6),
        _trial(4, 0.80, 2e6, latency=0.5),
    ]
    assert [0, 1, 4] == [trial.number for trial in front(trials, THREE)]


def test_a_difference_that_may_be_chance_does_not_pay_for_a_bigger_model():
    big, small, poor = _trial(0, 0.950, 40e6, 9.0), _trial(1, 0.940, 4e6, 2.0), _trial(2, 0.70, 1e6, 1.0)
    assert 1 == winner([big, small, poor], THREE, 100).number  # one standard error is 2 points
    assert 0 == winner([big, small, poor], THREE, 10_000).number  # here 0.2


def test_a_trial_with_a_failed_check_or_without_an_end_never_wins():
    odd = _trial(0, 0.99, figures={"failed_checks": ["mean drift"]})
    pruned = Trial(1, "pruned", {}, curve={4: 0.99})
    assert winner([odd, pruned], ["accuracy"], 100) is None
    assert 2 == winner([odd, pruned, _trial(2, 0.5)], ["accuracy"], 100).number


def test_a_perfect_score_leaves_room_for_chance_too():
    assert 1 == winner([_trial(0, 1.0, 4e6), _trial(1, 0.985, 2e6)], ("accuracy", "size"), 50).number
