"""Learners for networks that fastai cuts well, cuts wrongly, or cannot cut."""

from __future__ import annotations

import pytest

from nbdeploy.errors import TrainError
from nbdeploy.training.arch import find_arch


@pytest.fixture(scope="module")
def make():
    """A Learner over made-up pictures of three classes, by the name of its network."""
    import torch
    from fastai.data.core import DataLoaders
    from fastai.losses import CrossEntropyLossFlat

    from nbdeploy.training.build import make_learner

    class Pictures(list):
        loss_func = CrossEntropyLossFlat()

    def build(name, size):
        dataset = Pictures((torch.rand(3, size, size), torch.tensor(index % 3)) for index in range(4))
        dls = DataLoaders.from_dsets(dataset, dataset, bs=4)
        dls.vocab = ["a", "b", "c"]
        dls.c = 3
        return make_learner(dls, find_arch(name), size=size, pretrained=False)

    return build


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mobilenet_v2", 32),  # pools in forward: no layer to cut at
        ("shufflenet_v2_x0_5", 32),  # would be cut after its first layer
        ("vit_b_32", 32),  # tokens, and a size of its own
        ("test_vit", 32),
        ("test_mambaout", 32),  # channels last
        ("test_resnet", 32),
        ("mobilenet_v3_small", 32),
    ],
)
def test_trains_a_batch_whatever_the_shape_of_the_network(make, name, size):
    learn = make(name, size)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    assert (4, 3) == tuple(learn.get_preds(ds_idx=1)[0].shape)


def test_a_network_that_fastai_would_cut_after_its_first_layer_stays_whole(make):
    from fastai.torch_core import params

    assert 340_000 < sum(weight.numel() for weight in params(make("shufflenet_v2_x0_5", 32).model))


def test_the_head_is_a_group_of_its_own_in_a_whole_network(make):
    learn = make("mobilenet_v2", 32)
    learn.freeze()
    assert learn.model[1].weight.requires_grad
    assert not learn.model[0].features[3].conv[0][0].weight.requires_grad


def test_raises_the_momentum_that_short_runs_cannot_work_with(make):
    from torch import nn

    parts = [part for part in make("mobilenet_v3_small", 32).model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert {0.1} == {part.momentum for part in parts}


def test_says_which_size_a_network_takes(make):
    with pytest.raises(TrainError, match="maxvit_t cannot be built for pictures of 64 x 64 pixels") as caught:
        make("maxvit_t", 64)
    assert "size=224" in caught.value.hint
