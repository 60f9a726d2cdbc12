from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.items import Item, Source
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, NbdeployWarning, OutputError
from tests.data.collect.conftest import encoded, scene


def files(collection: Collection) -> list[str]:
    found = (path.relative_to(collection.folder) for path in collection.folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))


def kinds(item: Item) -> list[str]:
    return [badge.kind for badge in item.badges]


def take(collection: Collection, data: bytes, label: str = "cat", **settings) -> Item:
    settings.setdefault("source", Source("file", "a"))
    return collection.take(data, label, **settings)


def test_a_picture_is_stored_under_its_class_and_noted(collection, png):
    item = take(collection, png(1), source=Source("file", "holiday/My cat.png"))
    assert "kept" == item.status
    assert "cat/My-cat.png" == item.file
    assert png(1) == (collection.folder / item.file).read_bytes()
    assert [] == kinds(item)
    (line,) = (collection.folder / "collected.jsonl").read_text().splitlines()
    noted = json.loads(line)
    assert ["add", "kept", "cat/My-cat.png", "cat", item.sha256] == [
        noted[key] for key in ("op", "status", "file", "label", "sha256")
    ]
    assert {"kind": "file", "name": "holiday/My cat.png", "detail": ""} == noted["source"]
    assert [96, 96] == noted["size"]


def test_nothing_that_is_there_is_written_over(collection, png):
    (collection.folder / "cat").mkdir()
    (collection.folder / "cat" / "a.png").write_bytes(b"mine")
    assert "cat/a-2.png" == take(collection, png(1)).file
    assert "cat/a-3.png" == take(collection, png(2)).file
    assert b"mine" == (collection.folder / "cat" / "a.png").read_bytes()


def test_copies_are_named_and_not_stored_twice(collection, png):
    first = take(collection, png(1))
    again = take(collection, png(1), source=Source("file", "b.png"))
    other = take(collection, png(1), "dog")
    assert ["copy", "copy"] == [again.status, other.status]
    assert [first.file, first.file] == [again.file, other.file]
    assert "the same bytes as cat/a.png, so not stored again" == again.said
    assert 'the same bytes as cat/a.png: it stays in "cat" only' == other.said
    assert [first.file, "collected.jsonl"] == files(collection)


def test_a_copy_of_what_was_there_before_is_noticed(tmp_path, png):
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "old.png").write_bytes(png(1))
    assert "copy" == take(Collection(tmp_path), png(1)).status


def test_a_near_copy_of_what_was_there_before_is_noticed(tmp_path, png):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "old.png").write_bytes(png(1))
    opened = Collection(tmp_path)
    opened.look()
    item = take(opened, encoded(scene(1), "JPEG", quality=80))
    assert ["near_duplicate"] == kinds(item)
    assert "nearly the same picture as cat/old.png" in item.said


