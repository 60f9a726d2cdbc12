from __future__ import annotations

import pytest

from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.fetch import Fetcher, Limits
from nbdeploy.data.collect.links import add_links, read_lines
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import DataError, NbdeployWarning

A, B = "http://a.example/1.png", "https://b.example/2.png"


@pytest.mark.parametrize(
    "text",
    [
        f"{A}, cat\n{B}, dog",
        f"cat,{A}\ndog,{B}",
        f"url,label\n{A},cat\n{B},dog",
        f"label;url\ncat;{A}\ndog;{B}",
        f"# mine\n\n{A}\tcat\n{B}\tdog\n",
        f"\ufeffImage_URL,Class\r\n{A},cat\r\n{B},dog\r\n",
    ],
)
def test_lists_are_read_in_whichever_order(text):
    assert [(A, "cat"), (B, "dog")] == read_lines(text)


def test_a_plain_list_takes_the_class_that_was_chosen():
    assert [(A, "cat"), (B, "cat")] == read_lines(f"{A}\n{B}", "cat")
    with pytest.raises(DataError, match="has no label"):
        read_lines(A)


def test_from_urls_makes_a_set_and_names_what_failed(server, tmp_path):
    urls = {
        label: [f"{server.url}/ok/{start + number}" for number in range(4)]
        for label, start in (("cat", 0), ("dog", 50))
    }
    urls["dog"] += [f"{server.url}/missing/1", f"{server.url}/html/1"]
    with pytest.warns(NbdeployWarning, match="2 links of 10 not collected: .*404 Not Found.*a web page"):
        images = ImageSet.from_urls(urls, tmp_path / "pets")
    assert {"cat": (3, 1), "dog": (3, 1)} == images.counts
    assert {url for some in urls.values() for url in some[:4]} == {file.source for file in images}


def test_a_second_call_fetches_only_what_is_missing(server, tmp_path):
    urls = [f"{server.url}/ok/{number}" for number in (1, 2, 3, 61, 62)]
    labels = ["cat", "cat", "cat", "dog", "dog"]
    ImageSet.from_urls(urls, tmp_path, labels=labels)
    server.asked.clear()
    ImageSet.from_urls([*urls, f"{server.url}/ok/63"], tmp_path, labels=[*labels, "dog"])
    assert {"/ok/63": 1} == dict(server.asked)


def test_an_interrupted_fetch_goes_on_from_there(server, tmp_path):
    pairs = [(f"{server.url}/ok/{number}", "cat") for number in range(20)]
    collection = Collection(tmp_path)
    coming = add_links(collection, pairs)
    for _ in range(5):
        next(coming)
    coming.close()  # as Ctrl-C does
    assert 5 == len(collection)
    again = Collection(tmp_path)
    assert 15 == len(list(add_links(again, pairs)))
    assert 20 == len(again)


def test_the_same_picture_at_two_addresses_is_stored_once(server, tmp_path):
    pairs = [(f"{server.url}/ok/1", "cat"), (f"{server.url}/mistyped/1", "cat")]
    items = list(add_links(Collection(tmp_path), pairs, fetcher=Fetcher(Limits(at_once=1))))
    assert ["kept", "copy"] == [item.status for item in items]


def test_links_without_labels_are_an_error(tmp_path):
    with pytest.raises(DataError, match="need labels"):
        ImageSet.from_urls([A], tmp_path / "x")
    with pytest.raises(DataError, match="1 link and 2 labels"):
        ImageSet.from_urls([A], tmp_path / "x", labels=["a", "b"])
    with pytest.raises(DataError, match="no links"):
        ImageSet.from_urls([], tmp_path / "x", labels="a")


def test_a_table_may_mix_paths_and_links(server, tmp_path, png):
    (tmp_path / "mine.png").write_bytes(png(1))
    table = tmp_path / "list.csv"
    table.write_text(f"path,label\nmine.png,cat\n{server.url}/ok/2,dog\ngone.png,dog\n")
    items = Collection(tmp_path / "pets").add(table)
    assert {"mine.png": "kept", f"{server.url}/ok/2": "kept", "gone.png": "refused"} == {
        item.source.name: item.status for item in items
    }
    assert ["no such file"] == [item.said for item in items if item.status == "refused"]
