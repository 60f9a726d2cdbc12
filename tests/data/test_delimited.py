"""Tables as they come: delimiters, encodings, ragged rows, and what a path was taken for."""

from __future__ import annotations

import codecs

import pytest

import nbdeploy as nd
from nbdeploy.data.delimited import read_table
from nbdeploy.data.sources import kind_of
from nbdeploy.errors import DataError


@pytest.fixture
def table(tmp_path):
    def write(name: str, data: str | bytes):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", "a,b\n1,é\n2,y\n", "UTF-8, cells parted by commas"),
        ("a.csv", "a;b\n1,5;é\n2,5;y\n", "UTF-8, cells parted by semicolons"),
        ("a.tsv", "a\tb\n1\té\n2\ty\n", "UTF-8, cells parted by tabs"),
        ("a.csv", "a|b\n1|é\n2|y\n", "UTF-8, cells parted by bars"),
        ("a.csv", codecs.BOM_UTF8 + "a,b\n1,é\n2,y\n".encode(), "UTF-8, cells parted by commas"),
        ("a.csv", "a,b\n1,é\n2,y\n".encode("utf-16"), "UTF-16, cells parted by commas"),
        ("a.csv", "a,b\r1,é\r2,y\r", "UTF-8, cells parted by commas"),
    ],
)
def test_it_is_read_whatever_parts_its_cells_and_encodes_its_letters(table, name, data, said):
    found = read_table(table(name, data))
    assert ["a", "b"] == list(found.frame)
    assert ["é", "y"] == found.frame["b"].tolist()
    assert f"Read as a table of 2 rows and 2 columns, {said}." == found.remarks[0]


def test_a_table_that_is_not_utf8_is_read_and_that_is_said(table):
    found = nd.audit(table("a.csv", "name,n\ncafé,1\nolé,2\n".encode("latin-1")))
    assert "a.csv is not UTF-8: it was read as Windows-1252 (Latin-1). Save it as CSV UTF-8." in found.remarks
    assert "encoding_damage" not in found.counts


def test_ragged_rows_keep_their_place_and_are_named_by_their_line(table):
    data = 'a,b\n1,"two\nlines"\n\n3\n4,5,6\n7,8\n'
    found = read_table(table("a.csv", data))
    assert [1, 3, 4, 7] == found.frame["a"].tolist()
    assert [2, 5, 6, 7] == found.lines.tolist()
    assert [(1, 5), (2, 6)] == [(row.place.row, row.place.line) for row in found.found]
    assert ["1 cell", "3 cells"] == [row.evidence.partition(",")[0] for row in found.found]
    assert {"ragged_row"} == {row.kind for row in found.found}


def test_columns_of_one_name_are_told_apart(table):
    found = read_table(table("a.csv", "a,a,,a.1\n1,2,3,4\n"))
    assert 4 == len(set(found.frame))
    assert ["a", "column 3", "a.1"] == [name for name in found.frame if name != list(found.frame)[1]]
    assert ["duplicate_column"] == [row.kind for row in found.found]


def test_lines_of_json_that_are_none_stop_nothing(table):
    found = read_table(table("a.jsonl", '{"a": 1, "b": [1, 2]}\n\n{"a": "x"}\nno json\n[1]\n'))
    assert [1, 3] == found.lines.tolist()
    assert "[1, 2]" == found.frame["b"][0]
    assert ["line 4", "line 5"] == [row.evidence[:6] for row in found.found]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", "a,b\n", "a header and no rows"),
        ("a.csv", ",,\n1,2,3\n", "no header line"),
        ("a.csv", bytes(range(256)), "is no text"),
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', "never closed.\nThe row that begins on line 3"),
        ("a.jsonl", "no\n", "holds no rows: line 1 is no JSON"),
        ("a.xlsx", b"PK", "no table that can be read.\nSave it as CSV"),
        ("a.json", "{}", "Known: .csv, .jsonl"),
        ("a.parquet", b"PK", "arquet"),
    ],
)
def test_what_is_no_table_is_said(table, name, data, said):
    with pytest.raises(DataError, match=said):
        nd.audit(table(name, data))


def test_a_table_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="There is no table"):
        nd.audit(tmp_path / "a.csv")


def test_a_list_of_pictures_that_are_there_is_taken_for_pictures(make_folder, tmp_path):
    folder = make_folder({"cat": 3, "dog": 3})
    lines = [f"pictures/{path.relative_to(folder)},{path.parent.name}" for path in sorted(folder.glob("*/*.png"))]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["path,kind", *lines]), encoding="utf-8")
    assert "pictures" == kind_of(table)
    found = nd.audit(table, label="kind")
    assert ("file", 6) == (found.unit, found.files)
    assert 'Taken for a list of pictures: the column "path" of list.csv names files that are there.' in found.remarks
    table.write_text("path,kind\nnowhere.png,cat\nhome/index.html,dog\n", encoding="utf-8")
    assert "table" == kind_of(table)


def test_a_folder_is_of_texts_only_where_it_holds_no_picture(picture, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "note.txt").write_text("some words", encoding="utf-8")
    assert "texts" == kind_of(tmp_path)
    picture(tmp_path / "a" / "one.png", 1)
    assert "pictures" == kind_of(tmp_path)


def test_an_archive_of_pictures_is_unpacked_and_labels_of_pictures_are_their_folders(make_folder, tmp_path):
    import shutil

    archive = shutil.make_archive(str(tmp_path / "set"), "zip", make_folder({"cat": 3, "dog": 3}))
    assert 6 == nd.audit(archive).files
    for settings in ({"label": "kind"}, {"text": "said"}):
        with pytest.raises(nd.errors.UsageError, match="These are pictures"):
            nd.audit(tmp_path / "pictures", **settings)
