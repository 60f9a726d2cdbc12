"""A training that is stopped keeps its best weights."""

from __future__ import annotations

import copy
import os
import signal
import threading
from contextlib import nullcontext

import pytest
import torch

from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import TrainError, UsageError
from nbdeploy.training import running
from nbdeploy.training.course import Course, phases_of
from tests.training.small import train_micro, write_two


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return ImageSet.from_folder(write_two(tmp_path_factory.mktemp("two") / "pictures"), valid=0.25)


def _callback(**events):
    from fastai.callback.core import Callback

    return type("Own", (Callback,), events)()


def _snapshots(kept):
    def after_epoch(self):
        kept.append(copy.deepcopy(self.learn.model.state_dict()))

    return _callback(after_epoch=after_epoch, order=90)


def _same(model, weights):
    return all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def _interrupt_in(epoch, number=signal.SIGINT):
    def after_batch(self):
        if self.epoch == epoch and self.training:
            os.kill(os.getpid(), number)

    return _callback(after_batch=after_batch)


def test_an_interrupt_gives_the_weights_of_the_best_epoch(images, capsys):
    weights = []
    learn = train_micro(images, epochs=6, cbs=[_snapshots(weights), _interrupt_in(3)])
    history = learn.history
    losses = [epoch["valid_loss"] for epoch in history["epochs"]]
    assert (3, 4) == (len(losses), history["stopped"])
    assert 1 + losses.index(min(losses)) == history["kept"]
    assert _same(learn.model, weights[history["kept"] - 1])
    assert f"stopped in epoch 4; the weights of epoch {history['kept']}, the best" in capsys.readouterr().err


def test_an_interrupt_in_the_first_epoch_is_raised(images):
    with pytest.raises(KeyboardInterrupt):
        train_micro(images, epochs=3, cbs=[_interrupt_in(0)])


def test_a_second_interrupt_ends_it_at_once(images):
    def twice(self):
        if self.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_micro(images, epochs=3, cbs=[_callback(before_batch=twice)])


def test_an_interrupt_that_a_callback_raises_keeps_the_best_too(images):
    def after_batch(self):
        if self.epoch == 2:
            raise KeyboardInterrupt

    assert 3 == train_micro(images, epochs=4, cbs=[_callback(after_batch=after_batch)]).history["stopped"]


def test_the_handling_of_interrupts_is_as_before_afterwards(images):
    before = signal.getsignal(signal.SIGINT)
    train_micro(images)
    assert before is signal.getsignal(signal.SIGINT)


def test_an_interrupt_ends_a_training_with_worker_processes(images):
    assert 2 == train_micro(images, epochs=3, workers=1, cbs=[_interrupt_in(1)]).history["stopped"]


def test_the_button_stops_from_another_thread_and_leaves_the_page(images, monkeypatch):
    shown = []

    class Button:
        def __init__(self, pressed):
            self.pressed = pressed
            shown.append(self)

        def show(self):
            shown.append("shown")

        def close(self):
            shown.append("closed")

    def press(self):
        if self.epoch == 1:
            thread = threading.Thread(target=shown[0].pressed)
            thread.start()
            thread.join()

    from nbdeploy.core import live
    from nbdeploy.training import stopping

    pages = []
    monkeypatch.setattr(running, "in_notebook", lambda: True)
    monkeypatch.setattr(live.Live, "show", lambda _, html, text, **__: pages.append((html, text)))
    monkeypatch.setattr(type(stopping.widgets), "load", lambda *_: Button)
    learn = train_micro(images, epochs=4, cbs=[_callback(before_batch=press)])
    assert 2 == learn.history["stopped"]
    assert ["shown", "closed"] == shown[1:]
    assert "stopped in epoch 2; the weights of epoch 1, the best by held-out loss, are kept" in pages[-1][1]
    assert 2 == pages[-1][0].count('role="img"')
    assert "<script" not in pages[-1][0]
    assert "99.9" not in pages[-1][0]  # a share that is counted is whole, not nearly


def test_the_picture_of_a_training_that_diverged_says_that_it_is_over(images, monkeypatch):
    from nbdeploy.core import live

    pages = []
    monkeypatch.setattr(running, "in_notebook", lambda: True)
    monkeypatch.setattr(running, "button", lambda _: nullcontext())
    monkeypatch.setattr(live.Live, "show", lambda *shown, **__: pages.append(shown[2]))
    with pytest.raises(TrainError, match="no longer a number"):
        train_micro(images, epochs=3, lr=1e30)
    assert "stopped in epoch" in pages[-1]


def test_a_button_in_the_first_epoch_says_that_there_is_nothing_to_keep(images):
    course = Course(phases_of(2, 0, 0.1, pretrained=False))
    course.stop = "button"

    class Quiet(running.Run):
        def _phases(self):
            pass

    with pytest.raises(TrainError, match="nothing to keep"):
        Quiet(train_micro(images), course, rate=0.1, precision="fp32", checkpoints=None).go([], resume=False)


def test_keep_best_and_accuracy_choose_an_epoch_at_the_regular_end(images):
    weights = []
    learn = train_micro(images, epochs=4, keep="best", cbs=[_snapshots(weights)])
    losses = [epoch["valid_loss"] for epoch in learn.history["epochs"]]
    assert 1 + losses.index(min(losses)) == learn.history["kept"]
    assert _same(learn.model, weights[learn.history["kept"] - 1])
    assert None is learn.history["stopped"]
    course = Course((), keep="accuracy", rows=[[1, 0.9, 0.5], [1, 0.8, 0.75], [1, 0.7, 0.75], [1, 0.1, 0.25]])
    assert 2 == course.best


def test_the_last_epoch_is_kept_when_nothing_is_said(images):
    weights = []
    learn = train_micro(images, epochs=2, cbs=[_snapshots(weights)])
    assert 2 == learn.history["kept"]
    assert _same(learn.model, weights[-1])


def test_a_loss_that_is_no_number_is_never_the_best():
    assert 1 == Course((), rows=[[1, float("nan"), 0.9], [1, 2.0, 0.1]]).best


def test_an_unknown_word_for_what_is_kept_is_refused(images):
    with pytest.raises(UsageError, match='keep is "first"'):
        train_micro(images, keep="first")


def test_metrics_of_the_user_stand_beside_accuracy(images):
    from fastai.metrics import error_rate

    (epoch,) = train_micro(images, metrics=[error_rate]).history["epochs"]
    assert 1 == pytest.approx(epoch["accuracy"] + epoch["error_rate"])


def test_precision_says_what_is_not_here(images):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    from nbdeploy.training.precision import chosen

    assert "fp32" == chosen("auto")
    with pytest.raises(UsageError, match="needs an NVIDIA GPU"):
        train_micro(images, precision="bf16")
    with pytest.raises(UsageError, match='precision is "fp8"'):
        train_micro(images, precision="fp8")
