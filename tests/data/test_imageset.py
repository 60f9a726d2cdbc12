from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys

import pytest

from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, NbdeployWarning


def sides(images: ImageSet) -> dict[str, str]:
    return {f"{file.label}/{file.path.name}": file.split for file in images}


def test_reads_labels_hashes_sizes_and_sources(make_folder):
    root = make_folder({"dog": 5, "cat": 5})
    images = ImageSet.from_folder(root)
    assert 10 == len(images)
    assert ("cat", "dog") == images.labels
    assert {"cat": (4, 1), "dog": (4, 1)} == images.counts
    first = next(iter(images))
    assert (root / "cat" / "000.png").absolute() == first.path
    assert (12, 10) == first.size
    assert 64 == len(first.sha256)
    assert first.sha256 == first.group
    assert str(root) == first.source
    assert set(images) == set(images.train) | set(images.valid)


def test_is_immutable(make_folder):
    images = ImageSet.from_folder(make_folder({"a": 2, "b": 2}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        images.files = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        images.files[0].label = "c"


def test_takes_a_relative_path(make_folder, monkeypatch):
    root = make_folder({"a": 2, "b": 2})
    monkeypatch.chdir(root.parent)
    assert all(file.path.is_absolute() for file in ImageSet.from_folder(root.name))


def test_splits_the_same_wherever_the_folder_lies(make_folder, tmp_path):
    root = make_folder({"a": 20, "b": 20})
    moved = shutil.copytree(root, tmp_path / "elsewhere" / "deeper")
    assert sides(ImageSet.from_folder(root)) == sides(ImageSet.from_folder(moved))
    assert ImageSet.from_folder(root).fingerprint == ImageSet.from_folder(moved).fingerprint


def test_splits_otherwise_with_another_seed(make_folder):
    root = make_folder({"a": 30, "b": 30})
    assert sides(ImageSet.from_folder(root, seed=1)) != sides(ImageSet.from_folder(root, seed=2))


def test_fingerprint_changes_with_a_label(make_folder):
    root = make_folder({"a": 3, "b": 3})
    before = ImageSet.from_folder(root).fingerprint
    (root / "a").rename(root / "c")
    assert before != ImageSet.from_folder(root).fingerprint


def test_holds_identical_files_on_one_side(make_folder):
    root = make_folder({"a": 10, "b": 10})
    for file in list(root.glob("*/*.png")):
        shutil.copy(file, file.with_name(f"copy-{file.name}"))
    images = ImageSet.from_folder(root)
    assert set() == {file.sha256 for file in images.train} & {file.sha256 for file in images.valid}
    assert {"a": (16, 4), "b": (16, 4)} == images.counts


def test_looks_through_deeper_folders(tmp_path, picture):
    for seed in range(4):
        picture(tmp_path / "r" / "cat" / f"day{seed}" / "x" / "1.png", seed)
        picture(tmp_path / "r" / "dog" / f"day{seed}" / "1.png", 10 + seed)
    assert {"cat": (3, 1), "dog": (3, 1)} == ImageSet.from_folder(tmp_path / "r").counts


@pytest.mark.parametrize("held", ["valid", "Val", "VALIDATION", "test"])
def test_takes_the_split_from_train_and_valid_folders(make_folder, tmp_path, held, picture):
    root = tmp_path / "r"
    make_folder({"a": 3, "b": 3}, root / "Train")
    make_folder({"a": 1, "b": 1, "c": 0}, root / held)
    shutil.rmtree(root / held)
    for number, label in enumerate("ab"):
        picture(root / held / label / "v.png", 5000 + number)
    images = ImageSet.from_folder(root)
    assert {"a": (3, 1), "b": (3, 1)} == images.counts
    assert {held} == {file.path.parent.parent.name for file in images.valid}
    assert images.seed is None


def test_leaves_out_a_test_folder_beside_a_valid_folder(tmp_path, picture):
    for place, side in enumerate(["train", "valid", "test"]):
        for number, label in enumerate("ab"):
            picture(tmp_path / "r" / side / label / "1.png", 10 * place + number)
    with pytest.warns(NbdeployWarning, match="test beside train and valid left out"):
        images = ImageSet.from_folder(tmp_path / "r")
    assert {"a": (1, 1), "b": (1, 1)} == images.counts


def test_says_when_training_files_are_held_out_as_well(tmp_path, picture):
    for number, label in enumerate("ab"):
        file = picture(tmp_path / "r" / "train" / label / "1.png", number)
        (tmp_path / "r" / "valid" / label).mkdir(parents=True)
        shutil.copy(file, tmp_path / "r" / "valid" / label / "2.png")
    with pytest.warns(NbdeployWarning, match="2 training files held out as well"):
        ImageSet.from_folder(tmp_path / "r")


def test_refuses_a_class_that_is_held_out_and_not_trained(tmp_path, picture):
    for number, place in enumerate(["train/a", "train/b", "valid/a", "valid/zebra"]):
        picture(tmp_path / "r" / place / "1.png", number)
    with pytest.raises(DataError, match="none to train on: zebra"):
        ImageSet.from_folder(tmp_path / "r")


def test_a_class_may_be_called_train(make_folder):
    assert ("test", "train", "tram") == ImageSet.from_folder(make_folder({"train": 2, "tram": 2, "test": 2})).labels


def test_passes_over_hidden_files_junk_and_other_kinds_and_counts_them(make_folder):
    root = make_folder({"a": 2, "b": 2})
    for junk in ("a/.hidden.png", "a/Thumbs.db", ".git/x.png", "__MACOSX/a.png", "a/notes.txt", "b/labels.csv"):
        (root / junk).parent.mkdir(exist_ok=True)
        (root / junk).write_bytes(b"x")
    images = ImageSet.from_folder(root)
    assert 4 == len(images)
    assert {"hidden": 4, "not a picture": 2} == dict(images.skipped)


def test_takes_a_picture_without_an_extension(make_folder):
    root = make_folder({"a": 2, "b": 2})
    (root / "a" / "000.png").rename(root / "a" / "scan")
    (root / "a" / "README").write_text("no picture")
    assert 4 == len(ImageSet.from_folder(root))


def test_takes_only_the_extensions_asked_for(make_folder):
    root = make_folder({"a": 2, "b": 2})
    (root / "a" / "x.jpg").write_bytes(b"not looked at")
    assert 4 == len(ImageSet.from_folder(root, exts=["PNG"]))


def test_a_link_back_to_a_folder_above_ends(make_folder):
    root = make_folder({"a": 2, "b": 2})
    (root / "a" / "loop").symlink_to(root / "a", target_is_directory=True)
    assert 4 == len(ImageSet.from_folder(root))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_never_opens_a_pipe(make_folder):
    root = make_folder({"a": 2, "b": 2})
    os.mkfifo(root / "a" / "pipe.png")
    os.mkfifo(root / "a" / "pipe")
    assert 4 == len(ImageSet.from_folder(root))


@pytest.mark.parametrize("label", ["with space", "🐈 emoji", "x" * 200, "наклейка", "a'b\"<c>&"])
def test_takes_any_label_a_folder_can_have(make_folder, label):
    images = ImageSet.from_folder(make_folder({label: 2, "other": 2}))
    assert label in images.labels
    assert (1, 1) == images.counts[label]
    assert "<c>" not in images._repr_html_()
    assert list(images.to_frame()["label"]) == [file.label for file in images]


@pytest.mark.parametrize(("label", "says"), [("two\nlines", "line break"), ("y" * 1001, "1,001 characters")])
def test_refuses_a_label_that_cannot_be_written(tmp_path, label, says, picture):
    rows = [(picture(tmp_path / f"{n}.png", n).name, [label, "b"][n % 2]) for n in range(4)]
    quoted = "\n".join(f'{name},"{text}"' for name, text in rows)
    (tmp_path / "t.csv").write_text(f"path,label\n{quoted}\n")
    with pytest.raises(DataError, match=says):
        ImageSet.from_csv(tmp_path / "t.csv")


def test_refuses_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        ImageSet.from_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "says"), [("x.zip", "from_zip"), ("x.csv", "from_csv"), ("x.png", "one folder of")])
def test_says_what_to_use_for_a_file(tmp_path, name, says):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=says):
        ImageSet.from_folder(tmp_path / name)


