"""Edits make another ImageSet, and export writes it out; what lies on disk stays as it is."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nbdeploy as nd
from nbdeploy.core.finding import Edit
from nbdeploy.data.journal import Journal
from nbdeploy.errors import DataError, NbdeployWarning, OutputError


@pytest.fixture
def folder(make_folder):
    return make_folder({"cat": 6, "dog": 6})


@pytest.fixture
def images(folder):
    return nd.ImageSet.from_folder(folder)


def state(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def test_relabel_exclude_restore_make_a_new_set_and_nothing_on_disk_changes(images, folder):
    before = state(folder)
    cat, dog = folder / "cat" / "000.png", folder / "dog" / "001.png"
    edited = images.apply([Edit(cat, "relabel", "dog"), Edit(dog, "exclude", why="blurred")])
    assert 12 == len(images)
    assert 11 == len(edited)
    assert "dog" == next(file.label for file in edited if file.path == cat)
    assert "excluded by decision: blurred" == next(one.reason for one in edited.set_aside if one.path == dog)
    assert {file.path: file.split for file in images} | {file.path: file.split for file in edited} == {
        file.path: file.split for file in images
    }
    back = edited.apply([Edit(dog, "restore"), Edit(cat, "relabel", "cat")])
    assert images.files == back.files
    assert before == state(folder)


def test_decisions_follow_the_bytes_when_files_are_renamed(images, folder):
    cat = folder / "cat" / "000.png"
    Journal.beside(images).record([Edit(cat, "relabel", "dog")])
    cat.rename(folder / "cat" / "renamed.png")
    again = nd.ImageSet.from_folder(folder)
    labels = {file.path.name: file.label for file in again.apply(Journal(folder)) if file.path.parent.name == "cat"}
    assert "dog" == labels["renamed.png"]


def test_merging_copies_leaves_the_one_that_is_kept(folder):
    shutil.copy(folder / "cat" / "000.png", folder / "cat" / "copy.png")
    shutil.copy(folder / "cat" / "000.png", folder / "cat" / "again.png")
    images = nd.ImageSet.from_folder(folder)
    edits = nd.audit(images).of("exact_duplicate").edits()
    assert ["merge", "merge"] == [edit.operation for edit in edits]
    left = {file.path.name for file in images.apply(edits)}
    assert 12 == len(images.apply(edits))
    assert Path(edits[0].after).name in left
    assert 12 == len(nd.ImageSet.from_folder(folder).apply([*edits, *edits]))


def test_two_that_were_merged_into_one_another_are_not_both_gone(images, folder):
    one, other = folder / "cat" / "000.png", folder / "cat" / "001.png"
    edited = images.apply([Edit(one, "merge", str(other)), Edit(other, "merge", str(one))])
    assert 11 == len(edited)


def test_an_edit_about_an_unknown_file_or_an_odd_turn_is_said(images, folder):
    with pytest.raises(DataError, match="not in the set"):
        images.apply([Edit(folder / "gone.png", "exclude")])
    with pytest.raises(DataError, match='by "45"'):
        images.apply([Edit(images.files[0].path, "rotate", "45")])


def test_export_writes_a_copy_that_reads_back_with_its_labels_and_sides(images, folder, tmp_path):
    before = state(folder)
    edited = images.apply([Edit(next(f.path for f in images.train if f.label == "cat"), "relabel", "dog")])
    out = edited.export(tmp_path / "out")
    again = nd.ImageSet.from_folder(out)
    assert sorted((f.sha256, f.label, f.split) for f in edited) == sorted((f.sha256, f.label, f.split) for f in again)
    assert before == state(folder)
    with pytest.raises(OutputError, match="exists already"):
        edited.export(tmp_path / "out")


def test_a_manifest_reads_back_too(images, tmp_path):
    table = images.export(tmp_path / "clean.csv", manifest=True)
    again = nd.ImageSet.from_csv(table, split_column="split")
    assert {f.path: (f.label, f.split) for f in images} == {f.path: (f.label, f.split) for f in again}
    with pytest.raises(OutputError, match="exists already"):
        images.export(table, manifest=True)


def test_turned_pictures_are_written_turned(images, folder, tmp_path):
    path = folder / "cat" / "000.png"
    with Image.open(path) as opened:
        pixels = np.asarray(opened)
    edited = images.apply([Edit(path, "rotate", "90")])
    (turned,) = edited.export(tmp_path / "out").rglob("*/cat/000.png")
    with Image.open(turned) as opened:
        assert np.array_equal(np.rot90(pixels, -1), np.asarray(opened))


@pytest.mark.parametrize("kind", ["png", "tif", "webp"])
def test_degrees_are_counted_from_what_a_viewer_shows_and_nothing_is_lost(folder, tmp_path, kind):
    path = folder / "cat" / f"lying.{kind}"
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = Image.effect_noise((20, 12), 90).convert("RGB")
    noise.save(path, exif=exif, icc_profile=b"profile", **({"lossless": True} if kind == "webp" else {}))
    with pytest.warns(NbdeployWarning, match="turned only by EXIF"):
        images = nd.ImageSet.from_folder(folder)
    out = images.apply([Edit(path, "rotate", "90")]).export(tmp_path / "out")
    with Image.open(next(out.rglob(path.name))) as turned:
        assert np.array_equal(np.rot90(np.asarray(noise), -2), np.asarray(turned.convert("RGB")))
        assert 0x0112 not in turned.getexif()
        assert b"profile" == turned.info["icc_profile"]


def test_sixteen_bits_stay_sixteen_in_a_copy_also_when_turned(folder, tmp_path):
    values = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    plain, turned = folder / "cat" / "plain.png", folder / "cat" / "turned.png"
    Image.fromarray(values).save(plain)
    Image.fromarray(values + 1).save(turned)
    with pytest.warns(NbdeployWarning, match="with 16 bits"):
        images = nd.ImageSet.from_folder(folder)
    out = images.apply([Edit(turned, "rotate", "270")]).export(tmp_path / "out")
    assert plain.read_bytes() == next(out.rglob("plain.png")).read_bytes()
    with Image.open(next(out.rglob("turned.png"))) as opened:
        assert np.array_equal(np.rot90(values + 1), np.asarray(opened))


def test_a_manifest_keeps_the_turns_and_a_table_of_ones_own_may_have_such_columns(images, folder, tmp_path):
    path = folder / "cat" / "000.png"
    edited = images.apply([Edit(path, "rotate", "90"), Edit(path, "rotate", "exif")])
    table = edited.export(tmp_path / "clean.csv", manifest=True)
    again = nd.ImageSet.from_csv(table, split_column="split")
    assert {(f.path, f.turn, f.by_exif) for f in edited} == {(f.path, f.turn, f.by_exif) for f in again}
    assert (90, True) == next((f.turn, f.by_exif) for f in again if f.path == path)
    assert again.files == again.apply([Edit(images.files[-1].path, "relabel", again.files[-1].label)]).files
    text = table.read_text()
    table.write_text(text.replace("sha256", "mine").replace(",90,", ",left,"))
    assert {0} == {f.turn for f in nd.ImageSet.from_csv(table, split_column="split")}
    table.write_text(text.replace(",90,", ",left,"))
    with pytest.raises(DataError, match='turns its picture by "left"'):
        nd.ImageSet.from_csv(table, split_column="split")


def test_nothing_of_the_users_is_changed_by_anything(folder, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), (200, 0, 0)).save(folder / "cat" / "turned.jpg", exif=exif)
    (folder / "dog" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.warns(NbdeployWarning):
        images = nd.ImageSet.from_folder(folder)
    journal = Journal.beside(images)
    journal.record([Edit(images.train[0].path, "rotate", "90"), Edit(images.train[1].path, "exclude")])
    before = state(folder)
    findings = nd.audit(images)
    edited = images.apply([*journal, *findings.edits()])
    edited.export(tmp_path / "copy")
    edited.export(tmp_path / "table.csv", manifest=True)
    learn = nd.train(edited, arch="test_resnet.r160_in1k", epochs=1, pretrained=False, size=32)
    nd.export(learn)
    assert before == state(folder)


def test_a_picture_turned_by_exif_is_mended_as_the_audit_suggests(folder, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), (200, 0, 0)).save(folder / "cat" / "turned.jpg", exif=exif)
    with pytest.warns(NbdeployWarning, match="turned only by EXIF"):
        images = nd.ImageSet.from_folder(folder)
    out = images.apply(nd.audit(images).of("exif_rotated").edits()).export(tmp_path / "out")
    with Image.open(next(out.rglob("turned.jpg"))) as mended:
        assert (20, 40) == mended.size
        assert 0x0112 not in mended.getexif()


@pytest.mark.parametrize("label", ["../out", "a/b", "con", ".hidden", "x:"])
def test_a_label_never_leads_out_of_the_copy(images, tmp_path, label):
    edited = images.apply([Edit(images.files[0].path, "relabel", label)])
    with pytest.raises(DataError, match="cannot be the name of a folder"):
        edited.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()
