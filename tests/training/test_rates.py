"""The learning-rate finder and the weights of classes."""

from __future__ import annotations

import pytest
import torch

import nbdeploy as nd
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import UsageError
from nbdeploy.training.classes import class_weights
from tests.training.small import MICRO, train_micro, write_two


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return ImageSet.from_folder(write_two(tmp_path_factory.mktemp("two") / "pictures", dark=16, light=8), valid=0.25)


@pytest.fixture(scope="module")
def curve(images):
    return nd.find_lr(images, **MICRO)


def test_the_same_seed_finds_the_same_rate(images, curve):
    again = nd.find_lr(images, **MICRO)
    assert curve.losses == again.losses
    assert curve.suggestion == again.suggestion
    assert 1e-7 < curve.suggestion < 10


def test_the_curve_is_shown_with_the_chosen_point(curve):
    page = curve._repr_html_()
    assert "Learning rate" in page
    assert 1 == page.count("<polyline")
    assert f"lr={curve.suggestion:.2g}" in page
    assert len(curve.rates) == len(curve.to_dict()["losses"])
    assert f"learning rate {curve.suggestion:.2g}" in str(curve)


def test_train_takes_what_is_found_and_is_otherwise_as_with_that_rate(images, curve, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found, given = train_micro(images, lr="find"), train_micro(images, lr=curve.suggestion)
    assert curve.suggestion == found.history["lr"]
    assert found.history["epochs"] == given.history["epochs"]
    assert [] == list(tmp_path.iterdir())
    assert f"looking for a learning rate: {'':0}" in capsys.readouterr().err


def test_another_word_for_a_rate_is_refused(images):
    with pytest.raises(UsageError, match='lr is "best"'):
        train_micro(images, lr="best")


def test_class_weights_count_every_class_alike():
    labels = ["a"] * 6 + ["b"] * 2
    weights = class_weights(True, ["a", "b"], labels)
    assert [8 / 12, 8 / 4] == pytest.approx(weights)
    assert 6 * weights[0] == pytest.approx(2 * weights[1])


@pytest.mark.parametrize(
    ("weights", "wrong"),
    [({"a": 1}, 'no weight for "b"'), ({"a": 1, "b": 2, "c": 1}, '"c", which is no class'), ({"a": 0, "b": 1}, "is 0")],
)
def test_weights_that_cannot_be_are_refused(weights, wrong):
    with pytest.raises(UsageError, match=wrong):
        class_weights(weights, ["a", "b"], ["a", "b"])


def test_weights_given_by_name_are_in_the_order_of_the_labels(images):
    learn = train_micro(images, class_weights={"light": 3, "dark": 1})
    assert [1.0, 3.0] == learn.loss_func.func.weight.tolist()


def test_a_weighted_loss_is_deployed_as_any_other(images, tmp_path):
    learn = train_micro(images, class_weights=True)
    assert isinstance(learn.loss_func.func, torch.nn.CrossEntropyLoss)
    bundle = nd.deploy(learn, target="onnx", out=tmp_path / "bundle", latency_runs=0)
    assert bundle.report.compared
