from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from nbdeploy.data import archive
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, NbdeployWarning, OutputError

SIGNS = Path(__file__).parents[3] / "shared" / "data" / "sign-digits" / "Dataset.tar.gz"


def packed(root: Path, name: str) -> Path:
    kind = {".zip": "zip", ".tar": "tar", ".gz": "gztar", ".tgz": "gztar"}[Path(name).suffix]
    made = Path(shutil.make_archive(str(root.parent / "made"), kind, root.parent, root.name))
    return made.rename(root.parent / name)


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def everything_below(path: Path) -> set[str]:
    return {one.relative_to(path).as_posix() for one in path.rglob("*")}


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz", "set.tgz"])
def test_unpacks_beside_the_archive_and_goes_into_the_only_folder(make_folder, name):
    root = make_folder({"a": 4, "b": 4})
    file = packed(root, name)
    images = ImageSet.from_zip(file)
    assert {"a": (3, 1), "b": (3, 1)} == images.counts
    assert file.with_name("set") / "pictures" / "a" / "000.png" == images.files[0].path
    assert str(file) == images.files[0].source
    assert () == images.skipped


def test_uses_what_it_unpacked_before(make_folder):
    file = packed(make_folder({"a": 4, "b": 4}), "set.zip")
    first = ImageSet.from_zip(file)
    (file.with_name("set") / "pictures" / "a" / "000.png").unlink()  # as a person may who cleans up
    assert len(first) - 1 == len(ImageSet.from_zip(file))


def test_refuses_a_folder_that_is_not_its_own(make_folder, tmp_path):
    file = packed(make_folder({"a": 2, "b": 2}), "set.zip")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="was not unpacked from set"):
        ImageSet.from_zip(file)
    assert "keep" == (tmp_path / "set" / "mine.txt").read_text()


def test_refuses_a_folder_of_an_older_archive(make_folder):
    root = make_folder({"a": 2, "b": 2})
    ImageSet.from_zip(packed(root, "set.zip"))
    make_folder({"c": 2}, root)
    with pytest.raises(DataError, match="from another archive"):
        ImageSet.from_zip(packed(root, "set.zip"))


def test_takes_an_empty_folder(make_folder, tmp_path):
    file = packed(make_folder({"a": 2, "b": 2}), "set.zip")
    (tmp_path / "here").mkdir()
    assert 4 == len(ImageSet.from_zip(file, tmp_path / "here"))


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "C:/evil.png", "..\\evil.png"])
def test_refuses_a_zip_that_leads_out_of_its_folder(tmp_path, name):
    (tmp_path / "in").mkdir()
    file = zip_of(tmp_path / "in" / "x.zip", {"a/1.png": b"x", name: b"evil"})
    with pytest.raises(DataError, match="leads out of the folder"):
        ImageSet.from_zip(file)
    assert {"in", "in/x.zip"} == everything_below(tmp_path)


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png"])
def test_refuses_a_tar_that_leads_out_of_its_folder(tmp_path, name):
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        info = tarfile.TarInfo(name)
        info.size = 4
        file.addfile(info, io.BytesIO(b"evil"))
    with pytest.raises(DataError, match="leads out of the folder"):
        ImageSet.from_zip(tmp_path / "x.tar")
    assert {"x.tar"} == everything_below(tmp_path)


def test_leaves_links_and_devices_out(make_folder, tmp_path):
    root = make_folder({"a": 2, "b": 2})
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        file.add(root, "set")
        for name, kind in (("a/l.png", tarfile.SYMTYPE), ("a/h.png", tarfile.LNKTYPE), ("a/d.png", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(f"set/{name}")
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    with pytest.warns(NbdeployWarning, match="1 device, 2 link"):
        assert 4 == len(ImageSet.from_zip(tmp_path / "x.tar"))


def test_leaves_a_link_in_a_zip_out(make_folder, tmp_path):
    file = packed(make_folder({"a": 2, "b": 2}), "x.zip")
    with zipfile.ZipFile(file, "a") as more:
        info = zipfile.ZipInfo("pictures/a/link.png")
        info.external_attr = 0o120777 << 16
        more.writestr(info, "/etc/passwd")
    with pytest.warns(NbdeployWarning, match="1 link"):
        assert 4 == len(ImageSet.from_zip(file))
    assert not os.path.lexists(tmp_path / "x" / "pictures" / "a" / "link.png")


def test_refuses_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FROM", 10_000)
    file = zip_of(tmp_path / "x.zip", {f"a/{n}.png": b"\0" * 200_000 for n in range(5)})
    with pytest.raises(DataError, match="unpacks to more than"):
        ImageSet.from_zip(file)
    assert {"x.zip"} == everything_below(tmp_path)


def test_refuses_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    file = zip_of(tmp_path / "x.zip", {f"a/{n}.png": b"x" for n in range(4)})
    with pytest.raises(DataError, match="more than 3 files"):
        ImageSet.from_zip(file)


def test_refuses_what_the_disk_cannot_hold(make_folder, tmp_path, monkeypatch):
    file = packed(make_folder({"a": 2, "b": 2}), "x.zip")
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(DataError, match="needs more room"):
        ImageSet.from_zip(file)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_damaged_archive_leaves_nothing(make_folder, tmp_path, name):
    file = packed(make_folder({"a": 20, "b": 20}), name)
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = b"\1" * 2000
    file.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        ImageSet.from_zip(file)
    assert not (tmp_path / "x").exists()
    assert [] == list(tmp_path.glob(".x*"))


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_a_cut_archive_is_refused(make_folder, name):
    file = packed(make_folder({"a": 20, "b": 20}), name)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="is damaged"):
        ImageSet.from_zip(file)


def test_refuses_an_encrypted_zip(tmp_path):
    file = zip_of(tmp_path / "x.zip", {"a/1.png": b"x"})
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        ImageSet.from_zip(file)


def test_refuses_a_name_that_is_file_and_folder(tmp_path):
    file = zip_of(tmp_path / "x.zip", {"a/1.png": b"x", "a/1.png/2.png": b"x"})
    with pytest.raises(DataError, match="both as a file and as a folder"):
        ImageSet.from_zip(file)


@pytest.mark.parametrize(("name", "says"), [("no.zip", "There is no archive"), ("x.rar", "neither a zip nor a tar")])
def test_refuses_what_is_no_archive(tmp_path, name, says):
    (tmp_path / "x.rar").write_bytes(b"Rar!\x1a\x07" + b"\1" * 600)
    with pytest.raises(DataError, match=says):
        ImageSet.from_zip(tmp_path / name)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_place_is_named(make_folder, tmp_path):
    file = packed(make_folder({"a": 2, "b": 2}), "x.zip")
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        ImageSet.from_zip(file, place / "x")


@pytest.mark.skipif(not SIGNS.exists(), reason="the shared sign-digits pictures are not there (../shared/data)")
def test_reads_a_real_archive_of_photos(tmp_path):
    with pytest.warns(NbdeployWarning, match="3 pictures turned only by EXIF"):
        images = ImageSet.from_zip(SIGNS, tmp_path / "signs")
    assert 2062 == len(images)
    assert tuple("0123456789") == images.labels
    assert () == images.set_aside
    assert all(abs(valid / (train + valid) - 0.2) < 0.01 for train, valid in images.counts.values())