def test_refuses_a_folder_without_pictures(tmp_path):
    (tmp_path / "r" / "a").mkdir(parents=True)
    (tmp_path / "r" / "a" / "x.txt").write_text("x")
    with pytest.raises(DataError, match=r"No pictures .*1 not a picture"):
        ImageSet.from_folder(tmp_path / "r")


def test_says_what_to_do_with_pictures_outside_class_folders(tmp_path, picture):
    picture(tmp_path / "r" / "1.png", 1)
    with pytest.raises(DataError, match="no class folders"):
        ImageSet.from_folder(tmp_path / "r")


def test_warns_of_pictures_beside_the_class_folders(make_folder, picture):
    root = make_folder({"a": 2, "b": 2})
    picture(root / "loose.png", 77)
    with pytest.warns(NbdeployWarning, match="1 picture left out: directly in"):
        images = ImageSet.from_folder(root)
    assert {"without a class folder": 1} == dict(images.skipped)


def test_rejects_a_folder_with_one_class(make_folder):
    with pytest.raises(DataError, match=r'one class only: "a"') as caught:
        ImageSet.from_folder(make_folder({"a": 3, "empty": 0}))
    assert "empty" in caught.value.hint


def test_points_at_the_folder_that_holds_the_classes(make_folder, tmp_path):
    make_folder({"a": 3, "b": 3}, tmp_path / "r" / "Dataset")
    with pytest.raises(DataError) as caught:
        ImageSet.from_folder(tmp_path / "r")
    assert str(tmp_path / "r" / "Dataset") in caught.value.hint


