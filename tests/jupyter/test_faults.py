"""A cell of plain fastai that a bad picture stopped is followed by the picture's name."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbdeploy.errors import NbdeployWarning, TrainError
from nbdeploy.jupyter import faults, loading
from nbdeploy.jupyter.faults import name_bad_picture
from tests.models import learner, loaders


@pytest.fixture
def folder(pictures: Path, tmp_path: Path) -> Path:
    """Pictures of one's own, to be spoilt."""
    return Path(shutil.copytree(pictures, tmp_path / "my data"))


def _stopped(folder: Path, workers: int) -> tuple[Path, BaseException]:
    """A file cut short after the DataLoaders were made, and what fastai raised in training."""
    learn = learner(loaders(folder, num_workers=workers))
    bad = Path(learn.dls.train_ds.items[3])
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    with learn.no_bar(), learn.no_logging(), pytest.raises(OSError, match="truncated") as caught:
        learn.fit(1)
    assert bad.name not in str(caught.value)
    return bad, caught.value


@pytest.mark.parametrize("workers", [0, 1])
def test_the_picture_that_stopped_a_training_of_plain_fastai_is_named(folder: Path, workers: int) -> None:
    bad, error = _stopped(folder, workers)
    said = rf"{bad} cannot be read as a picture \(cut short .*Type: %clean '{folder}'"
    with pytest.warns(NbdeployWarning, match=said):
        name_bad_picture(error)


def test_a_worker_that_did_not_say_which_and_many_files_give_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, error = _stopped(folder, 1)
    monkeypatch.setattr(faults, "_SECONDS", -1.0)
    with pytest.warns(NbdeployWarning, match=rf"did not say which\. Type: %clean '{folder}'"):
        name_bad_picture(error)


@pytest.mark.parametrize("error", [None, OSError("x"), ValueError("y"), TrainError("z"), KeyboardInterrupt()])
def test_other_errors_are_left_alone(error: BaseException | None, recwarn: pytest.WarningsRecorder) -> None:
    try:
        if error is not None:
            raise error
    except BaseException as raised:  # noqa: BLE001 - with a traceback, as in a cell
        name_bad_picture(raised)
    name_bad_picture(error)
    assert [] == list(recwarn)


def test_it_is_said_after_the_cell(folder: Path) -> None:
    _, error = _stopped(folder, 0)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        loading.load(shell)
        with pytest.warns(NbdeployWarning, match="cannot be read as a picture"):
            shell.events.trigger("post_run_cell", SimpleNamespace(error_in_exec=error))
    finally:
        loading.unload(shell)
        InteractiveShell.clear_instance()


def test_a_real_cell_is_followed_by_it(folder: Path, capsys: Any) -> None:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        loading.load(shell)
        learn = learner(loaders(folder))
        bad = Path(learn.dls.train_ds.items[0])
        bad.write_bytes(b"")
        shell.user_ns["learn"] = learn
        with pytest.warns(NbdeployWarning, match=rf"{bad} cannot be read as a picture \(empty file"):
            shell.run_cell("with learn.no_bar(): learn.fit(1)")
        with pytest.warns(NbdeployWarning, match=bad.name):  # each time
            shell.run_cell("with learn.no_bar(): learn.fit(1)")
    finally:
        loading.unload(shell)
        InteractiveShell.clear_instance()
        capsys.readouterr()
