"""What may be tuned: lists, pairs and plain values, and what is said of those that cannot be."""

from __future__ import annotations

import pandas as pd
import pytest

from nbdeploy.errors import UnknownName, UsageError
from nbdeploy.tuning.space import Choice, Range, Space


def _space(**asked):
    return Space.of(asked)


def test_a_list_is_a_choice_a_pair_a_range_and_a_plain_value_stays():
    space = _space(arch=["resnet18", "resnet34"], size=(64, 130), lr=(1e-4, 1e-2), epochs=3, batch_size=(8, 64))
    assert Choice(("resnet18", "resnet34")) == space.open["arch"]
    assert Range(64, 128, step=32) == space.open["size"]
    assert Range(1e-4, 1e-2, log=True) == space.open["lr"]
    assert Range(8, 64, log=True, step=1) == space.open["batch_size"]
    assert {"epochs": 3} == space.fixed


def test_what_is_not_named_is_tuned_as_is_usual():
    assert {"lr": Range(1e-4, 1e-2, log=True), "epochs": Range(2, 8, step=1), "augment": Choice((True, False))} == dict(
        _space().open
    )
    assert Range(1e-3, 3e-2, log=True) == _space(pretrained=False).open["lr"]


def test_a_choice_of_one_and_a_range_of_one_are_fixed():
    assert {"arch": "resnet18", "size": 64} == dict(_space(arch=["resnet18"], size=(64, 90)).fixed)


def test_any_keyword_of_train_can_be_tuned_and_no_other():
    assert "freeze_epochs" in _space(freeze_epochs=(0, 2)).open
    with pytest.raises(UnknownName, match='Did you mean "epochs"'):
        _space(epoch=3)
    with pytest.raises(UnknownName, match="cbs"):
        _space(cbs=[])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"lr": (1e-2, 1e-4)}, "lower end first"),
        ({"lr": (0, 1e-4)}, "above 0"),
        ({"epochs": (1.5, 3)}, "whole numbers"),
        ({"arch": ("resnet18", "resnet34")}, r"Choices are a list: arch=\['resnet18'"),
        ({"size": (32, 64, 96)}, "Choices are a list"),
        ({"arch": []}, "no choices"),
        ({"arch": [object()]}, "cannot be chosen from objects"),
        ({"lr": 1e-3, "epochs": 2, "augment": False}, "nothing to tune"),
    ],
)
def test_a_space_that_cannot_be_says_what_can(asked, says):
    with pytest.raises(UsageError, match=says):
        _space(**asked)


def test_the_first_trial_is_what_train_does_by_itself_where_the_space_holds_that():
    space = _space(arch=["resnet18", "vgg11"], epochs=(2, 4), lr=(1e-3, 1e-2), size=(64, 128))
    assert {"arch": "resnet18", "lr": 2e-3, "augment": True, "size": 96} == space.first(96)


def test_the_combinations_of_a_space_are_counted_where_they_can_be():
    assert 6 == len(list(_space(lr=1e-3, epochs=(1, 3)).every()))
    assert _space().every() is None


def test_rows_and_texts_are_refused_in_words():
    import nbdeploy as nd

    frame = pd.DataFrame({"size": [i * i % 37 + 0.5 for i in range(20)], "kind": ["a", "b"] * 10})
    table = nd.Table.from_frame(frame, label="kind")
    with pytest.raises(UsageError, match="Pictures can be tuned, and what was given are rows"):
        nd.tune(table)
    with pytest.raises(UsageError, match="Pictures can be tuned, and what was given are rows"):
        nd.tune(frame, label="kind")
    with pytest.raises(UsageError, match="Pictures can be tuned, and what was given are texts"):
        nd.tune("questions.csv", text="question", label="topic")
    with pytest.raises(UsageError, match="This is for pictures, and what was given are rows"):
        nd.find_lr(table)