def test_names_an_empty_class_folder(make_folder):
    with pytest.warns(NbdeployWarning, match="1 class without a readable picture left out: void"):
        images = ImageSet.from_folder(make_folder({"a": 2, "b": 2, "void": 0}))
    assert ("a", "b") == images.labels


def test_trains_on_a_class_of_one_file_and_says_so(make_folder):
    with pytest.warns(NbdeployWarning, match="1 class with nothing held out, so never checked: lone"):
        images = ImageSet.from_folder(make_folder({"a": 4, "lone": 1}))
    assert (1, 0) == images.counts["lone"]


def test_refuses_one_file_a_class(make_folder):
    with pytest.raises(DataError, match="Nothing can be held out"):
        ImageSet.from_folder(make_folder({"a": 1, "b": 1, "c": 1}))


def test_names_classes_that_differ_in_case(make_folder):
    with pytest.warns(NbdeployWarning, match='"Cat" and "cat"'):
        images = ImageSet.from_folder(make_folder({"Cat": 2, "cat": 2}))
    assert ("Cat", "cat") == images.labels


def test_names_identical_files_under_different_labels(make_folder):
    root = make_folder({"a": 3, "b": 3})
    shutil.copy(root / "a" / "000.png", root / "b" / "same.png")
    with pytest.warns(NbdeployWarning, match=r"1 picture under more than one label.*a/000.png, b/same.png"):
        images = ImageSet.from_folder(root)
    assert 1 == len({file.split for file in images if file.path.name == "same.png" or file.path.match("a/000.png")})


@pytest.mark.parametrize("valid", [0, 1, -0.1, 1.5])
def test_refuses_a_share_that_cannot_be(make_folder, valid):
    with pytest.raises(DataError, match="valid is"):
        ImageSet.from_folder(make_folder({"a": 2, "b": 2}), valid=valid)


def test_gives_a_table(make_folder):
    frame = ImageSet.from_folder(make_folder({"a": 5, "b": 5})).to_frame()
    assert ["path", "label", "is_valid", "sha256", "group", "source", "width", "height", "notes"] == list(frame.columns)
    assert 2 == frame["is_valid"].sum()


def test_is_short_in_a_terminal_and_rich_in_a_notebook(make_folder):
    root = make_folder({"a<b>": 5, "b": 5, **{f"c{n:02d}": 2 for n in range(12)}})
    (root / "b" / "bad & <ugly>.png").write_bytes(b"")
    with pytest.warns(NbdeployWarning):
        images = ImageSet.from_folder(root)
    assert "34 pictures, 14 classes: 20 train, 14 held out, 1 set aside" in repr(images)
    html = images._repr_html_()
    assert "a&lt;b&gt;" in html
    assert "bad &amp; &lt;ugly&gt;.png" in html
    assert "4 more classes" in html
    assert 3 + 3 + 8 == html.count("data:image/webp")
    assert "var(--jp-" in html
    assert "#" not in re.sub(r"light-dark\(.*?\)", "", html), "every colour has a light and a dark value"


def test_shows_a_set_whose_files_are_gone(make_folder):
    root = make_folder({"a": 2, "b": 2})
    images = ImageSet.from_folder(root)
    shutil.rmtree(root)
    assert "cannot be shown" in images._repr_html_()


def test_warnings_point_at_the_line_of_the_caller(make_folder):
    with pytest.warns(NbdeployWarning) as caught:
        ImageSet.from_folder(make_folder({"a": 4, "lone": 1}))
    assert __file__ == caught[0].filename


def test_the_module_loads_nothing_heavy():
    code = (
        "import sys, nbdeploy.data.imageset, nbdeploy.data.datasets; print(sorted(set(sys.argv[1:]) & {*sys.modules}))"
    )
    heavy = ["torch", "fastai", "IPython", "PIL", "pandas", "sklearn", "numpy"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
