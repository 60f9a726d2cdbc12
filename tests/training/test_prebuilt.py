"""pretrained(): published weights, or one's own, ready to be deployed."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image

import nbdeploy as nd
from nbdeploy.errors import DataError, NbdeployWarning, TrainError, UsageError, WeightsUnavailable
from nbdeploy.training.arch import find_arch
from nbdeploy.training.prebuilt import card_of, unique

LABELS = ["red apple", "grün 🍏", "blue"]
MICRO = "timm:test_resnet.r160_in1k"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights of the micro network with three classes."""
    import timm

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "my.pth"
    torch.save(timm.create_model("test_resnet.r160_in1k", num_classes=3).state_dict(), path)
    return path


def test_own_weights_are_deployed_untrained_and_answer_as_the_network_does(weights, pictures, tmp_path):
    import timm

    learn = nd.pretrained(MICRO, weights=weights, labels=LABELS, images=pictures)
    model = timm.create_model("test_resnet.r160_in1k", num_classes=3).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    picture = Image.new("RGB", (200, 200), (200, 40, 40))
    picture.save(tmp_path / "red.png")
    with torch.no_grad():
        expected = model((torch.tensor(np.array(picture.resize((160, 160)))).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5)
    assert expected.softmax(1)[0].tolist() == pytest.approx(learn.predict(tmp_path / "red.png")[2].tolist(), abs=1e-4)
    bundle = nd.deploy(learn, target="onnx", out=tmp_path / "bundle", latency_runs=0)
    assert bundle.report.compared
    assert tuple(LABELS) == bundle.labels
    assert "accuracy_original" in bundle.report.metrics
    assert 0 < nd.learn_report(learn, top=1).files


def test_pictures_without_known_labels_give_no_accuracy(weights, tmp_path):
    draw = np.random.default_rng(0)
    for number in range(5):
        (tmp_path / "photos").mkdir(exist_ok=True)
        pixels = draw.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.jpg")
    learn = nd.pretrained(MICRO, weights=weights, labels=LABELS, images=tmp_path / "photos")
    report = nd.deploy(learn, target="onnx", out=tmp_path / "bundle", latency_runs=0).report
    assert report.compared
    assert "accuracy_original" not in report.metrics
    assert learn.predict(tmp_path / "photos" / "0.jpg")[0] in LABELS
    with pytest.raises(DataError, match="no labels that it knows"):
        nd.learn_report(learn)


def test_without_pictures_made_up_ones_stand_in_and_it_is_said(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "cache"))
    with pytest.warns(NbdeployWarning, match="on made-up pictures, and its accuracy is not known"):
        learn = nd.pretrained(MICRO, weights=weights, labels=LABELS)
    program = nd.export(learn)
    assert 24 == len(program.reference.held_out)
    assert {None} == {file.label for file in program.reference.held_out}
    assert all("made-up" in file.path for file in program.reference.held_out)


def test_published_weights_come_from_the_cache_with_labels_and_preparation(tmp_path, monkeypatch, pictures):
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    entry = SqueezeNet1_1_Weights.DEFAULT
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / entry.url.rpartition("/")[2]
    place.parent.mkdir(parents=True)
    model = squeezenet1_1(weights=None)
    torch.save(model.state_dict(), place)
    learn = nd.pretrained("squeezenet1_1", images=pictures)
    assert ["tench", "goldfish"] == list(learn.dls.vocab)[:2]
    file = next(pictures.rglob("*.png"))
    expected = entry.transforms()(Image.open(file).convert("RGB"))
    seen = learn.dls.test_dl([file], num_workers=0).one_batch()[0][0]
    assert expected.shape == seen.shape
    assert (seen - expected).abs().mean() < 0.05  # of pixels with a deviation of 1: half a pixel of rounding
    assert all(torch.equal(value, learn.model.state_dict()[name]) for name, value in model.state_dict().items())
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_weights_in_the_cache_that_hold_code_are_not_run(tmp_path, monkeypatch, pictures):
    from torchvision.models import SqueezeNet1_1_Weights

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "evil"),))

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2]
    place.parent.mkdir(parents=True)
    torch.save({"a": Evil()}, place)
    with pytest.raises(TrainError):
        nd.pretrained("squeezenet1_1", images=pictures)
    torch.save({"a": Evil()}, tmp_path / "own.pth")
    with pytest.raises(TrainError, match="cannot be read as weights"):
        nd.pretrained(MICRO, weights=tmp_path / "own.pth", labels=LABELS, images=pictures)
    assert not (tmp_path / "evil").exists()


def test_safetensors_and_wrapped_files_are_read(weights, tmp_path, pictures):
    from safetensors.torch import save_file

    state = torch.load(weights, weights_only=True)
    save_file(state, tmp_path / "my.safetensors")
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "run.pt")
    (tmp_path / "labels.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    for name in ("my.safetensors", "run.pt"):
        learn = nd.pretrained(MICRO, weights=tmp_path / name, labels=tmp_path / "labels.txt", images=pictures)
        assert all(torch.equal(value, state[name]) for name, value in learn.model.state_dict().items())
        assert LABELS == list(learn.dls.vocab)


def test_weights_of_another_network_are_refused(weights, pictures):
    with pytest.raises(TrainError, match="are not those of"):
        nd.pretrained(MICRO, weights=weights, labels=["a", "b"], images=pictures)
    with pytest.raises(UsageError, match="There is no file"):
        nd.pretrained(MICRO, weights="none.pth", labels=LABELS, images=pictures)
    with pytest.raises(UsageError, match="one twice"):
        nd.pretrained(MICRO, weights=weights, labels=["a", "a", "b"], images=pictures)


def test_offline_it_names_the_weights_that_cannot_be_had(tmp_path, monkeypatch, pictures):
    from nbdeploy.training import weights as module

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(module, "_answers", lambda _: False)
    with pytest.raises(WeightsUnavailable, match="resnet18"):
        nd.pretrained("resnet18", images=pictures)


def test_a_folder_without_pictures_is_refused(weights, tmp_path):
    with pytest.raises(DataError, match="fewer than two pictures"):
        nd.pretrained(MICRO, weights=weights, labels=LABELS, images=tmp_path)


def test_cards_say_what_the_weights_expect():
    card = card_of(find_arch("timm:resnet18.a1_in1k"))
    assert (224, 235, "crop", True, 1000) == (card.side, card.resize, card.method, card.bicubic, len(card.labels))
    assert "tench" == card.labels[0]
    assert 1000 == len(set(card.labels))
    card = card_of(find_arch("mobilenet_v3_small"))
    assert (224, 256, False, 1000) == (card.side, card.resize, card.bicubic, len(set(card.labels)))


def test_labels_that_repeat_are_numbered():
    assert ("crane", "crane (2)", "tank") == unique(["crane", "crane", "tank"])
