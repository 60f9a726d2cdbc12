from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.intake import plan
from nbdeploy.errors import DataError, NbdeployWarning
from tests.data.collect.conftest import scene


@pytest.fixture
def write():
    """write(path, seed) writes a picture, 96 x 96."""

    def make(path: Path, seed: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(seed).save(path)
        return path

    return make


def by_label(collection: Collection) -> dict[str, int]:
    return {label: one.train + one.held for label, one in collection.counts.items()}


def test_class_folders_give_the_labels(collection, write, tmp_path):
    for number, name in enumerate(("cat/1.png", "cat/deep/2.png", "dog/3.png")):
        write(tmp_path / "in" / name, number)
    items = collection.add(tmp_path / "in")
    assert {"cat": 2, "dog": 1} == by_label(collection)
    assert ["cat/1.png", "cat/deep/2.png", "dog/3.png"] == [item.source.name for item in items]
    assert 3 == len(collection.undo())


def test_the_files_given_are_copied_and_stay(collection, write, tmp_path):
    path = write(tmp_path / "a.png", 1)
    collection.add([path], "cat")
    assert path.is_file()


def test_a_loose_picture_needs_a_class(collection, write, tmp_path):
    write(tmp_path / "in" / "1.png", 1)
    with pytest.raises(DataError, match="has no class"):
        collection.add(tmp_path / "in")
    assert 1 == len(collection.add(tmp_path / "in", "cat"))


def test_train_and_valid_folders_are_read_through(collection, write, tmp_path):
    for number, name in enumerate(("train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "val/dog/4.png")):
        write(tmp_path / "yolo" / name, number)
    collection.add(tmp_path / "yolo")
    assert {"cat": 2, "dog": 2} == by_label(collection)


def test_a_zip_is_looked_into_and_leaves_nothing_behind(collection, write, tmp_path):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as packed:
        for number, name in enumerate(("pets/cat/1.png", "pets/dog/2.png")):
            packed.write(write(tmp_path / "x.png", number), name)
        packed.writestr("pets/cat/notes.txt", "hello")
    with pytest.warns(NbdeployWarning, match="Passed over in pets: 1 not a picture"):
        collection.add(tmp_path / "pets.zip")
    assert {"cat": 1, "dog": 1} == by_label(collection)
    assert [] == list(collection.folder.glob(".nbdeploy-collecting/*"))


def test_a_zip_that_leads_out_of_its_folder_is_refused(collection, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.writestr("../../evil.png", "x")
    with pytest.raises(DataError, match="leads out"):
        collection.add(tmp_path / "evil.zip")


def test_what_is_not_there_is_an_error(collection, tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        collection.add(tmp_path / "gone.png", "cat")


def coco(root: Path, write, *, names=("1.png", "2.png")) -> Path:
    for number, name in enumerate(names):
        write(root / "images" / name, number)
    (root / "annotations").mkdir(parents=True)
    boxes = [(1, 1, [0, 0, 40, 40]), (1, 2, [50, 50, 40, 40]), (1, 1, [60, 0, 20, 20]), (2, 2, [10, 20, 30, 40])]
    raw = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names, 1)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": number, "image_id": image, "category_id": kind, "bbox": box, "iscrowd": 0}
            for number, (image, kind, box) in enumerate(boxes, 1)
        ],
    }
    (root / "annotations" / "instances_train.json").write_text(json.dumps(raw))
    return root


def test_coco_gives_each_picture_the_class_of_most_boxes(collection, write, tmp_path):
    with pytest.warns(NbdeployWarning, match="1 picture with boxes of several classes"):
        items = collection.add(coco(tmp_path / "set", write))
    assert {"1.png": "cat", "2.png": "dog"} == {Path(item.source.name).name: item.label for item in items}
    assert "coco: images/1.png, also dog" == str(items[0].source)


def test_coco_boxes_are_cut_out_and_stay_together(collection, write, tmp_path):
    items = collection.add(coco(tmp_path / "set", write), crop=True)
    assert ["cat", "dog", "cat", "dog"] == [item.label for item in items]
    assert [(40, 40), (40, 40), (20, 20), (30, 40)] == [item.size for item in items]
    cut = np.asarray(Image.open(collection.folder / items[3].file))
    assert np.array_equal(np.asarray(scene(1))[20:60, 10:40], cut)
    assert 1 == len({item.group for item in items[:3]})


def test_coco_names_pictures_that_are_not_there(collection, write, tmp_path):
    root = coco(tmp_path / "set", write)
    (root / "images" / "2.png").unlink()
    with pytest.warns(NbdeployWarning):
        items = collection.add(root)
    assert ["the annotations name it, and it is not there"] == [item.said for item in items if item.status == "refused"]


def test_annotations_do_not_lead_out_of_their_folder(collection, write, tmp_path):
    write(tmp_path / "secret.png", 9)
    root = coco(tmp_path / "set", write)
    file = root / "annotations" / "instances_train.json"
    file.write_text(file.read_text().replace('"1.png"', '"../../secret.png"'))
    with pytest.warns(NbdeployWarning):
        items = collection.add(root)
    assert ["refused", "kept"] == [item.status for item in items]


@pytest.mark.parametrize("text", ['{"images": [], "annotations": 3, "categories": []}', '{"images": [', "[" * 100_000])
def test_a_broken_file_of_annotations_is_an_error(collection, write, tmp_path, text):
    write(tmp_path / "set" / "1.png", 1)
    (tmp_path / "set" / "a.json").write_text(text)
    with pytest.raises(DataError, match="not a COCO file"):
        collection.add(tmp_path / "set" / "a.json")


VOC = """<annotation><filename>1.png</filename>
<object><name>cat</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>
</annotation>"""


def test_voc_is_read_and_cut(collection, write, tmp_path):
    root = tmp_path / "VOC2012"
    write(root / "JPEGImages" / "1.png", 1)
    (root / "Annotations").mkdir()
    (root / "Annotations" / "1.xml").write_text(VOC)
    (item,) = collection.add(root, crop=True)
    assert ("cat", (30, 40), "voc: JPEGImages/1.png, object 1") == (item.label, item.size, str(item.source))
    cut = np.asarray(Image.open(collection.folder / item.file))
    assert np.array_equal(np.asarray(scene(1))[20:60, 10:40], cut)


def test_xml_that_would_unfold_or_read_files_is_refused(collection, write, tmp_path):
    write(tmp_path / "JPEGImages" / "1.png", 1)
    (tmp_path / "Annotations").mkdir()
    evil = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + VOC.replace("cat", "&x;")
    (tmp_path / "Annotations" / "1.xml").write_text(evil)
    with pytest.raises(DataError, match="not an annotation of Pascal VOC"):
        collection.add(tmp_path)


@pytest.mark.parametrize("names", ["names: [cat, dog]\n", "names:\n  0: cat\n  1: dog\n", None])
def test_yolo_detection_is_read_and_cut(collection, write, tmp_path, names):
    root = tmp_path / "yolo"
    write(root / "images" / "train" / "1.png", 1)
    write(root / "images" / "val" / "2.png", 2)
    for place, text in (("train/1", "1 0.25 0.5 0.25 0.5\n"), ("val/2", "0 0 0 0.5 0 0.5 0.5\n")):
        (root / "labels" / place).parent.mkdir(parents=True)
        (root / "labels" / f"{place}.txt").write_text(text)
    (root / ("classes.txt" if names is None else "data.yaml")).write_text(names or "cat\ndog\n")
    items = collection.add(root, crop=True)
    assert [("dog", (24, 48)), ("cat", (48, 48))] == [(item.label, item.size) for item in items]


def test_yolo_yaml_runs_nothing(collection, write, tmp_path):
    write(tmp_path / "images" / "1.png", 1)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "1.txt").write_text("0 .5 .5 .5 .5")
    (tmp_path / "data.yaml").write_text(f"names: !!python/object/apply:os.system ['touch {tmp_path}/ran']\n")
    with pytest.raises(DataError, match="not a YOLO file"):
        collection.add(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("files", "kind", "labels"),
    [
        (["a.png", "b.jpg"], "pictures", ()),
        (["pets/cat/1.png", "pets/dog/2.png", "pets/.DS_Store"], "classes", (("cat", 1), ("dog", 1))),
        (["cat/1.png", "cat/2.png"], "classes", (("cat", 2),)),
        (["d/train/cat/1.png", "d/val/dog/1.png"], "classes", (("cat", 1), ("dog", 1))),
        (["pets.zip"], "whole", ()),
        (["clip.MP4"], "whole", ()),
        (["list.csv"], "whole", ()),
        (["d/annotations/x.json", "d/images/1.png"], "set", ()),
        (["d/Annotations/x.xml", "d/JPEGImages/1.png"], "set", ()),
        (["d/data.yaml", "d/labels/1.txt", "d/images/1.png"], "set", ()),
        (["notes.docx"], "pictures", ()),
    ],
)
def test_a_drop_is_planned_by_its_names(files, kind, labels):
    found = plan(files)
    assert (kind, labels) == (found.kind, found.labels)
