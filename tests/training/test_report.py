"""learn_report(): what a Learner gets right and wrong, for plain fastai and for nd.train."""

from __future__ import annotations

import html
import json

import numpy as np
import pytest
import torch
from torch import nn

import nbdeploy as nd
from nbdeploy.core.numbers import wilson
from nbdeploy.errors import OutputError, UsageError
from nbdeploy.training.explaining.gradcam import NO_MAP, grad_cam


@pytest.fixture(scope="module")
def report(conv_learner):
    return nd.learn_report(conv_learner, tta=2)


def test_the_figures_are_those_of_the_learner(conv_learner, report):
    probabilities, truth = conv_learner.get_preds()
    right = int((probabilities.argmax(1) == truth).sum())
    assert (len(truth), right) == (report.files, report.right)
    assert right / len(truth) == report.accuracy
    assert wilson(right, len(truth)) == report.accuracy_interval
    assert report.files == sum(map(sum, report.confusion))
    for n, row in enumerate(report.classes):
        answered = sum(line[n] for line in report.confusion)
        assert (sum(report.confusion[n]), answered) == (row.support, row.answers)
        assert row.recall == pytest.approx(row.right / row.support)
        if row.precision is not None and row.right:
            assert row.f1 == pytest.approx(2 / (1 / row.precision + 1 / row.recall))


def test_the_highest_losses_come_first_with_their_files(conv_learner, report):
    losses = [miss.loss for miss in report.top_losses]
    assert losses == sorted(losses, reverse=True)
    assert 12 == len(losses)
    names = {str(path) for path in conv_learner.dls.valid_ds.items}
    assert {miss.file for miss in report.top_losses} <= names
    assert all(side.startswith("<img") for miss in report.top_losses for side in (miss.given.picture, miss.given.heat))


def test_the_learner_is_left_as_it_was(conv_learner):
    def state():
        values = [value.clone() for value in conv_learner.model.state_dict().values()]
        return values, conv_learner.model.training, len(conv_learner.recorder.values), list(map(type, conv_learner.cbs))

    before = state()
    random = torch.get_rng_state()
    nd.learn_report(conv_learner, tta=1, top=2)
    after = state()
    assert all(map(torch.equal, before[0], after[0]))
    assert before[1:] == after[1:]
    assert torch.equal(random, torch.get_rng_state())


def test_test_time_augmentation_is_told_beside_and_only_when_asked(conv_learner, report):
    assert 2 == report.tta["n"]
    assert "A deployed bundle does not do this." in str(report)
    assert "A deployed bundle does not do this." in report._repr_html_()
    plain = nd.learn_report(conv_learner, top=0)
    assert None is plain.tta
    assert "augmentation" not in plain._repr_html_()


def test_the_page_stands_alone_and_escapes_labels(report, tmp_path):
    text = report.save(tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "http" not in text.replace("http://www.w3.org", "")
    assert html.escape("grün 🍏") in text
    assert "Confusion" in text
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        report.save(tmp_path / "file" / "report.html")


def test_it_is_plain_data_too(report):
    data = json.loads(json.dumps(report.to_dict()))
    assert {"accuracy", "accuracy_interval", "classes", "confusion", "explained", "files", "labels", "right"} <= set(
        data
    )
    assert "heat" not in data["top_losses"][0]


def test_what_is_no_learner_is_refused():
    with pytest.raises(UsageError, match="str is not a fastai Learner"):
        nd.learn_report("learn")
    with pytest.raises(UsageError, match="cannot be negative"):
        nd.learn_report(None, tta=-1)


def test_grad_cam_looks_where_the_class_is():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 2, 3, padding=1, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0], conv.weight[1, 2] = 1, 1  # one map of red, one of blue
    head = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
    model = nn.Sequential(conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    for weight in model.parameters():
        weight.requires_grad_(False)
    picture = torch.zeros(1, 3, 16, 16)
    picture[0, 0, :4, :4], picture[0, 2, 12:, 12:] = 1, 1
    for wanted, place in ((0, (0, 4)), (1, (12, 16))):
        heat = grad_cam(model.train(), picture, [wanted])
        inside = heat.maps[0, place[0] : place[1], place[0] : place[1]].sum() / heat.maps.sum()
        assert inside > 0.6
        assert (16, 16) == heat.fields
    assert model.training


@pytest.mark.parametrize(
    ("name", "size", "there"),
    [("resnet18", 64, True), ("mobilenet_v3_small", 64, True), ("densenet121", 64, True), ("squeezenet1_1", 64, True),
     ("timm:test_resnet", 64, True), ("timm:test_efficientnet", 64, True), ("timm:test_convnext", 64, True),
     ("timm:test_vit", 160, False), ("swin_t", 64, False), ("vit_b_32", 224, False)],
)  # fmt: skip
def test_networks_have_a_map_or_it_is_said(name, size, there):
    import timm
    from torchvision.models import get_model_builder

    library, _, bare = name.rpartition(":")
    model = timm.create_model(bare) if library else get_model_builder(bare)(weights=None)
    heat = grad_cam(model, torch.rand(2, 3, size, size), [0, 1])
    assert there == (heat is not None)
    if heat is not None:
        assert (2, size, size) == heat.maps.shape
        assert np.isfinite(heat.maps).all()
        assert min(heat.fields) > 1


def test_a_network_without_a_map_says_so_in_the_report(patch_learner):
    report = nd.learn_report(patch_learner, top=2)
    assert NO_MAP == report.explained
    assert NO_MAP in html.unescape(report._repr_html_())
    assert "" == report.top_losses[0].given.heat


def test_it_takes_what_train_gives(tmp_path):
    from tests.training.small import train_micro, write_two

    learn = train_micro(write_two(tmp_path / "two"))
    report = nd.learn_report(learn, top=1)
    assert str(tmp_path) in report.top_losses[0].file
    assert learn.history["epochs"][-1]["accuracy"] == pytest.approx(report.accuracy)
