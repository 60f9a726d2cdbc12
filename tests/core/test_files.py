"""Folders appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from nbdeploy.core import files
from nbdeploy.errors import OutputError


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _fill(out: Path, text: str, *, overwrite: bool = False) -> None:
    with files.new_folder(out, overwrite=overwrite) as work:
        (work / "a.txt").write_text(text)


def test_nothing_is_seen_before_the_end(tmp_path: Path) -> None:
    with files.new_folder(tmp_path / "x") as work:
        (work / "a.txt").write_text("1")
        assert not (tmp_path / "x").exists()
    assert "1" == (tmp_path / "x" / "a.txt").read_text()
    assert ["x"] == _names(tmp_path)


def test_a_failure_leaves_nothing_new_and_the_old_one_whole(tmp_path: Path) -> None:
    _fill(tmp_path / "x", "old")

    def fail() -> None:
        with files.new_folder(tmp_path / "x", overwrite=True) as work:
            (work / "a.txt").write_text("new")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert "old" == (tmp_path / "x" / "a.txt").read_text()
    assert ["x"] == _names(tmp_path)


@pytest.mark.parametrize("exchange", [True, False])
def test_overwriting_replaces_the_whole_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool) -> None:
    if not exchange:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    _fill(tmp_path / "x", "old")
    (tmp_path / "x" / "left over").write_text("")
    _fill(tmp_path / "x", "new", overwrite=True)
    assert ["a.txt"] == _names(tmp_path / "x")
    assert "new" == (tmp_path / "x" / "a.txt").read_text()
    assert ["x"] == _names(tmp_path)


def test_what_a_killed_process_left_is_cleared_and_a_lost_old_one_comes_back(tmp_path: Path) -> None:
    gone = 2**22 - 3  # above the largest pid of a default Linux
    (tmp_path / f".x.building-{gone}").mkdir()
    (tmp_path / ".x.old").mkdir()
    (tmp_path / ".x.old" / "a.txt").write_text("old")
    with pytest.raises(OutputError, match="exists already|appeared"):
        _fill(tmp_path / "x", "new")
    assert "old" == (tmp_path / "x" / "a.txt").read_text()
    assert ["x"] == _names(tmp_path)


def test_a_file_in_the_way_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        _fill(tmp_path / "x", "new", overwrite=True)
    assert "mine" == (tmp_path / "x").read_text()


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "cannot be written"), (errno.EIO, "failed")],
)
def test_errors_of_the_disk_say_what_to_do(tmp_path: Path, number: int, said: str) -> None:
    def fail() -> None:
        with files.new_folder(tmp_path / "x"):
            raise OSError(number, os.strerror(number), str(tmp_path / "x"))

    with pytest.raises(OutputError, match=said):
        fail()
    assert [] == _names(tmp_path)


def test_a_folder_of_somebodys_own_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "holiday.jpg").write_text("mine")
    with (
        pytest.raises(OutputError, match="holds other files"),
        files.new_folder(tmp_path / "x", overwrite=True, mark="a.txt"),
    ):
        pytest.fail("it was begun")
    assert ["holiday.jpg"] == _names(tmp_path / "x")


def test_odd_names_are_folders_like_others(tmp_path: Path) -> None:
    for name in ("a b", "[x]*", "é😀"):
        _fill(tmp_path / name, name)
        _fill(tmp_path / name, "again", overwrite=True)
    assert {"a b", "[x]*", "é😀"} == set(_names(tmp_path))


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    _fill(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "lost").symlink_to("nowhere")
    for name in ("link", "lost"):
        _fill(tmp_path / name, "new", overwrite=True)
        assert "new" == (tmp_path / name / "a.txt").read_text()
        assert not (tmp_path / name).is_symlink()
    assert "old" == (tmp_path / "real" / "a.txt").read_text()
    assert ["link", "lost", "real"] == sorted(_names(tmp_path))


@pytest.mark.parametrize(
    ("path", "said"),
    [("n" * 300, "too long"), ("n" * 245, "too long"), ("n" * 300 + "/b", "too long"), ("file/b", "is a file")],
)
def test_a_path_that_cannot_be_is_said_before_any_work(path: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("the user's own")
    with pytest.raises(OutputError, match=said):
        files.check_place(tmp_path / path, overwrite=False)
    assert ["file"] == _names(tmp_path)


def test_a_log_is_written_elsewhere_where_the_cache_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "cache"))
    assert tmp_path / "cache" / "logs" == files.log_file("../a b").parent
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "file"))
    log = files.log_file("a")
    assert tmp_path not in log.parents
    log.write_text("it can be written to")
    log.unlink()


def test_any_text_becomes_a_name_that_is_safe() -> None:
    assert "a-..-b-c" == files.file_name("a/../b c")
    assert "" == files.file_name("../")
    assert 80 == len(files.file_name("ü" * 300))


def test_json_holds_file_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    files.write_json(tmp_path / "a.json", {name: "é"})
    assert {name: "é"} == json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
