"""What every test has: the root of the repository, and the same random numbers each time."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Heed Ctrl-C; in the process that prints, name each failure when it happens, not only at the end of a long run."""
    # A shell that starts a run in the background has it ignored, here and in the processes that tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_AtOnce(config))


class _AtOnce:
    def __init__(self, config: pytest.Config) -> None:
        self.plugins = config.pluginmanager

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self.plugins.getplugin("terminalreporter")
        if report.failed and terminal:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = (crash.message if crash else report.longreprtext).strip().partition("\n")[0]
            terminal.write_line("")
            terminal.write_line(f"{report.when} of {report.nodeid} failed after {report.duration:.1f} s: {why}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _fresh_seeds() -> None:
    # Only what is loaded already: a quick test does not pay for torch.
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Logs, caches and runs of the tests stay out of the user's home, also in the processes that tests start.
    cache = tmp_path_factory.mktemp("cache")
    # But npm is asked once: its part is shared by the workers of a run.
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "npm"
    shared.mkdir(exist_ok=True)
    (cache / "npm").symlink_to(shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBDEPLOY_CACHE", str(cache))
        patch.setenv("NBDEPLOY_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_mediapipe() -> Iterator[None]:
    # Importing it takes seconds in each bundle of tflite; the tests of its check turn it on.
    from nbdeploy.targets import mediapipe_check

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mediapipe_check, "installed", lambda: False)
        yield


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny pictures in three class folders; not to be changed by a test."""
    from tests.models import write_pictures

    return write_pictures(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="session")
def conv_learner(pictures: Path) -> Any:
    """A trained Learner on the tiny pictures."""
    from tests.models import learner, loaders

    return learner(loaders(pictures), epochs=6)


@pytest.fixture(scope="session")
def patch_learner(pictures: Path) -> Any:
    """A trained Learner that the third-party target can lower."""
    from tests.models import learner, loaders, patch_model

    dls = loaders(pictures)
    return learner(dls, patch_model(dls.c), epochs=8, lr=0.1)


@pytest.fixture(scope="session")
def patch_program(patch_learner: Any) -> Any:
    """It exported, as a Program."""
    import nbdeploy as nd

    return nd.export(patch_learner, name="patches")


@pytest.fixture(scope="session")
def patch_bundle(patch_program: Any, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of it for the third-party target, version 0.9.0; not to be changed by a test, which copies it."""
    import nbdeploy as nd

    out = tmp_path_factory.mktemp("made") / "b"
    with pytest.MonkeyPatch.context() as patch:
        _install_third_party(root, patch)
        return nd.deploy(patch_program, target="numpy", out=out, version="0.9.0", latency_runs=0).path


@pytest.fixture
def numpy_target(root: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A third-party package with a target, installed as far as this process and its children can tell."""
    _install_third_party(root, monkeypatch)
    return monkeypatch


def _install_third_party(root: Path, patch: pytest.MonkeyPatch) -> None:
    place = str(root / "tests" / "thirdparty")
    patch.syspath_prepend(place)
    patch.setenv("PYTHONPATH", place)
