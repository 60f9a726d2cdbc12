"""The tfjs target."""

from __future__ import annotations

import pytest

from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestTfjs(TargetContract):
    """Held to what every target promises."""

    target = "tfjs"
