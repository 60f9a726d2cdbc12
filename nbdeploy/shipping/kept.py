"""The bundle that was at a place before, kept beside it, so that a deployment can be taken back and put there again.

Beside ``build/x`` lies ``.x.before``, what was there, or ``.x.undone``, what was taken back. Both go with the next
deployment to that place, or when Python ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.core.files import exchange
from nbdeploy.errors import BundleError, OutputError


@dataclass
class Kept:
    """One place. `begin` before a deployment, then `done` or `failed`; afterwards `undo` and `redo`."""

    place: Path

    def __post_init__(self) -> None:
        self.place = Path(os.path.abspath(self.place))
        self._now = ""
        """The seal of the manifest that lies at the place; "" for nothing."""

    @property
    def before(self) -> Path:
        """Where what was there before lies."""
        return self.place.with_name(f".{self.place.name}.before")

    @property
    def undone(self) -> Path:
        """Where what was taken back lies."""
        return self.place.with_name(f".{self.place.name}.undone")

    @property
    def _coming(self) -> Path:
        return self.place.with_name(f".{self.place.name}.before-{os.getpid()}")

    def begin(self) -> None:
        """Keep what is at the place now: by hard links, which cost no room, where the disk knows them."""
        shutil.rmtree(self._coming, ignore_errors=True)
        if (self.place / MANIFEST).is_file() and not self.place.is_symlink():
            shutil.copytree(self.place, self._coming, copy_function=_link)

    def failed(self, *, placed: bool = False) -> None:
        """It came to nothing. Where the new bundle was `placed` all the same, what was there before comes back."""
        if placed and self._coming.exists():
            exchange(self._coming, self.place)
        elif placed:
            shutil.rmtree(self.place, ignore_errors=True)
        shutil.rmtree(self._coming, ignore_errors=True)

    def done(self) -> None:
        """Another bundle is there now."""
        self.clear()
        if self._coming.exists():
            self._coming.rename(self.before)
        self._now = _seal(self.place)
        atexit.register(self.clear)

    def undo(self) -> None:
        """Take the new bundle away, and put there what was before. Raises OutputError where it is another by now."""
        self.insist("taken back")
        shutil.rmtree(self.undone, ignore_errors=True)
        if self.before.exists():
            exchange(self.before, self.place)
            self.before.rename(self.undone)
        else:
            self.place.rename(self.undone)
        self._now = _seal(self.place)

    def redo(self) -> None:
        """Put the new bundle there again. Raises OutputError where another is there by now."""
        self.insist("put there again")
        if not self.undone.exists():
            raise OutputError("What was taken back is gone.", hint="Deploy again.")
        if self.place.exists():
            exchange(self.undone, self.place)
            self.undone.rename(self.before)
        else:
            self.undone.rename(self.place)
        self._now = _seal(self.place)

    def clear(self) -> None:
        """Forget what was kept."""
        atexit.unregister(self.clear)
        for folder in (self.before, self.undone):
            shutil.rmtree(folder, ignore_errors=True)

    def insist(self, what: str) -> None:
        """Raise OutputError where another bundle lies at the place by now."""
        if _seal(self.place) != self._now:
            raise OutputError(
                f"{self.place} is not as it was left, so nothing was {what}.", hint="Look at what is there now."
            )


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _seal(place: Path) -> str:
    """What tells one bundle from another; "" where there is none."""
    if not place.exists():
        return ""
    try:
        return str(Bundle.open(place).manifest.get("manifest_sha256", "?"))
    except BundleError:
        return "?"
