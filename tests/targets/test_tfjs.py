"""The tfjs target."""

from __future__ import annotations

import pytest

from nbdeploy import registry
from tests.targets.page import PageContract


@pytest.mark.slow
@pytest.mark.browser
class TestTfjs(PageContract):
    """Held to what every target with a page promises."""

    target = "tfjs"


def test_tensorflow_js_is_another_name_for_it() -> None:
    assert "tfjs" == registry.targets.canonical("tensorflow-js")
