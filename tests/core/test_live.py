"""The steps of long work in a notebook's cell, seen by what is published to the page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nbdeploy.core import live
from nbdeploy.core.progress import quiet, step, track


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A notebook's page: `outputs` by display id, as they stand now, and the running `cell`."""
    outputs: dict[str, str] = {}
    publisher = SimpleNamespace(parent_header={"msg_id": "1"})

    def publish(*, data: Any, transient: Any, update: bool, **_: Any) -> None:
        assert update == (transient["display_id"] in outputs)
        outputs[transient["display_id"]] = data["text/plain"]

    publisher.publish = publish
    monkeypatch.setattr(live, "_shell", lambda: SimpleNamespace(kernel=True, display_pub=publisher))
    monkeypatch.setattr(live, "_boards", {})
    monkeypatch.delenv("NBDEPLOY_PROGRESS", raising=False)
    return SimpleNamespace(outputs=outputs, cell=publisher.parent_header)


def test_steps_of_one_cell_stand_in_one_output_and_nothing_on_standard_error(page: Any, capsys: Any) -> None:
    with step("exporting"):
        assert ["  exporting: running"] == list(page.outputs.values())
    with step("verifying") as note:
        note("16 files")
    (shown,) = page.outputs.values()
    assert ["  exporting: 0.0 s", "  verifying: 0.0 s 16 files"] == shown.splitlines()
    assert ("", "") == tuple(capsys.readouterr())


def test_another_cell_has_an_output_of_its_own(page: Any) -> None:
    with step("exporting"):
        pass
    page.cell["msg_id"] = "2"
    with step("verifying"):
        pass
    assert ["  exporting: 0.0 s", "  verifying: 0.0 s"] == list(page.outputs.values())


def test_a_step_that_fails_says_so(page: Any) -> None:
    with pytest.raises(ValueError, match="no"), step("converting"):
        raise ValueError("no")
    assert ["  converting: stopped after 0.0 s"] == list(page.outputs.values())


def test_counting_that_ends_soon_is_never_shown(page: Any) -> None:
    assert [0, 1, 2] == list(track(range(3), "reading"))
    assert {} == page.outputs


def test_counting_that_takes_long_is_shown_and_leaves_when_it_ends(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_SHOW_AFTER_S", 0)
    seen = [next(iter(page.outputs.values()), "") for _ in track(range(3), "reading", unit="picture")]
    assert seen[1].startswith("  reading: running 1 of 3 pictures, ")
    assert [""] == list(page.outputs.values())


def test_quiet_work_shows_nothing(page: Any) -> None:
    with quiet(), step("exporting"):
        list(track(range(3), "reading"))
    assert {} == page.outputs
