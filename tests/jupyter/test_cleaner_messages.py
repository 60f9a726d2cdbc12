"""What the cleaner answers to its page, without one: whatever is asked, it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy.core.progress import quiet
from nbdeploy.data.findings import Findings
from nbdeploy.data.imageset import ImageSet
from tests.suspects import write_suspects

Ask = Callable[..., tuple[dict[str, Any], list[bytes]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Findings]:
    folder = write_suspects(tmp_path_factory.mktemp("data") / "shapes", clean=12)
    with quiet():
        return folder, nd.audit(folder)


@pytest.fixture
def cleaner(made: tuple[Path, Findings], tmp_path: Path) -> nd.Cleaner:
    folder, findings = made
    with quiet():
        return nd.Cleaner(folder, findings=findings, journal=tmp_path / "decisions.jsonl")


def asking(cleaner: nd.Cleaner, monkeypatch: pytest.MonkeyPatch) -> Ask:
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(cleaner, "send", lambda content, buffers=None: sent.append((content, list(buffers or ()))))
    monkeypatch.setattr(cleaner, "_redraw_page", lambda: None)

    def ask(kind: str, **more: Any) -> tuple[dict[str, Any], list[bytes]]:
        cleaner._answer(cleaner, {"kind": kind, "to": "me", "seq": 7, **more}, [])
        content, buffers = sent.pop()
        assert ("me", 7) == (content["to"], content["seq"])
        json.dumps(content)
        return content, buffers

    return ask


@pytest.fixture
def ask(cleaner: nd.Cleaner, monkeypatch: pytest.MonkeyPatch) -> Ask:
    return asking(cleaner, monkeypatch)


def test_the_first_screen_comes_with_the_widget(cleaner: nd.Cleaner) -> None:
    start = cleaner._start
    first = np.frombuffer(start["viewBuffers"][0], np.uint32)
    assert len(first) == len(start["have"]["rows"]) == len(start["haveBuffers"])
    assert "unreadable" == start["view"]["look"]["queue"]
    assert 45 == start["total"]


def test_its_name_is_the_same_each_time_and_its_python_side_says_what_was_decided(
    cleaner: nd.Cleaner, ask: Ask
) -> None:
    assert repr(cleaner) == f"Cleaner(45 pictures; {cleaner._source.folder})"
    before = len(cleaner.images)
    ids = [place for place, item in enumerate(cleaner._review.items) if item.path.name in {"003.png", "004.png"}][:2]
    done, _ = ask("act", act="exclude", ids=ids, queue="all")
    assert "2 pictures excluded" == done["said"]
    assert ids == [row["i"] for row in done["changed"]]
    assert isinstance(cleaner.images, ImageSet)
    assert before - 2 == len(cleaner.images)
    assert ["exclude", "exclude"] == [edit.operation for edit in cleaner.edits]
    assert 2 == cleaner.counts["decided"].every
    assert cleaner.findings.files == 45
    undone, _ = ask("undo", queue="all")
    assert "Taken back: 2 pictures excluded" == undone["said"]
    assert "Again: 2 pictures excluded" == ask("undo", again=True, queue="all")[0]["said"]


def test_a_view_is_numbers_and_need_is_rows_with_pictures(ask: Ask) -> None:
    view, (ids, status, groups) = ask("view", look={"queue": "duplicates", "sort": "name"})
    assert len(ids) == len(groups)
    assert 45 == len(status)
    assert view["counts"]["duplicates"]["every"] == len(set(np.frombuffer(groups, np.uint32).tolist()))
    some = np.frombuffer(ids, np.uint32)[:3].tolist()
    have, pictures = ask("need", ids=[*some, 99_999, -1], queue="duplicates")
    assert some == [row["i"] for row in have["rows"]]
    assert all(picture.startswith((b"\x89PNG", b"\xff\xd8")) for picture in pictures)
    zoomed, (picture,) = ask("zoom", i=some[0])
    assert picture
    assert zoomed["path"].endswith(".png")


def test_nothing_to_take_back_is_said(ask: Ask) -> None:
    assert "Nothing to take back." == ask("undo", queue="all")[0]["said"]
    assert "Nothing to bring back." == ask("undo", again=True, queue="all")[0]["said"]
    assert "pong" == ask("ping")[0]["kind"]


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "act", "act": "burn", "ids": [1], "queue": "all"},
        {"kind": "act", "act": "relabel", "ids": [1], "queue": "all", "label": " "},
        {"kind": "act", "ids": [1]},
        {"kind": "need", "ids": ["x"], "queue": "all"},
        {"kind": "view", "look": {"queue": "nowhere"}},
        {"kind": "zoom", "i": 10_000},
    ],
)
def test_a_message_that_cannot_be_is_answered_and_the_next_is_heard(ask: Ask, message: dict[str, Any]) -> None:
    failed, _ = ask(**message)
    assert "failed" == failed["kind"]
    assert failed["message"]
    assert "view" == ask("view", look={"queue": "all"})[0]["kind"]


def test_what_is_no_message_is_passed_over(cleaner: nd.Cleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaner, "send", lambda *_: pytest.fail("nothing was asked"))
    cleaner._answer(cleaner, None, [])
    cleaner._answer(cleaner, {"kind": "unheard_of"}, [])
    cleaner._answer(cleaner, {}, [])


def test_a_file_deleted_meanwhile_is_a_placeholder(
    made: tuple[Path, Findings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shapes"
    shutil.copytree(made[0], folder)
    with quiet():
        cleaner = nd.Cleaner(folder)
    ask = asking(cleaner, monkeypatch)
    place = cleaner._review.places[str(folder / "disc" / "005.png")]
    (folder / "disc" / "005.png").unlink()
    have, pictures = ask("need", ids=[place], queue="all")
    assert ("no such file", [b""]) == (have["rows"][0]["problem"], pictures)
    assert "no such file" == ask("zoom", i=place)[0]["problem"]
    assert "1 picture excluded" == ask("act", act="exclude", ids=[place], queue="all")[0]["said"]


def test_a_place_that_cannot_be_written_says_where_decisions_could_go(
    made: tuple[Path, Findings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with quiet():
        cleaner = nd.Cleaner(made[0], findings=made[1], journal=tmp_path / "nowhere" / "decisions.jsonl")
    assert "Decisions cannot be kept in" in cleaner._start["view"]["problem"]
    failed, _ = asking(cleaner, monkeypatch)("act", act="exclude", ids=[3], queue="all")
    assert "failed" == failed["kind"]
    assert 'nd.Cleaner(images, journal="my.jsonl")' in failed["hint"]
    assert () == cleaner.edits


def test_what_is_shown_is_the_widget_and_a_page_for_places_without_a_kernel(
    cleaner: nd.Cleaner, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, _ = cleaner._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} == set(data)
    assert "shapes: 45 pictures" in data["text/html"]
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "nbdeploy.jupyter.widgets.cleaner.publish_display_data", lambda data, *_, **__: shown.append(data)
    )
    cleaner._ipython_display_()
    widget, page = shown
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert cleaner._start["place"] in page["text/html"]
    assert "text/html" not in widget
