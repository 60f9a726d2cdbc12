"""Asking a Learner leaves the random numbers of whoever asks as they were."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

import nbdeploy as nd
from nbdeploy.training.epoch import validated
from tests.training.small import train_micro, write_two


@pytest.fixture(scope="module")
def learn(tmp_path_factory):
    return train_micro(write_two(tmp_path_factory.mktemp("asked") / "pictures"))


def _drawn():
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - fastai draws from the global one


@pytest.mark.parametrize("ask", [nd.learn_report, validated, nd.export])
def test_no_random_number_of_the_caller_is_drawn_where_training_augments(learn, ask):
    before = _drawn()
    ask(learn)
    assert before == _drawn()
