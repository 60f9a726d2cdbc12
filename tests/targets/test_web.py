"""The web target."""

from __future__ import annotations

import pytest

from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestWeb(TargetContract):
    """Held to what every target promises."""

    target = "web"
