"""What the steps of one run share."""

from __future__ import annotations

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

from nbdeploy.errors import DataError
from nbdeploy.pipeline.contents import digest_of
from nbdeploy.pipeline.doing import Cleaned, Doing, edits_from_plain, edits_to_plain
from nbdeploy.pipeline.hashes import Hashes
from nbdeploy.pipeline.spec import Spec
from nbdeploy.pipeline.state import State


class Work:
    """The data, read when it is first needed, and what was made of it; the state, and who does the work."""

    def __init__(self, spec: Spec, state: State, hashes: Hashes, doing: Doing) -> None:
        self.spec, self.state, self.hashes, self.doing = spec, state, hashes, doing
        self._cleaned: Any = None

    @cached_property
    def raw(self) -> Any:
        """The data as it is. Raises DataError where it is no longer that that were looked at."""
        return self.doing.read(self.spec, self.state.folder / "unpacked" / self._archive())

    @property
    def cleaned(self) -> Any:
        """The set to train on: just cleaned, or made again of the Edits that were kept."""
        if self._cleaned is None:
            record = self.state.records["clean"]
            raw = json.loads(self.clean_file.read_text(encoding="utf-8"))
            edits, rows = edits_from_plain(raw["edits"]), frozenset(raw.get("rows", ()))
            self._cleaned = self.raw.apply(edits) if edits else self.raw.without(rows) if rows else self.raw
            if digest_of(self._cleaned) != record.digest:
                raise DataError("The data changed while the pipeline ran.", hint="Run it again.")
        return self._cleaned

    def keep_cleaned(self, made: Cleaned) -> None:
        """Remember the cleaned set and write what made it."""
        plain = {"edits": edits_to_plain(made.edits), "rows": list(made.rows), "findings": list(made.findings)}
        self.clean_file.write_text(json.dumps(plain, indent=1), encoding="utf-8", errors="backslashreplace")
        self._cleaned = made.images

    @property
    def clean_file(self) -> Path:
        """Edits and open findings of the cleaned set."""
        return self.state.folder / "clean.json"

    def forget_archives(self) -> None:
        """Remove what earlier archives were unpacked to: it is of no use any more."""
        for folder in (self.state.folder / "unpacked").glob("*"):
            if folder.name != self._archive():
                shutil.rmtree(folder, ignore_errors=True)

    def _archive(self) -> str:
        place = self.spec.place
        return "" if place.is_dir() else self.hashes.of_all([place])[self.hashes.name(place)][:16]
