"""The widget's Python side, without a page: parts of files, and what comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nbdeploy.errors import DataError
from nbdeploy.jupyter.widgets.collector import Collector
from nbdeploy.jupyter.widgets.inbox import LARGEST, Inbox
from tests.data.collect.conftest import encoded, scene


def about(name: str, size: int, at: int = 0, **more: Any) -> dict[str, Any]:
    return {"file": name, "name": f"{name}.png", "size": size, "at": at, "label": "cat", **more}


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path)


def test_parts_become_a_file(inbox: Inbox) -> None:
    assert 3 == inbox.part(about("a", 5), b"abc").there
    one = inbox.part(about("a", 5, 3), b"de")
    assert b"abcde" == one.path.read_bytes()
    assert {} == inbox.arriving


@pytest.mark.parametrize(("size", "at", "data"), [(5, 1, b"abc"), (2, 0, b"abc"), (-1, 0, b""), (LARGEST + 1, 0, b"")])
def test_parts_that_do_not_fit_are_refused_and_leave_nothing(inbox: Inbox, size: int, at: int, data: bytes) -> None:
    with pytest.raises(DataError):
        inbox.part(about("a", size, at), data)
    assert [] == [path for path in inbox.folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "a\\..\\..\\out.png", ""])
def test_what_was_dropped_stays_inside_its_folder(inbox: Inbox, name: str) -> None:
    with pytest.raises(DataError, match="leads out"):
        inbox.part({**about("a", 3, drop="d"), "name": name}, b"abc")


def test_what_was_given_up_is_removed(inbox: Inbox) -> None:
    inbox.part(about("a", 5), b"abc")
    inbox.part(about("b", 3, drop="d"), b"abc")
    inbox.clear()
    assert [] == list(inbox.folder.iterdir())


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    made = Collector(tmp_path / "pets", classes=["dog", "cat"])
    made.told = []
    made.send = lambda content, **_: made.told.append(content)
    return made


def hear(collector: Collector, content: dict[str, Any], *buffers: bytes) -> list[dict[str, Any]]:
    collector.told.clear()
    collector._heard(collector, content, [memoryview(data) for data in buffers])
    collector._worker.end()
    return collector.told


def test_a_file_is_acknowledged_only_once_it_is_stored(collector: Collector) -> None:
    data = encoded(scene(1))
    first = hear(collector, {"kind": "part", **about("a", len(data))}, data[:100])
    assert [("ack", False)] == [(one["kind"], one["stored"]) for one in first]
    rest = hear(collector, {"kind": "part", **about("a", len(data), 100)}, data[100:])
    assert ["items", "ack"] == [one["kind"] for one in rest]
    assert rest[1]["stored"]
    assert data == (collector.collection.folder / rest[0]["items"][0]["file"]).read_bytes()


def test_classes_keep_their_keys_when_one_is_added(collector: Collector) -> None:
    hear(collector, {"kind": "class", "label": "ape"})
    assert ["dog", "cat", "ape"] == [one["label"] for one in collector.state["classes"]]
    hear(collector, {"kind": "rename", "before": "dog", "after": "zebra"})
    assert ["zebra", "cat", "ape"] == [one["label"] for one in collector.state["classes"]]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "class", "label": "../up"},
        {"kind": "part"},
        {"kind": "part", **about("a", 3)},
        {"kind": "links", "text": "nothing"},
        {"kind": "finish", "drop": "gone"},
        {"kind": "phone", "do": "start", "host": "203.0.113.7"},
    ],
)
def test_what_goes_wrong_is_told_to_the_page(collector: Collector, content: dict[str, Any]) -> None:
    told = hear(collector, content, b"too much") if content.get("size") else hear(collector, content)
    assert ["failed"] == [one["level"] for one in told if one["kind"] == "said"]


def test_messages_of_unknown_kinds_do_nothing(collector: Collector) -> None:
    assert [] == hear(collector, {"kind": "close"})
    assert [] == hear(collector, {})


def test_a_zip_that_was_sent_whole_is_looked_into(collector: Collector, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as packed:
        packed.writestr("cat/1.png", encoded(scene(1)))
        packed.writestr("dog/2.png", encoded(scene(2)))
    data = (tmp_path / "pets.zip").read_bytes()
    hear(collector, {"kind": "part", **about("a", len(data), drop="d"), "name": "pets.zip"}, data)
    told = hear(collector, {"kind": "finish", "drop": "d", "as": "whole", "label": ""})
    assert ["items", "items", "finished"] == [one["kind"] for one in told]
    assert 2 == len(collector.collection)
    assert [] == list(collector.collection.folder.glob(".nbdeploy-collecting/*"))


def test_it_has_a_short_name_and_a_view_without_a_kernel(collector: Collector) -> None:
    hear(collector, {"kind": "part", **about("a", 4)}, b"junk")
    assert repr(collector) == f"Collector(0 pictures, 2 classes; {collector.collection.folder})"
    (data, _) = collector._repr_mimebundle_()
    assert "1 file not stored: see collected.jsonl" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_closing_it_ends_its_page_for_the_telephone(collector: Collector) -> None:
    phone = collector.phone("127.0.0.1")
    assert collector.state["phone"]["svg"].startswith("<svg")
    collector.close()
    assert not phone.running
