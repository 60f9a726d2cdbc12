"""Endpoints in Python and in the terminal: making, finding, showing, changing and removing them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.cli import main
from nbdeploy.errors import DataError, ProviderError, UnknownName, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.base import Plan, Price
from nbdeploy.providers.endpoint import name_for, name_from

Quick = Callable[..., nd.Bundle]
pytestmark = pytest.mark.usefixtures("own_state")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The status of the command, and what it printed for a program to read."""
    capsys.readouterr()
    status = main([str(word) for word in words])
    return status, capsys.readouterr().out


def test_the_terminal_makes_changes_and_removes_an_endpoint(quick: Quick, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = quick("1.0.0"), quick("2.0.0")
    assert (0, 'There are no endpoints yet. Make one: nd.deploy(learn, provider="local")\n') == said(
        capsys, "endpoints"
    )
    status, text = said(capsys, "deploy", one.path, "--provider", "local", "--endpoint", "pets", "--json")
    try:
        assert ("pets", "local") == (json.loads(text)["name"], json.loads(text)["provider"])
        table = said(capsys, "endpoints")[1]
        assert ["Endpoint", "Model", "Provider", "Health"] == table.split()[:4]
        assert "pets      colours 1.0.0  local     ✓ up" in table
        assert 2 == said(capsys, "deploy", one.path, "--provider", "local", "--endpoint", "pets")[0]
        assert "colours 2.0.0" in said(capsys, "endpoints", "pets", "update", two.path)[1]
        assert "colours 1.0.0" in said(capsys, "endpoints", "pets", "rollback")[1]
        assert 1 == said(capsys, "endpoints", "pets", "rollback")[0]
        assert "up" == json.loads(said(capsys, "endpoints", "pets", "--json")[1])["status"]["state"]
        assert json.loads(said(capsys, "endpoints", "pets", "logs", "--lines", "2", "--json")[1])["lines"]
        assert 0 == said(capsys, "endpoints", "pets", "canary", two.path, "--share", "0.5")[0]
        (row,) = json.loads(said(capsys, "endpoints", "--json")[1])["endpoints"]
        assert {"share": 0.5, "name": "colours", "version": "2.0.0"} == row["canary"]
        assert 0 == said(capsys, "endpoints", "pets", "canary", "--end")[0]
        assert 2 == said(capsys, "endpoints", "pets", "canary")[0]
    finally:
        status, text = said(capsys, "endpoints", "pets", "remove")
    assert (0, "pets is gone, with all that was made for it.\n") == (status, text)
    assert {"endpoints": []} == json.loads(said(capsys, "endpoints", "--json")[1])


def test_a_dry_run_prints_the_plan_and_makes_nothing(
    quick: Quick, capsys: pytest.CaptureFixture[str], own_state: Path
) -> None:
    words = (
        "deploy",
        quick().path,
        "--provider",
        "ssh",
        "--set",
        "host=vps.example",
        "--set",
        "port=8080",
        "--dry-run",
    )
    text = said(capsys, *words)[1]
    assert text.startswith("Plan for colours on ssh; nothing was done.\n")
    assert "listen on 127.0.0.1:8080" in text
    assert "ExecStart=python3 -S -m supervisor run ~/.nbdeploy/endpoints/colours" in text
    assert "ssh" == json.loads(said(capsys, *words, "--json")[1])["provider"]
    assert not own_state.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--provider", "loca"), 'There is no provider "loca".\nDid you mean "local"?'),
        (("--provider", "local", "--set", "prt=1"), 'The provider "local" knows no setting "prt".'),
        (("--provider", "local", "--set", "port"), "--set takes NAME=VALUE, not port."),
        (("--provider", "local", "--set", "port=x"), "port and keep take numbers."),
        (("--provider", "ssh"), 'The provider "ssh" needs host.\nType: --set host=...'),
        (("--provider", "local", "--endpoint", "My Pets"), '"My Pets" is no name for an endpoint.'),
        (("--provider", "local", "--target", "tflite"), "is a bundle for cloud, not for tflite."),
        (("--target", "cloud", "--dry-run"), "endpoint, settings and dry_run are for a provider."),
    ],
)
def test_wrong_use_says_what_to_type(
    quick: Quick, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert 2 == main(["deploy", str(quick().path), *words])
    assert says in capsys.readouterr().err


def test_a_near_miss_of_a_name_is_suggested_and_never_run(quick: Quick) -> None:
    store.keep("pets", "local", {}, {"folder": "/nowhere"})
    with pytest.raises(UnknownName, match='Did you mean "pets"'):
        nd.endpoints()["pest"]
    with pytest.raises(UsageError, match="There is an endpoint pets already"):
        nd.deploy(quick(), provider="local", endpoint="pets")


def test_overwrite_updates_the_endpoint_of_that_name(quick: Quick) -> None:
    one = nd.deploy(quick("1"), provider="local", endpoint="pets")
    try:
        again = nd.deploy(quick("2"), provider="local", endpoint="pets", overwrite=True)
        assert one.url == again.url
        assert "2" == again.status()["model"]["version"]
        assert ["1", "2"] == [model["model"]["version"] for model in again.record["models"]]
    finally:
        one.remove()


def test_a_model_is_made_a_bundle_of_for_the_cloud(quick: Quick) -> None:
    """The chain from a model is that of every bundle; here it is cut short."""
    from nbdeploy import launch as module

    made: list[Any] = []

    def make(model: Any, **asked: Any) -> nd.Bundle:
        made.append((model, asked["target"], asked["recipe"]))
        return quick()

    keywords: Any = {"provider": "local", "endpoint": None, "settings": {"port": 0}, "dry_run": True}
    plan = module.launch("learn", make=make, **keywords, target=None, recipe="fp16", overwrite=False)
    assert [("learn", "cloud", "fp16")] == made
    assert isinstance(plan, Plan)
    assert "colours" == plan.name


def test_what_is_no_picture_and_what_does_not_answer_are_told_apart(quick: Quick, tmp_path: Path) -> None:
    one = nd.deploy(quick(), provider="local", endpoint="pets")
    (tmp_path / "no.jpg").write_bytes(b"no")
    with pytest.raises(DataError, match="no.jpg: That is no picture."):
        one.predict(tmp_path / "no.jpg")
    with pytest.raises(DataError, match="gone.jpg cannot be read"):
        one.predict(tmp_path / "gone.jpg")
    samples = [one.record["bundle"] + "/" + name for name in nd.Bundle.open(one.record["bundle"]).manifest["samples"]]
    assert len(samples) == len(one.predict(*samples))  # type: ignore[arg-type]
    one.remove()
    with pytest.raises(ProviderError, match="does not answer"):
        one.predict(samples[0])


def test_a_provider_that_is_gone_takes_no_table_down() -> None:
    store.keep("odd", "no-such-provider", {}, {"url": "http://127.0.0.1:1", "model": {"name": "a", "version": "1"}})
    (row,) = nd.endpoints().rows()
    assert "unknown" == row["state"]
    assert "no-such-provider" in row["why"]
    assert "– unknown" in str(nd.endpoints())
    assert "no-such-provider" in nd.endpoints()._repr_html_()


def test_names_are_good_for_every_place() -> None:
    assert "pets" == name_for("pets")
    assert ["my-pets-2", "model", "resnet18"] == [name_from(text) for text in ("My pets 2!", "42 ...", "resnet18")]
    for wrong in ("", "Pets", "9lives", "a_b", "-a", "a-", "a" * 41, "../x", "a/b"):
        with pytest.raises(UsageError):
            name_for(wrong)
    assert [] == [text for text in ("é", "a" * 90, "-x-", "Ünï cödé") if name_for(name_from(text)) != name_from(text)]


def test_secret_settings_are_kept_apart_from_the_table(own_state: Path) -> None:
    store.keep("pets", "ssh", {"host": "vps"}, {})
    store.keep_secret_settings("pets", {"passphrase": "open sesame"})
    assert {"passphrase": "open sesame"} == store.secret_settings("pets")
    assert b"sesame" not in (own_state / "endpoints.sqlite").read_bytes()
    assert 0o600 == (own_state / "secrets" / "pets.json").stat().st_mode & 0o777
    store.forget("pets")
    assert {} == store.secret_settings("pets")


def test_an_endpoint_that_another_process_changes_is_not_changed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WAIT_S", 0.1)
    with store.held("pets"), pytest.raises(ProviderError, match="changed by another process"), store.held("pets"):
        pass


def test_a_price_says_what_it_is_of_and_how_old() -> None:
    price = Price(0.05, "USD", "2 vCPU, 4 GiB", "the list of prices", "2026-11-01")
    plan = Plan("there", "pets", ("one",), {"a/b.yaml": "x: <1>\n"}, ("run it",), price, notes=("mind",))
    assert "Price: 0.05 USD an hour, 36.50 USD a month, for 2 vCPU, 4 GiB (the list of prices, read 2026-11-01)" in str(
        plan
    )
    assert "File a/b.yaml\n  | x: <1>" in str(plan)
    assert "x: &lt;1&gt;" in plan._repr_html_()
    assert "Price: not known" in str(Plan("there", "pets", ("one",)))
