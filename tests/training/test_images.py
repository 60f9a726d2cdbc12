"""train(): ImageSet -> a plain fastai Learner."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
from PIL import Image

from nbdeploy.core.progress import quiet
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, TrainError, UnknownName, UsageError
from nbdeploy.training.images import arch_names, default_side, train

MICRO = "test_resnet.r160_in1k"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes told apart by brightness, 12 pictures of 32 x 24 pixels each."""
    root = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 190)):
        (root / label).mkdir()
        for number in range(12):
            pixels = draw.normal(level, 20, (24, 32, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(root / label / f"{number:02d}.png")
    return root


@pytest.fixture(scope="module")
def images(folder):
    return ImageSet.from_folder(folder, valid=0.25)


def _train(images, **options):
    return train(images, **{"arch": MICRO, "epochs": 1, "pretrained": False, "batch_size": 8, **options})


def _first_loss(learn):
    return learn.recorder.losses[0].item()


def test_gives_a_plain_learner_with_the_labels_of_the_image_set(images):
    from fastai.learner import Learner

    learn = _train(images)
    assert Learner is type(learn)
    assert ["dark", "light"] == list(learn.dls.vocab)
    assert {"TrainEvalCallback", "Recorder", "CastToTensor", "ProgressCallback"} == {
        type(callback).__name__ for callback in learn.cbs
    }
    assert learn.logger is print


def test_takes_a_folder(folder):
    assert ["dark", "light"] == list(_train(folder).dls.vocab)


def test_holds_out_the_files_that_the_image_set_holds_out(images):
    learn = _train(images)
    assert [str(file.path) for file in images.valid] == list(learn.dls.valid_ds.items["path"])


def test_the_learner_exports_and_loads_as_any_other(images, tmp_path):
    from fastai.learner import load_learner

    learn = _train(images)
    learn.export(tmp_path / "export.pkl")
    loaded = load_learner(tmp_path / "export.pkl")
    file = images.valid[0].path
    assert learn.predict(file)[2].tolist() == pytest.approx(loaded.predict(file)[2].tolist(), abs=1e-6)


def test_a_callback_of_the_user_sees_the_training_and_does_not_stay(images):
    from fastai.callback.core import Callback

    class Count(Callback):
        batches = 0

        def after_batch(self):
            self.batches += self.training

    count = Count()
    learn = _train(images, cbs=[count])
    assert 18 // 8 == count.batches
    assert count not in list(learn.cbs)


def test_the_same_seed_gives_the_same_training(images):
    first, again, other = (_first_loss(_train(images, seed=seed)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_leaves_the_random_state_of_the_caller_as_it_was(images):
    import torch

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    _train(images)
    assert expected == (random.random(), np.random.rand(), torch.rand(1).item())  # noqa: NPY002


def test_says_in_a_pipe_how_each_epoch_went_and_nothing_on_standard_output(images, capsys):
    _train(images, epochs=2)
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("epoch")]
    assert 2 == len(lines)
    assert lines[0].startswith("epoch 1/2: train loss ")
    assert ", accuracy " in lines[0]
    assert lines[0].endswith(" s left")
    assert "left" not in lines[1]
    assert not shown.out


def test_counts_the_frozen_epochs_too(images, capsys, monkeypatch):
    _with_weights(monkeypatch)
    _train(images, pretrained=True, freeze_epochs=1, epochs=1)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
    assert ["epoch 1/2", "epoch 2/2"] == [line.partition(":")[0] for line in lines]


def test_fine_tuning_ends_with_every_layer_trainable(images, monkeypatch):
    _with_weights(monkeypatch)
    for freeze_epochs in (0, 1):
        learn = _train(images, pretrained=True, freeze_epochs=freeze_epochs)
        assert all(weight.requires_grad for weight in learn.model.parameters())


def _with_weights(monkeypatch):
    # No network here: the "published" weights of the micro network are the ones it starts with.
    import timm

    from nbdeploy.training import build

    plain = timm.create_model

    def without_asking(name, **options):
        return plain(name, **{**options, "pretrained": False})

    monkeypatch.setattr(timm, "create_model", without_asking)
    monkeypatch.setattr(build, "fetching", lambda _: contextlib.nullcontext())


def test_says_nothing_when_told_to_be_quiet(images, capsys):
    with quiet():
        _train(images)
    assert ("", "") == tuple(capsys.readouterr())


def test_no_warning_of_the_libraries_reaches_the_reader(images, recwarn):
    _train(images, arch="mobilenet_v3_small")
    assert not [str(one.message) for one in recwarn if "torchvision" in one.filename]


def test_flip_and_augment_are_the_users_decision(images):
    def names(learn):
        return [type(step).__name__ for step in learn.dls.after_batch.fs]

    assert "Flip" in names(_train(images))
    assert "Flip" not in names(_train(images, flip=False))
    assert ["IntToFloatTensor", "Normalize"] == names(_train(images, augment=False))


def test_normalises_as_the_weights_of_the_network_expect(images):
    def mean(arch):
        return _train(images, arch=arch).dls.after_batch.normalize.mean.flatten().tolist()

    assert [0.5, 0.5, 0.5] == pytest.approx(mean(MICRO))
    assert [0.485, 0.456, 0.406] == pytest.approx(mean("resnet18"))


def test_small_pictures_are_trained_at_their_own_size(images):
    assert 32 == default_side(images)
    assert (8, 3, 32, 32) == tuple(_train(images).dls.one_batch()[0].shape)


def test_one_picture_of_usual_size_makes_the_size_224(folder, tmp_path):
    for label in ("dark", "light"):
        (tmp_path / label).mkdir()
        for file in (folder / label).iterdir():
            (tmp_path / label / file.name).write_bytes(file.read_bytes())
    Image.new("RGB", (40, 224)).save(tmp_path / "dark" / "tall.png")
    assert 224 == default_side(ImageSet.from_folder(tmp_path))


def test_more_pictures_a_batch_than_there_are_train_all_the_same(images):
    assert 1 == len(_train(images, batch_size=64).recorder.losses)


def test_the_same_seed_gives_the_same_training_with_worker_processes(images):
    assert _first_loss(_train(images, workers=1)) == _first_loss(_train(images, workers=1))


@pytest.mark.parametrize("workers", [0, 1])
def test_names_the_picture_that_cannot_be_read(folder, tmp_path, workers):
    for label in ("dark", "light"):
        (tmp_path / label).mkdir()
        for file in (folder / label).iterdir():
            (tmp_path / label / file.name).write_bytes(file.read_bytes())
    images = ImageSet.from_folder(tmp_path)
    bad = images.train[3].path
    bad.write_bytes(bad.read_bytes()[:200])  # cut off after the ImageSet was made
    with pytest.raises(TrainError, match=bad.name) as caught:
        _train(images, batch_size=16, workers=workers)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_diverging_training_stops_and_names_a_lower_rate(images):
    with pytest.raises(TrainError, match=r"no longer a number in epoch \d, .* batch \d") as caught:
        _train(images, lr=1e30, epochs=3)
    assert "lr=1e+29" in caught.value.hint


def test_what_was_learned_before_it_diverged_is_kept(images):
    from fastai.callback.core import Callback

    class Diverge(Callback):
        order = -20

        def after_loss(self):
            if self.epoch == 2:
                self.learn.loss = self.learn.loss * float("nan")

    with pytest.raises(TrainError, match="no longer a number in epoch 3, training batch 1") as caught:
        _train(images, epochs=4, cbs=[Diverge()])
    learn, history = caught.value.learn, caught.value.learn.history
    assert f"The weights of epoch {history['kept']}" in caught.value.hint
    assert (2, 3) == (len(history["epochs"]), history["stopped"])
    loss, _ = learn.validate()
    assert history["epochs"][history["kept"] - 1]["valid_loss"] == pytest.approx(loss, abs=1e-5)


def test_ctrl_c_goes_through(images):
    from fastai.callback.core import Callback

    class Interrupt(Callback):
        def after_batch(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(images, cbs=[Interrupt()])


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch_size": 1}, {"size": 0}, {"lr": 0.0}, {"freeze_epochs": -1}, {"workers": -1}]
)
def test_refuses_numbers_that_cannot_be(images, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        _train(images, **wrong)


@pytest.mark.parametrize("wrong", [{"epochs": "3"}, {"epochs": 2.5}, {"size": "32"}, {"batch_size": True}])
def test_a_count_that_is_no_whole_number_is_said(images, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError, match=f"{name} is {value!r}") as caught:
        _train(images, **wrong)
    assert "a whole number" in caught.value.hint


@pytest.mark.parametrize("data", [None, ["a", "b"], 3])
def test_what_is_no_data_is_said(data):
    with pytest.raises(UsageError, match="is no set of pictures"):
        _train(data)


def test_refuses_a_set_with_nothing_held_out(images):
    with pytest.raises(DataError, match="held out"):
        _train(ImageSet(images.train))


def test_refuses_one_class(images):
    with pytest.raises(DataError, match="one class"):
        _train(ImageSet(tuple(file for file in images.files if file.label == "dark")))


def test_refuses_a_class_without_training_files(images):
    files = tuple(file for file in images.files if file.label == "dark" or file.split == "valid")
    with pytest.raises(DataError, match='"light"'):
        _train(ImageSet(files))


def test_an_unknown_arch_is_answered_with_near_names(images):
    with pytest.raises(UnknownName, match='There is no arch "resnet81"') as caught:
        _train(images, arch="resnet81")
    assert "resnet" in caught.value.hint
    assert len(caught.value.hint) < 200
    assert str(f"{len(arch_names()):,}") in caught.value.hint
