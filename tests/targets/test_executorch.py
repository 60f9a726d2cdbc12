"""The executorch target."""

from __future__ import annotations

import pytest

from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestExecutorch(TargetContract):
    """Held to what every target promises."""

    target = "executorch"
