"""The lazy tables of names."""

from __future__ import annotations

import pytest

from nbdeploy import registry
from nbdeploy.errors import MissingExtra, UnknownName


def test_names_and_aliases_are_offered_in_order() -> None:
    names = registry.targets.names()
    assert sorted(names) == names
    assert {"tflite", "litert", "onnx"} <= set(names)


def test_a_near_miss_is_suggested_and_never_run() -> None:
    with pytest.raises(UnknownName, match='Did you mean "onnx"') as caught:
        registry.targets.load("onx")
    assert 2 == caught.value.exit_status


def test_a_missing_package_is_named_with_its_install_line() -> None:
    table = registry.Registry("target", "no.such.group", {"x": registry.Entry("not_there.at_all:X", "", extra="xs")})
    with pytest.raises(MissingExtra, match=r'pip install "nbdeploy\[xs\]"'):
        table.load("x")


@pytest.mark.usefixtures("numpy_target")
def test_a_third_party_adds_a_name_and_cannot_take_one_of_ours() -> None:
    assert "nbdeploy-numpy" == registry.targets["numpy"].package
    taken = registry.Registry("target", "nbdeploy.targets", {"numpy": registry.Entry("nbdeploy.errors:say", "ours")})
    assert "ours" == taken["numpy"].summary
