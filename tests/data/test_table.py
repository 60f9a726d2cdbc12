from __future__ import annotations

import pytest

from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, NbdeployWarning


@pytest.fixture
def pictures(make_folder):
    return make_folder({"img": 6})


def table(root, text, name="labels.csv", encoding="utf-8"):
    (root / name).write_text(text, encoding=encoding)
    return root / name


def rows(labels, separator=","):
    return "".join(f"img/{n:03d}.png{separator}{label}\n" for n, label in enumerate(labels))


def test_reads_paths_and_labels(pictures):
    images = ImageSet.from_csv(table(pictures, "path,label\n" + rows("aaabbb")))
    assert {"a": (2, 1), "b": (2, 1)} == images.counts
    assert str(pictures / "labels.csv") == images.files[0].source


@pytest.mark.parametrize("separator", [";", "\t"])
def test_reads_other_separators_and_a_byte_order_mark(pictures, separator):
    text = f"path{separator}label\n" + rows("aaabbb", separator)
    assert 6 == len(ImageSet.from_csv(table(pictures, text, encoding="utf-8-sig")))


@pytest.mark.parametrize("label", ["cat/dog", " kept  ", "🐈", "z" * 200, "x, y"])
def test_takes_any_label(pictures, label):
    text = "path,label\n" + rows([f'"{label}"'] * 3 + ["b"] * 3)
    assert (label, "b") == tuple(sorted(ImageSet.from_csv(table(pictures, text)).labels, key=lambda one: one == "b"))


def test_takes_other_columns_and_another_root(pictures, tmp_path):
    place = table(tmp_path, "no,file,class\n" + "".join(f"{n},img/{n:03d}.png,{'ab'[n % 2]}\n" for n in range(6)))
    images = ImageSet.from_csv(place, path_column="file", label_column="class", root=pictures)
    assert {"a": (2, 1), "b": (2, 1)} == images.counts


@pytest.mark.parametrize(
    ("train", "valid"), [("train", "valid"), ("Train", "VAL"), ("False", "True"), ("0", "1"), ("train", "test")]
)
def test_takes_the_split_from_a_column(pictures, train, valid):
    sides = [train, train, valid, train, train, valid]
    text = "path,label,side\n" + "".join(f"img/{n:03d}.png,{'aaabbb'[n]},{side}\n" for n, side in enumerate(sides))
    images = ImageSet.from_csv(table(pictures, text), split_column="side")
    assert ["002.png", "005.png"] == [file.path.name for file in images.valid]


def test_leaves_test_rows_out_beside_valid_rows(pictures):
    sides = ["train", "valid", "test", "train", "valid", "test"]
    text = "path,label,side\n" + "".join(f"img/{n:03d}.png,{'aaabbb'[n]},{side}\n" for n, side in enumerate(sides))
    with pytest.warns(NbdeployWarning, match="2 rows marked test left out"):
        assert 4 == len(ImageSet.from_csv(table(pictures, text), split_column="side"))


def test_refuses_a_split_it_does_not_know(pictures):
    with pytest.raises(DataError, match='Row 2 has "sometimes"'):
        ImageSet.from_csv(table(pictures, "path,label,side\nimg/000.png,a,sometimes\n"), split_column="side")


def test_names_the_columns_there_are_and_a_near_one(pictures):
    with pytest.raises(DataError) as caught:
        ImageSet.from_csv(table(pictures, "paths,Label\nx,y\n"))
    assert 'no column "path"' in caught.value.message
    assert 'Did you mean "paths"? It has: paths, Label.' in caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "no header line"), (b"path,label\n", "No pictures"), (b"path,label\n\xff\xfe\n", "not UTF-8")],
)
def test_refuses_a_table_it_cannot_read(tmp_path, content, says):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=says):
        ImageSet.from_csv(tmp_path / "t.csv")


def test_refuses_a_table_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="There is no table"):
        ImageSet.from_csv(tmp_path / "t.csv")


def test_sets_missing_files_and_incomplete_rows_aside(pictures):
    text = "path,label\n" + rows("aaabbb") + "img/gone.png,a\nimg/000.png,\n,b\n\n"
    with pytest.warns(NbdeployWarning, match="3 files set aside"):
        images = ImageSet.from_csv(table(pictures, text))
    assert 6 == len(images)
    assert {"no such file", "row 9 has no path or no label", "row 10 has no path or no label"} == {
        one.reason for one in images.set_aside
    }


def test_leaves_repeated_rows_out(pictures):
    with pytest.warns(NbdeployWarning, match="1 row left out"):
        assert 6 == len(ImageSet.from_csv(table(pictures, "path,label\n" + rows("aaabbb") + "img/000.png,a\n")))


def test_reads_paths_written_on_windows(pictures):
    text = "path,label\n" + rows("aaabbb").replace("/", "\\")
    assert 6 == len(ImageSet.from_csv(table(pictures, text)))
