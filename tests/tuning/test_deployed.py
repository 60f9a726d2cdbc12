"""Where a target is named, what is tuned is the deployed model: its accuracy, its bytes, its milliseconds."""

from __future__ import annotations

import pytest

import nbdeploy as nd
from nbdeploy.core.progress import quiet
from nbdeploy.tuning import desk as desks
from nbdeploy.tuning import workers
from nbdeploy.tuning.trial import Outcome

THREE = ("accuracy", "size", "latency")


@pytest.fixture(scope="module")
def deployed(few, tmp_path_factory):
    """One trial, deployed and timed."""
    from tests.tuning.conftest import TINY

    with pytest.MonkeyPatch.context() as patch, quiet():
        patch.setenv("NBDEPLOY_STATE", str(tmp_path_factory.mktemp("state")))
        return nd.tune(
            few,
            **{**TINY, "lr": 5e-3, "epochs": 1},
            trials=1,
            objectives=list(THREE),
            target="onnx",
            recipe=["fp32", "fp16"],
            latency_runs=10,
            refit=False,
        )


def test_each_trial_has_the_figures_of_the_deployed_model(deployed):
    (trial,) = deployed
    assert "complete" == trial.state, trial.why
    assert set(THREE) == set(trial.values)
    assert 0.4 <= trial.values["accuracy"] <= 1
    assert 300_000 < trial.values["size"] < 3_000_000
    assert 0 < trial.values["latency"]
    assert 0 < trial.figures["latency_original"]
    assert [] == trial.figures["failed_checks"]


def test_what_is_trained_and_deployed_has_the_recipe_of_the_winner(deployed, monkeypatch):
    from nbdeploy import flow

    calls = []
    monkeypatch.setattr(flow, "deploy", lambda learn, **asked: calls.append((learn, asked)))
    deployed.learn = "a learner"
    deployed.deploy(out="build/x")
    deployed.learn = None
    assert deployed.best in deployed.pareto
    assert [("a learner", {"target": "onnx", "recipe": deployed.best.params["recipe"], "out": "build/x"})] == calls
    assert "recipe" not in deployed.call


def test_several_objectives_are_shown_and_drawn(deployed):
    page = deployed._repr_html_()
    assert "PyTorch " in page
    assert "of the deployed model" in page
    titles = [panel.get_title(loc="left") for panel in deployed.plot().axes]
    assert ["Accuracy against size", "Accuracy against latency"] == titles[2:]


def _told(monkeypatch, tiny, few, tell, **asked):
    """A tuning of which every trial ends as `tell` says."""
    monkeypatch.setattr(workers, "run", lambda _, params, listener: tell(params, listener))
    with quiet():
        return nd.tune(few, **tiny, objectives=["accuracy", "size"], target="onnx", refit=False, **asked)


def test_a_trial_with_a_failed_check_is_never_the_best(few, tiny, monkeypatch):
    def tell(params, _):
        bad = params["epochs"] == 2
        return Outcome("complete", {"accuracy": 0.9 + bad / 20, "size": 1e6}, {"failed_checks": ["mean drift"] * bad})

    tuning = _told(monkeypatch, tiny, few, tell, trials=6)
    failed = [trial for trial in tuning if not trial.good]
    assert failed
    assert 0.9 == tuning.best.values["accuracy"]
    assert all(trial not in tuning.pareto for trial in failed)
    assert "check failed: mean drift" in str(tuning)


def test_with_several_objectives_a_trial_is_pruned_beside_those_of_its_own_network(few, tiny, monkeypatch):
    from nbdeploy.training.epoch import Epoch
    from nbdeploy.tuning.objective import Ended

    seen: list = []

    def tell(params, listener):
        like = [one for one in seen if one == params["size"]]
        seen.append(params["size"])
        level = 0.9 if len(like) < desks.LEAST else 0.5
        try:
            for done in range(1, 5):
                listener.epoch(Epoch(done, 4, 1.0, level * done / 4))
        except Ended as end:
            return Outcome(end.state, why=end.why)
        return Outcome("complete", {"accuracy": level, "size": 1e6})

    tuning = _told(monkeypatch, {**tiny, "size": [32, 64]}, few, tell, trials=12)
    counts = {side: [t.state for t in tuning if t.params["size"] == side] for side in (32, 64)}
    for states in counts.values():
        assert ["complete"] * 4 == states[:4]
        assert {"pruned"} >= set(states[4:])
    assert "pruned" in [trial.state for trial in tuning]
    assert "median of this network's trials" in next(t.why for t in tuning if t.state == "pruned")
