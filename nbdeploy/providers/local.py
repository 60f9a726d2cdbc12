"""local: a process on this machine, which goes on when the notebook's kernel ends."""

from __future__ import annotations

import os

from nbdeploy.core.files import state_dir
from nbdeploy.core.report import Check, Status
from nbdeploy.providers.base import Setting
from nbdeploy.providers.machine import Here, Machine, python_here
from nbdeploy.providers.released import SETTINGS, Released


class LocalProvider(Released):
    """A supervised process of the user's own, on this machine."""

    name = "local"
    summary = "a process on this machine"
    settings = (
        *SETTINGS,
        Setting("python", "the Python that runs the server; the one that runs nbdeploy by default", ""),
    )
    status_here = "run"
    environment = "system"
    shared = False
    no_price = "It runs on this machine."
    notes = ("It goes on when the notebook ends, and stops with the machine.",)

    def machine(self) -> Machine:
        return Here()

    def folder(self, name: str) -> str:
        return str(state_dir() / "endpoints" / name)

    @property
    def python(self) -> str:
        return self.given["python"] or python_here()

    def check(self) -> list[Check]:
        if os.name != "posix":
            why = "The provider local needs Linux or macOS; on Windows use WSL, or: nbdeploy serve BUNDLE"
            return [Check("system", Status.failed, value=os.name, limit="posix", why=why)]
        done = self.machine().run([self.python, "-c", "import sys; print(sys.version_info >= (3, 9))"])
        ready = done.code == 0 and done.out.strip() == "True"
        why = f"{self.python} runs." if ready else f"{self.python} does not run Python 3.9 or later ({done.last})."
        return [Check("python", Status.passed if ready else Status.failed, value=self.python, why=why)]
