from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbdeploy.data.datasets import dataset, dataset_cards
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, OutputError, UnknownName


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return dataset("digits", tmp_path_factory.mktemp("digits") / "out")


def fake_fastai(monkeypatch, answer):
    """Put a stand-in for fastai's downloader in place; `answer` takes the address and gives the tree."""
    module = types.ModuleType("fastai.data.external")
    module.URLs = types.SimpleNamespace(**{card.url: card.url for card in dataset_cards().values() if card.url})
    module.untar_data = answer
    monkeypatch.setitem(sys.modules, "fastai.data.external", module)
    for parent in ("fastai", "fastai.data"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))


def test_every_card_is_complete():
    cards = dataset_cards()
    assert "digits" == next(iter(cards))
    assert {"digits", "pets", "flowers", "imagenette", "mnist_sample", "cifar10"} <= set(cards)
    for card in cards.values():
        assert all([card.title, card.what, card.licence, card.folder, card.files, card.bytes])
        assert card.source.startswith("https://")
        assert card.checksum.startswith("sha256:" if card.offline else "md5-1MiB:")
    assert ["digits"] == [card.name for card in cards.values() if card.offline]


def test_the_cards_name_addresses_and_checksums_of_fastai():
    external = pytest.importorskip("fastai.data.external")
    checks = (Path(external.__file__).parent / "download_checks.py").read_text()
    for card in dataset_cards().values():
        if not card.offline:
            assert getattr(external.URLs, card.url) in checks
            assert card.checksum.removeprefix("md5-1MiB:") in checks
            assert str(card.bytes) in checks


def test_digits_are_1797_pictures_in_ten_folders(digits):
    images = ImageSet.from_folder(digits)
    assert 1797 == len(images)
    assert tuple("0123456789") == images.labels
    assert {(32, 32)} == {file.size for file in images}
    assert () == images.set_aside
    assert () == images.skipped


def test_digits_show_what_was_scanned(digits):
    from sklearn.datasets import load_digits

    truth = load_digits()
    for number in (0, 17, 1796):
        with Image.open(digits / str(truth.target[number]) / f"{number:04d}.png") as opened:
            small = np.asarray(opened.resize((8, 8), Image.Resampling.BOX), dtype=float) * 16 / 255
        assert np.abs(small - truth.images[number]).mean() < 1.5


def test_a_second_call_writes_nothing(digits):
    before = {path: path.stat().st_mtime_ns for path in digits.rglob("*")}
    assert digits == dataset("digits", digits)
    assert before == {path: path.stat().st_mtime_ns for path in digits.rglob("*")}


def test_overwrite_makes_it_again(tmp_path):
    out = dataset("digits", tmp_path / "d")
    (out / "0" / "0000.png").write_bytes(b"broken")
    dataset("digits", out, overwrite=True)
    assert (out / "0" / "0000.png").read_bytes().startswith(b"\x89PNG")


def test_the_default_place_is_data(tmp_path, monkeypatch, picture):
    fake_fastai(monkeypatch, lambda _: make_pets(tmp_path / "tree", picture))
    monkeypatch.chdir(tmp_path)
    assert tmp_path / "data" / "pets" == dataset("pets")


@pytest.mark.parametrize("overwrite", [False, True])
def test_never_replaces_a_folder_it_did_not_make(tmp_path, overwrite):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="not a data set that nbdeploy made"):
        dataset("digits", tmp_path, overwrite=overwrite)
    assert ["mine.txt"] == [path.name for path in tmp_path.iterdir()]


def test_never_replaces_another_data_set(tmp_path, monkeypatch, picture):
    fake_fastai(monkeypatch, lambda _: make_pets(tmp_path / "tree", picture))
    out = dataset("pets", tmp_path / "out")
    with pytest.raises(OutputError, match="holds the data set pets"):
        dataset("digits", out, overwrite=True)


def test_nothing_is_left_of_a_data_set_that_failed(tmp_path, monkeypatch):
    import nbdeploy.data.datasets as module

    def stop(_, folder):
        (folder / "0").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setitem(module._LOADERS, "digits", stop)
    with pytest.raises(KeyboardInterrupt):
        dataset("digits", tmp_path / "d")
    assert [] == list(tmp_path.iterdir())


def test_refuses_digits_that_are_not_those_of_the_card(tmp_path, monkeypatch):
    import sklearn.datasets

    truth = sklearn.datasets.load_digits()
    truth.images[0, 0, 0] += 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: truth)
    with pytest.raises(DataError, match="not those of the card"):
        dataset("digits", tmp_path / "d")
    assert [] == list(tmp_path.iterdir())


