"""A real IPython shell with the magics, and a stand-in for fastai's Learner where training is beside the point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from nbdeploy.jupyter import loading


class Learner:
    """What the magics look at of a Learner."""

    arch = "resnet18"


class Shell:
    """Runs cells as a notebook does and keeps what they raised."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.ip = shell
        self.ns: dict[str, Any] = shell.user_ns

    def run(self, cell: str) -> Any:
        """The cell's value; raises what the cell raised."""
        result = self.ip.run_cell(cell, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error:
            raise error
        return result.result

    def complete(self, text: str) -> list[str]:
        """What the Tab key offers at the end of `text`."""
        with provisionalcompleter():  # the interface that the kernel itself uses
            return [completion.text for completion in self.ip.Completer.completions(text, len(text))]


@pytest.fixture
def fake_fastai(monkeypatch: pytest.MonkeyPatch) -> type[Learner]:
    """The class that the magics take for fastai's Learner."""
    module = ModuleType("fastai.learner")
    module.Learner = Learner  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fastai.learner", module)
    return Learner


@pytest.fixture
def bare(fake_fastai: type[Learner]) -> Iterator[Shell]:
    """A shell without the magics, with the Learner class as `Learner`."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.user_ns["Learner"] = fake_fastai
    yield Shell(shell)
    loading.unload(shell)
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """A shell with the magics."""
    loading.load(bare.ip)
    return bare
