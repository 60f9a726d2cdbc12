"""%compare in a real shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from tests.bundles import bundle_at


def test_it_gives_what_the_python_call_gives_and_prints_that(shell: Any, tmp_path: Path, capsys: Any) -> None:
    shell.ns.update(small=bundle_at(tmp_path / "a"), others={"b": bundle_at(tmp_path / "b")})
    shell.ns["folder"] = bundle_at(tmp_path / "c").path
    found = shell.run("%compare small others folder")
    assert ["a", "b", "c"] == [Path(row.path).name for row in found]
    assert f'nd.compare(small, others, "{tmp_path / "c"}")' == capsys.readouterr().out.splitlines()[0]


def test_a_folder_is_taken_by_its_path(shell: Any, tmp_path: Path, capsys: Any) -> None:
    place = bundle_at(tmp_path / "a").path
    assert 1 == len(shell.run(f"found = %compare {place}") or shell.ns["found"])
    assert f'nd.compare("{place}")' == capsys.readouterr().out.splitlines()[0]


def test_without_a_name_it_takes_what_the_notebook_holds_each_once(shell: Any, tmp_path: Path, capsys: Any) -> None:
    one, two = bundle_at(tmp_path / "a"), bundle_at(tmp_path / "b")
    shell.ns.update(first=one, again=one, both=[one, two], mixed=[two, 3], empty=[], _hidden=3)
    shell.run("first")
    assert 2 == len(shell.run("%compare"))
    assert "nd.compare(first, both)" in capsys.readouterr().out


def test_no_bundle_at_all_says_what_to_do(shell: Any) -> None:
    with pytest.raises(UsageError, match=r"no bundle in this notebook\. Make one \(%deploy --target TARGET\)"):
        shell.run("%compare")
    with pytest.raises(UsageError, match=r'no bundle or folder "smal"\. There is no bundle in this notebook'):
        shell.run("%compare smal")


def test_a_misspelt_bundle_is_suggested_and_not_run(shell: Any, tmp_path: Path) -> None:
    shell.ns["small"] = bundle_at(tmp_path / "a")
    with pytest.raises(UsageError, match='Did you mean "small"'):
        shell.run("%compare smal")