def test_suggests_a_near_name(tmp_path):
    with pytest.raises(UnknownName) as caught:
        dataset("digit", tmp_path / "d")
    assert 'Did you mean "digits"?' in caught.value.hint


@pytest.mark.parametrize("error", [OSError("Name or service not known"), TimeoutError(), Exception("corrupt")])
def test_says_in_one_line_that_it_needs_internet(tmp_path, monkeypatch, error):
    def fail(_):
        raise error

    fake_fastai(monkeypatch, fail)
    with pytest.raises(DataError) as caught:
        dataset("pets", tmp_path / "d")
    assert "pets could not be fetched" in caught.value.message
    assert "needs internet, for 812 MB" in caught.value.hint
    assert "digits works offline" in caught.value.hint
    assert error is caught.value.__cause__
    assert [] == list(tmp_path.iterdir())


def make_pets(tree, picture):
    for seed, name in enumerate(
        ["Abyssinian_1.jpg", "Abyssinian_2.jpg", "great_pyrenees_10.jpg", "great_pyrenees_7.jpg"]
    ):
        picture(tree / "images" / name, seed)
    (tree / "images" / "Abyssinian_1.mat").write_bytes(b"x")
    (tree / "annotations").mkdir()
    return tree


def make_flowers(tree, picture):
    lines = {"train.txt": [(1, 0), (2, 101)], "valid.txt": [(3, 0)], "test.txt": [(4, 101)]}
    for name, pairs in lines.items():
        for number, _ in pairs:
            picture(tree / "jpg" / f"image_{number:05d}.jpg", number)
        (tree / name).write_text("".join(f"jpg/image_{number:05d}.jpg {label}\n" for number, label in pairs))
    return tree


def make_sides(first, second, *labels):
    def make(tree, picture):
        for place, side in enumerate((first, second)):
            for number, label in enumerate(labels):
                picture(tree / side / label / "x.png", 10 * place + number)
        (tree / "labels.csv").write_text("name,label\n")
        return tree

    return make


TREES = {
    "pets": (make_pets, {"Abyssinian": (1, 1), "great_pyrenees": (1, 1)}),
    "flowers": (make_flowers, {"blackberry lily": (1, 1), "pink primrose": (1, 1)}),
    "imagenette": (make_sides("train", "val", "n01440764", "n03888257"), {"parachute": (1, 1), "tench": (1, 1)}),
    "imagenette_160": (make_sides("train", "val", "n01440764", "n03028079"), {"church": (1, 1), "tench": (1, 1)}),
    "mnist_sample": (make_sides("train", "valid", "3", "7"), {"3": (1, 1), "7": (1, 1)}),
    "mnist": (make_sides("training", "testing", "0", "1"), {"0": (1, 1), "1": (1, 1)}),
    "cifar10": (make_sides("train", "test", "cat", "ship"), {"cat": (1, 1), "ship": (1, 1)}),
}


def test_every_fetched_card_has_a_tree_to_be_tried_on():
    assert set(TREES) == {card.name for card in dataset_cards().values() if not card.offline}


@pytest.mark.parametrize("name", TREES)
def test_arranges_a_fetched_tree_by_class(tmp_path, monkeypatch, name, picture):
    make, counts = TREES[name]
    tree = make(tmp_path / "tree", picture)
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    fake_fastai(monkeypatch, lambda url: tree if url == dataset_cards()[name].url else None)
    out = dataset(name, tmp_path / "out")
    assert counts == ImageSet.from_folder(out).counts
    assert before == {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert 4 == json.loads((out / ".nbdeploy-dataset.json").read_text())["files"]


@pytest.mark.parametrize("name", TREES)
def test_says_when_a_fetched_tree_is_laid_out_otherwise(tmp_path, monkeypatch, name):
    (tmp_path / "tree").mkdir()
    fake_fastai(monkeypatch, lambda _: tmp_path / "tree")
    with pytest.raises(DataError, match="The fetched data set"):
        dataset(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("line", ["../../secret.jpg 0", "jpg/x.jpg 102", "jpg/x.jpg rose"])
def test_refuses_a_list_with_strange_lines(tmp_path, monkeypatch, line, picture):
    tree = make_flowers(tmp_path / "tree", picture)
    (tree / "test.txt").write_text(line + "\n")
    fake_fastai(monkeypatch, lambda _: tree)
    with pytest.raises(DataError, match="not a picture of this data set"):
        dataset("flowers", tmp_path / "out")