def test_a_near_copy_joins_the_group_of_its_like(collection, png):
    first = take(collection, png(1))
    second = take(collection, encoded(scene(1), "JPEG", quality=80))
    mirrored = take(collection, encoded(scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    assert [first.group, first.group] == [second.group, mirrored.group]
    assert ["near_duplicate"] == kinds(mirrored)


BAD = {
    "not_an_image": (b"<!DOCTYPE html><p>no", "a web page, not a picture"),
    "empty_file": (b"", "empty file (0 bytes)"),
    "truncated": (encoded(scene(1), "JPEG")[:-900], "cut short"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_used_is_listed_with_the_reason_and_not_stored(collection, kind):
    data, says = BAD[kind]
    item = take(collection, data)
    assert ("refused", [kind]) == (item.status, kinds(item))
    assert says in item.said
    assert ["collected.jsonl"] == files(collection)
    assert [item] == list(Collection(collection.folder).items)


def test_a_bomb_is_refused(collection, monkeypatch):
    monkeypatch.setattr("nbdeploy.data.scan.MAX_PIXELS", 5000)
    assert ["image_bomb"] == kinds(take(collection, encoded(scene(1))))


def _noisy(seed: int, image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, 1, np.asarray(image).shape)
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("fellows", [0, 30])
@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("blank", lambda: Image.new("RGB", (96, 96), "teal")),
        ("dark", lambda: scene(7).point(lambda value: value // 6)),
        ("overexposed", lambda: scene(7).point(lambda value: min(255, value * 4 + 120))),
        ("blurred", lambda: scene(7).filter(ImageFilter.GaussianBlur(6))),
    ],
)
def test_a_poor_picture_gets_a_badge_and_is_kept(collection, png, kind, make, fellows):
    for number in range(fellows):
        take(collection, png(100 + number))
    item = take(collection, encoded(make()))
    assert "kept" == item.status
    assert kind in kinds(item)


def test_good_pictures_get_no_badges(collection, png):
    assert [] == [kind for number in range(40) for kind in kinds(take(collection, png(number)))]


def test_a_tiny_picture_gets_a_badge(collection):
    assert ["odd_size"] == kinds(take(collection, encoded(scene(1).resize((5, 5)))))


def test_a_wrong_extension_is_put_right_and_said(collection):
    item = take(collection, encoded(scene(1), "JPEG", quality=95), source=Source("file", "photo.png"))
    assert "cat/photo.jpg" == item.file
    assert ["wrong_extension"] == kinds(item)


def test_formats_that_training_sees_otherwise_are_notes(collection):
    several = [scene(number) for number in range(3)]
    film = encoded(several[0], "GIF", save_all=True, append_images=several[1:])
    turned = Image.Exif()
    turned[0x0112] = 6
    assert "animated" in kinds(take(collection, film))
    assert ["exif_rotated"] == kinds(take(collection, encoded(scene(9), "JPEG", quality=95, exif=turned)))
    assert {"note"} == {badge.weight for item in collection.items for badge in item.badges}


@pytest.mark.parametrize("label", ["", "  ", "../up", "a/b", "a\\b", ".hidden", "a\nb", "x" * 300])
def test_a_class_that_cannot_be_a_folder_is_an_error(collection, png, label):
    with pytest.raises(DataError):
        take(collection, png(1), label)
    with pytest.raises(DataError):
        collection.add_class(label)
    assert [] == files(collection)


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/passwd", "..", "a\0b.png", "C:\\x\\y.png", "😀.png"])
def test_a_name_of_a_stranger_stays_inside_the_class(collection, png, name):
    item = take(collection, png(1), source=Source("file", name))
    assert (collection.folder / item.file).resolve().parent == (collection.folder / "cat").resolve()


def test_undo_takes_back_what_was_added_together_and_redo_puts_it_back(collection, png):
    take(collection, png(1))
    for number in (2, 3):
        take(collection, png(number), batch="drop")
    assert 2 == len(collection.undo())
    assert ["cat/a.png", "collected.jsonl"] == files(collection)
    assert 1 == len(collection.items)
    assert 2 == len(collection.redo())
    assert png(3) == (collection.folder / "cat" / "a-3.png").read_bytes()
    assert () == collection.redo()
    assert "copy" == take(collection, png(3)).status


def test_what_was_taken_back_is_kept_aside_and_may_come_again(collection, png):
    take(collection, png(1))
    collection.undo()
    assert 1 == len(list((collection.folder / ".nbdeploy-removed").iterdir()))
    assert "kept" == take(collection, png(1)).status


def test_undo_leaves_what_a_person_changed_since(collection, png):
    item = take(collection, png(1))
    (collection.folder / item.file).write_bytes(b"mine now")
    assert () == collection.undo()
    assert b"mine now" == (collection.folder / item.file).read_bytes()


def test_undo_never_touches_what_was_there_before(tmp_path, png):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "old.png").write_bytes(png(1))
    assert () == Collection(tmp_path).undo()


def test_it_goes_on_where_it_was_after_a_restart(collection, png):
    take(collection, png(1), source=Source("url", "https://example.org/1.png"), batch="x")
    again = Collection(collection.folder)
    assert collection.items == again.items
    assert collection.counts == again.counts
    assert 1 == len(again.undo())


def test_a_torn_line_is_passed_over_with_a_warning(collection, png):
    take(collection, png(1))
    take(collection, png(2))
    journal = collection.folder / "collected.jsonl"
    for cut in random.Random(0).sample(range(1, 200), 5):
        whole = journal.read_bytes()
        journal.write_bytes(whole[:-cut])
        with pytest.warns(NbdeployWarning, match="torn"):
            left = Collection(collection.folder)
        assert 1 == len(left.items)
        assert 2 == len(left)
        take(left, png(3))
        with pytest.warns(NbdeployWarning, match="torn"):
            left.refresh()
        journal.write_bytes(whole)
        for path in (collection.folder / "cat").glob("*-3.png"):
            path.unlink()


def test_a_killed_process_leaves_nothing_half_written(tmp_path, root):
    code = """
import os, sys
from pathlib import Path
from nbdeploy.data.collect import place
from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.items import Source
from tests.data.collect.conftest import encoded, scene
put = place.put
import nbdeploy.data.collect.collection as module
def killed(*args):
    os.kill(os.getpid(), 9)
collection = Collection(sys.argv[1])
collection.take(encoded(scene(1)), "cat", source=Source("file", "a.png"))
module.put = killed
collection.take(encoded(scene(2)), "cat", source=Source("file", "b.png"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    assert -9 == done.returncode
    assert ["a.png"] == [path.name for path in (tmp_path / "cat").iterdir()]
    assert 1 == len(list((tmp_path / ".nbdeploy-collecting").iterdir()))
    assert 1 == len(Collection(tmp_path).items)
    assert not (tmp_path / ".nbdeploy-collecting").exists()


def test_a_class_is_renamed_only_when_all_of_it_was_collected(collection, png):
    take(collection, png(1))
    assert "kitten" == collection.rename_class("cat", "kitten")
    assert ["kitten/a.png"] == [item.file for item in collection.items]
    assert ("kitten",) == collection.classes
    assert png(1) == (collection.folder / "kitten" / "a.png").read_bytes()
    (collection.folder / "kitten" / "mine.png").write_bytes(png(2))
    collection.refresh()
    with pytest.raises(DataError, match="were there before|was there before|that were there"):
        collection.rename_class("kitten", "cat")
    with pytest.raises(DataError, match="no class"):
        collection.rename_class("dog", "cat")


def test_a_folder_whose_sides_are_folders_is_refused(tmp_path, make_split):
    with pytest.raises(DataError, match="split in folders"):
        Collection(make_split(tmp_path))


@pytest.fixture
def make_split(png):
    def make(root: Path) -> Path:
        for number, place in enumerate(("train/cat", "train/dog", "valid/cat", "valid/dog")):
            (root / place).mkdir(parents=True)
            (root / place / "1.png").write_bytes(png(number))
        return root

    return make


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(DataError, match="is a file"):
        Collection(tmp_path / "x")
    with pytest.raises(OutputError):
        Collection(tmp_path / "x" / "y")


def record(collection: Collection, label: str, session: str, seeds: range) -> None:
    for seed in seeds:
        take(collection, encoded(scene(seed)), label, source=Source("webcam"), session=session, batch=session)


def test_a_capture_session_stays_on_one_side(collection):
    for place, label in enumerate(("cat", "dog")):
        for session in range(5):
            first = 1000 * place + 100 * session
            record(collection, label, f"{label}-{session}", range(first, first + 4))
    images = ImageSet.from_folder(collection.folder)
    sides = {file.group: set() for file in images}
    for file in images:
        sides[file.group].add(file.split)
    assert 10 == len(sides)
    assert all(len(side) == 1 for side in sides.values())
    assert {"cat": (16, 4), "dog": (16, 4)} == images.counts
    assert {"webcam"} == {file.source for file in images}
    assert images.counts == {label: (one.train, one.held) for label, one in collection.counts.items()}
    assert [5, 5] == [one.sessions for one in collection.counts.values()]


def test_a_class_captured_once_is_on_both_sides_and_is_named(collection):
    record(collection, "cat", "one", range(10))
    for number in range(5):
        record(collection, "dog", f"dog-{number}", range(100 + 10 * number, 104 + 10 * number))
    with pytest.warns(NbdeployWarning, match='one session only.*"cat"'):
        images = ImageSet.from_folder(collection.folder)
    assert {"cat": (8, 2), "dog": (16, 4)} == images.counts
    assert [True, False] == [one.alone for one in collection.counts.values()]
    assert images.counts == {label: (one.train, one.held) for label, one in collection.counts.items()}


def test_two_visits_of_a_phone_over_all_classes_hold_one_out(collection):
    for visit in range(2):
        for place, label in enumerate(("cat", "dog")):
            for seed in range(4):
                data = encoded(scene(1000 * visit + 100 * place + seed))
                take(collection, data, label, source=Source("phone"), session=f"visit-{visit}")
    assert {"cat": (4, 4), "dog": (4, 4)} == collection.images.counts


def test_sessions_hold_after_a_file_was_renamed(collection):
    record(collection, "cat", "one", range(3))
    record(collection, "cat", "two", range(10, 13))
    record(collection, "dog", "three", range(20, 23))
    record(collection, "dog", "four", range(30, 33))
    first = collection.items[0]
    (collection.folder / first.file).rename(collection.folder / "cat" / "other.png")
    groups = {file.path.name: file.group for file in ImageSet.from_folder(collection.folder)}
    assert "one" == groups["other.png"]


def test_dropped_files_are_groups_of_their_own(collection, png):
    for label in ("cat", "dog"):
        for seed in range(10):
            take(collection, png(seed + 100 * (label == "dog")), label, batch="drop", session="drop")
    assert {"cat": (8, 2), "dog": (8, 2)} == collection.images.counts
