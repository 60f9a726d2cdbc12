"""How nbdeploy's own warnings look while the extension is loaded."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from nbdeploy.errors import NbdeployWarning
from nbdeploy.jupyter import loading


def test_a_warning_of_ours_is_one_line_and_those_of_others_are_as_before(
    bare: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: before.append(str(message)))
    loading.load(bare.ip)
    warnings.showwarning("3 files set aside.", NbdeployWarning, "x.py", 1)
    warnings.showwarning("old", DeprecationWarning, "x.py", 1)
    assert "Note: 3 files set aside.\n" == capsys.readouterr().err
    assert ["old"] == before


def test_unloading_gives_the_former_way_back(bare: Any) -> None:
    before = warnings.showwarning
    loading.load(bare.ip)
    assert warnings.showwarning is not before
    loading.unload(bare.ip)
    assert warnings.showwarning is before
