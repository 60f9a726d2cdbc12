"""A training that was killed goes on with the same call."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from nbdeploy.core.files import cache_dir
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import NbdeployWarning
from nbdeploy.training import checkpoints
from tests.training.small import train_micro, write_two

KILLED = """
import os, signal, sys
import torch
from fastai.callback.core import Callback
from tests.training.small import train_micro

class Kill(Callback):
    order = 95
    epochs = 0
    def after_epoch(self):
        self.epochs += 1
        if self.epochs == 2:
            os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(int(sys.argv[2]))  # sums depend on it
train_micro(sys.argv[1], epochs=4, cbs=[Kill()])
"""


@pytest.fixture(scope="module")
def killed(root, tmp_path_factory):
    """What a process leaves that was killed after two of four epochs: its pictures and its cache."""
    place = tmp_path_factory.mktemp("killed")
    folder = write_two(place / "pictures")
    environment = {**os.environ, "PYTHONPATH": str(root), "NBDEPLOY_CACHE": str(place / "cache")}
    command = [sys.executable, "-c", KILLED, str(folder), str(torch.get_num_threads())]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert -signal.SIGKILL == done.returncode, done.stderr.decode()
    return place


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "cache"))
    return write_two(tmp_path / "pictures")


@pytest.fixture
def left(folder, killed):
    """The same pictures, in a place of their own, and the cache that the killed process left."""
    shutil.copytree(killed / "cache", cache_dir())
    return folder


def _left():
    return sorted(path.name for path in cache_dir().glob("training/*/*"))


def _rows(learn):
    return [tuple(epoch.values()) for epoch in learn.history["epochs"]]


def test_the_same_call_goes_on_after_a_kill_as_if_there_had_been_none(folder, killed, capsys):
    whole = train_micro(folder, epochs=4)
    assert [] == _left()
    shutil.copytree(killed / "cache", cache_dir(), dirs_exist_ok=True)
    (best, state) = _left()
    assert "state.pt" == state
    assert best.startswith("best-")
    capsys.readouterr()
    learn = train_micro(folder, epochs=4, resume=True)
    said = capsys.readouterr().err
    assert "Resuming with epoch 3: 2 of 4 epochs were done" in said
    assert ["epoch 3/4", "epoch 4/4"] == [line.partition(":")[0] for line in said.splitlines() if "epoch " == line[:6]]
    assert 2 == learn.history["resumed"]
    assert _rows(whole) == _rows(learn)
    assert all(torch.equal(value, learn.model.state_dict()[name]) for name, value in whole.model.state_dict().items())
    assert [] == _left()


def test_without_resume_it_begins_anew_and_says_how_to_go_on(left, capsys):
    learn = train_micro(left, epochs=4)
    said = capsys.readouterr().err
    assert "2 of 4 epochs were done" in said
    assert "resume=True (--resume)" in said
    assert 0 == learn.history["resumed"]
    assert [] == _left()


def test_other_settings_or_pictures_are_another_training(left, capsys):
    train_micro(left, epochs=3, resume=True)
    assert "There is no unfinished training of this call" in capsys.readouterr().err
    next((left / "dark").iterdir()).unlink()
    train_micro(left, epochs=4, resume=True)
    assert "There is no unfinished training of this call" in capsys.readouterr().err


class _Stop:
    """A training that is stopped in its third epoch."""

    def __new__(cls, after):
        from fastai.callback.core import Callback

        class Stop(Callback):
            def before_batch(self):
                if self.epoch == after:
                    raise KeyboardInterrupt

        return Stop()


def test_what_was_stopped_can_be_gone_on_with_over_both_parts_of_fine_tuning(folder, monkeypatch):
    from tests.training.test_images import _with_weights

    _with_weights(monkeypatch)
    options = {"epochs": 2, "freeze_epochs": 2, "pretrained": True}
    whole = train_micro(folder, **options)
    stopped = train_micro(folder, cbs=[_Stop(1)], **options)
    assert 2 == stopped.history["stopped"]
    learn = train_micro(folder, resume=True, cbs=[_Stop(99)], **options)
    assert 1 == learn.history["resumed"]
    assert _rows(whole) == _rows(learn)


def test_what_cannot_be_read_is_left_out_with_a_warning(left):
    (state,) = cache_dir().glob("training/*/state.pt")
    state.write_bytes(b"no such thing")
    with pytest.warns(NbdeployWarning, match="cannot be read"):
        assert 0 == train_micro(left, epochs=4, resume=True).history["resumed"]


def test_a_checkpoint_that_holds_code_is_not_run(left, tmp_path):
    (state,) = cache_dir().glob("training/*/state.pt")

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "evil"),))

    torch.save({"rows": Evil()}, state)
    with pytest.warns(NbdeployWarning, match="cannot be read"):
        train_micro(left, epochs=4, resume=True)
    assert not (tmp_path / "evil").exists()


def test_a_full_disk_is_said_once_and_training_goes_on(folder):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # bytes a file may grow to: as of a full disk
    try:
        with pytest.warns(NbdeployWarning, match="File too large") as caught:
            assert 3 == len(train_micro(folder, epochs=3).history["epochs"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert 1 == len([one for one in caught if "cannot be resumed" in str(one.message)])
    assert [] == _left()


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    with pytest.raises(AttributeError):
        checkpoints._write(tmp_path / "state.pt", lambda: None)
    assert [] == list(tmp_path.iterdir())


def test_what_nobody_took_up_for_long_is_removed_and_so_are_locks_of_what_is_over(folder):
    root = cache_dir() / "training"
    (root / "aaa").mkdir(parents=True)
    for name in ("aaa.lock", "bbb.lock", "ccc.lock"):
        (root / name).touch()
    for name in ("aaa", "aaa.lock", "bbb.lock"):
        os.utime(root / name, (0, 0))
    train_micro(folder)
    assert {"aaa", "aaa.lock", "bbb.lock"}.isdisjoint(path.name for path in root.iterdir())
    assert (root / "ccc.lock").exists()


def test_two_of_the_same_at_once_do_not_share_a_place(folder):
    images = ImageSet.from_folder(folder)
    one, other = (checkpoints.Checkpoints({"data": checkpoints.fingerprint(images.files)}) for _ in range(2))
    one.open()
    with pytest.warns(NbdeployWarning, match="another process"):
        other.open()
    assert (True, False) == (one.usable, other.usable)
    one.close()
