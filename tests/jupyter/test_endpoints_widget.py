"""The live table of endpoints: what a notebook shows, saves and does, without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdeploy.errors import ProviderError
from nbdeploy.jupyter.widgets.endpoints import EndpointsTable
from nbdeploy.providers import store
from nbdeploy.providers.table import Endpoints


class Stub:
    """An endpoint that remembers what was asked of it."""

    def __init__(self) -> None:
        self.did: list[Any] = []
        self.record: dict[str, Any] = {"model": {"name": "pets", "version": "2.0.0"}}

    def status(self) -> dict[str, Any]:
        return {"state": "up", "why": "", "requests": 1234, "errors": 2, "p50_ms": 12.5, "p99_ms": None}

    def logs(self, lines: int) -> list[str]:
        return ["one", "two"][:lines]

    def update(self, bundle: str) -> None:
        if bundle == "broken":
            raise ProviderError("pets was not changed (check endpoint_answers): 01.jpg", hint="See the log.")
        self.did.append(("update", bundle))

    def rollback(self) -> None:
        self.did.append("rollback")

    def remove(self) -> None:
        self.did.append("remove")
        store.forget("pets")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stub:
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
    made = Stub()
    monkeypatch.setattr(Endpoints, "__getitem__", lambda *_: made)
    models = [{"model": {"version": "1.0.0"}}, {"model": {"version": "2.0.0"}}]
    record = {"url": "http://127.0.0.1:8000", "model": {"name": "pets", "version": "2.0.0"}, "models": models}
    store.keep("pets", "local", {}, record)
    return made


@pytest.fixture
def table(stub: Stub) -> Iterator[EndpointsTable]:
    assert not stub.did
    made = EndpointsTable(Endpoints())
    yield made
    made.close()


def until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def asks(table: EndpointsTable, **message: Any) -> dict[str, Any]:
    """Send a message as the page does, and wait for what is said of it."""
    table._heard(table, message, [])
    until(lambda: not table.state["busy"] and table.state["said"]["text"])
    return dict(table.state["said"])


def test_a_row_is_what_a_person_reads(table: EndpointsTable) -> None:
    (row,) = table.state["rows"]
    assert ("pets", "pets 2.0.0", "local", "✓", "up", "1.0.0") == tuple(
        row[key] for key in ("name", "model", "provider", "sign", "word", "back")
    )
    assert ["1,234", "2", "12.5\N{NO-BREAK SPACE}ms", "–"] == list(row["figures"])


def test_a_button_does_its_work_and_says_so(table: EndpointsTable, stub: Stub) -> None:
    said = asks(table, kind="update", name="pets", bundle=" build/pets ")
    assert {"kind": "passed", "text": "pets answers as pets 2.0.0."} == said
    assert [("update", "build/pets")] == stub.did


def test_what_goes_wrong_is_said_and_the_next_message_is_heard(table: EndpointsTable, stub: Stub) -> None:
    said = asks(table, kind="update", name="pets", bundle="broken")
    assert "failed" == said["kind"]
    assert "check endpoint_answers" in said["text"]
    assert "Which bundle?" in asks(table, kind="canary", name="pets", bundle="")["text"]
    table._heard(table, {"kind": "no such thing"}, [])
    table._heard(table, "nonsense", [])
    asks(table, kind="rollback", name="pets")
    until(lambda: stub.did == ["rollback"])


def test_what_was_removed_is_no_longer_shown(table: EndpointsTable, stub: Stub) -> None:
    assert "pets is gone" in asks(table, kind="remove", name="pets")["text"]
    assert ["remove"] == stub.did
    until(lambda: not table.state["rows"])


def test_the_log_is_sent_to_the_page_that_asked(table: EndpointsTable, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(table, "send", sent.append)
    table._heard(table, {"kind": "logs", "name": "pets"}, [])
    until(lambda: sent)
    assert [{"kind": "logs", "name": "pets", "lines": ["one", "two"]}] == sent


def test_a_saved_notebook_shows_the_table_without_a_kernel(table: EndpointsTable) -> None:
    data, _ = table._repr_mimebundle_()
    assert "1 of 1 endpoint up" in data["text/html"]
    assert "http://127.0.0.1:8000" in data["text/html"]
    assert "✓ up" in data["text/plain"]


def test_the_magic_gives_what_the_python_call_gives(shell: Any, stub: Stub, capsys: Any) -> None:
    assert isinstance(shell.run("r = %endpoints\nr"), Endpoints)
    assert "nd.endpoints()" in capsys.readouterr().out
    assert stub is shell.run("r = %endpoints pets\nr")
    shell.run("r = %endpoints pets rollback")
    assert 'nd.endpoints()["pets"].rollback()' in capsys.readouterr().out
    shell.run("mine = 'build/two'")
    shell.run("r = %endpoints pets update mine")
    assert 'nd.endpoints()["pets"].update(mine)' in capsys.readouterr().out
    assert ["rollback", ("update", "build/two")] == stub.did


def test_endpoints_that_end_a_cell_are_shown_live(shell: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not stub.did
    shown: list[Any] = []
    monkeypatch.setattr("nbdeploy.jupyter.widgets.endpoints.show", shown.append)
    shell.ip.display_formatter.format(Endpoints())
    assert 1 == len(shown)
