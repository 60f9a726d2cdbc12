"""%advise in a real shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

import nbdeploy as nd
from tests.serve.made import write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed by a test."""
    return write_bundle(tmp_path_factory.mktemp("advised") / "bundle")


def test_it_gives_what_the_python_call_gives_and_prints_that(shell: Any, bundle: Path, capsys: Any) -> None:
    shell.ns["app"] = nd.Bundle.load(bundle)
    given = shell.run("%advise app --offline --rps 5 --price server=0.02:EUR --price cloud=0.4:EUR")
    assert isinstance(given, nd.Advice)
    assert ["device", "browser", "server", "cloud"] == [one.name for one in given.options]
    line = 'nd.advise(app, offline=True, prices={"server": "0.02:EUR", "cloud": "0.4:EUR"}, rps=5.0)'
    assert line == capsys.readouterr().out.splitlines()[0]


def test_without_a_name_it_takes_the_newest_bundle(shell: Any, bundle: Path, capsys: Any) -> None:
    shell.ns.update(first=nd.Bundle.load(bundle), second=nd.Bundle.load(bundle))
    shell.run("%advise --rps 5")
    assert "nd.advise(second, rps=5.0)" == capsys.readouterr().out.splitlines()[0]


def test_without_a_bundle_it_takes_the_newest_learner(shell: Any, monkeypatch: Any, capsys: Any) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("nbdeploy.advising.advice.advise", lambda model, **_: asked.append(model))
    shell.run("learn = Learner()")
    shell.run("%advise")
    assert [shell.ns["learn"]] == asked
    assert "nd.advise(learn)" in capsys.readouterr().out


def test_a_folder_is_taken_by_its_path(shell: Any, bundle: Path, capsys: Any) -> None:
    shell.run(f"given = %advise {bundle} --rps 5")
    assert f'nd.advise("{bundle}", rps=5.0)' == capsys.readouterr().out.splitlines()[0]


def test_what_is_no_bundle_is_refused_in_a_line(shell: Any) -> None:
    shell.ns["number"] = 3
    with pytest.raises(UsageError, match="number is a int; %advise takes a Bundle, a Learner"):
        shell.run("%advise number")
