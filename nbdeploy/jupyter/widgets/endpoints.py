"""The live table of endpoints in a notebook: how they are, and buttons for what can be done with them."""

from __future__ import annotations

import threading
from typing import Any

from IPython.display import display

from nbdeploy.errors import NbdeployError, UsageError
from nbdeploy.jupyter.widgets.base import LiveTable, joined, style
from nbdeploy.providers.table import Endpoints, health, page, remarks, shown

_EVERY_S = 3.0
_LINES = 40


class EndpointsTable(LiveTable):
    """What `nd.endpoints()` shows in a notebook. It asks anew every three seconds while a page shows it."""

    _esm = joined("endpoints", ("table",))
    _css = style("endpoints")

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__()
        self.endpoints = endpoints
        self._rows = endpoints.rows()
        self._one_at_a_time = threading.Lock()
        self._said: dict[str, str] = {"kind": "", "text": ""}
        self._busy = ""
        self.on_msg(self._heard)
        self._publish()

    def _publish(self) -> None:
        self.state = {
            "id": self._id,
            "rows": [_row_of(row) for row in self._rows],
            "said": self._said,
            "busy": self._busy,
        }

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        """A message of the page; work is done beside, so that cells of the notebook can go on."""
        if not isinstance(content, dict):
            return
        kind = content.get("kind")
        if kind == "look":
            threading.Thread(target=self._look, daemon=True).start()
        elif kind in {"rollback", "remove", "update", "canary", "end", "logs"} and not self._busy:
            threading.Thread(target=self._do, args=(str(kind), content), daemon=True).start()

    def _look(self) -> None:
        if self._one_at_a_time.acquire(blocking=False):
            try:
                self._rows = self.endpoints.rows()
                self._publish()
            finally:
                self._one_at_a_time.release()

    def _do(self, kind: str, content: dict[str, Any]) -> None:
        name = str(content.get("name", ""))
        self._busy, self._said = f"{_DOING.get(kind, kind)} {name} ...", {"kind": "", "text": ""}
        self._publish()
        try:
            self._said = {"kind": "passed", "text": self._done(kind, name, content)}
        except NbdeployError as error:
            self._said = {"kind": "failed", "text": f"{error.message} {error.hint}"}
        except Exception as error:  # noqa: BLE001 - an error in here would be seen by nobody
            self._said = {"kind": "failed", "text": f"{type(error).__name__}: {error}"}
        self._busy = ""
        with self._one_at_a_time:
            self._rows = self.endpoints.rows()
        self._publish()

    def _done(self, kind: str, name: str, content: dict[str, Any]) -> str:
        one = self.endpoints[name]
        if kind == "logs":
            self.send({"kind": "logs", "name": name, "lines": one.logs(_LINES)})
            return ""
        if kind == "remove":
            one.remove()
            return f"{name} is gone, with all that was made for it."
        if kind == "rollback":
            one.rollback()
            return f"{name} is back at {one.record['model'].get('version', '')}."
        if kind == "end":
            one.canary(None)
            return f"The canary of {name} has ended."
        bundle = str(content.get("bundle", "")).strip()
        if not bundle:
            raise UsageError("Which bundle?", hint="Type the folder of one.")
        if kind == "canary":
            one.canary(bundle, float(content.get("share") or 0.1))
            return remarks({**self._now(name), "state": "up"})[0]
        one.update(bundle)
        return f"{name} answers as {one.record['model']['name']} {one.record['model']['version']}."

    def _now(self, name: str) -> dict[str, Any]:
        return next(row for row in self.endpoints.rows() if row["name"] == name)

    def _page(self) -> str:
        return page(self._rows)

    def _words(self) -> str:
        return str(self.endpoints.as_text(self._rows))

    def __repr__(self) -> str:
        return repr(self.endpoints)


_DOING = {"rollback": "rolling back", "remove": "removing", "update": "updating", "canary": "starting a canary of",
          "end": "ending the canary of", "logs": "reading the log of"}  # fmt: skip


def _row_of(row: dict[str, Any]) -> dict[str, Any]:
    """One row as the page gets it."""
    model, provider, *figures = shown(row)
    sign, word = health(row).split(" ", 1)
    return {
        "name": row["name"],
        "url": row["url"],
        "model": model,
        "provider": provider,
        "state": row["state"],
        "sign": sign,
        "word": word,
        "figures": figures,
        "remarks": remarks(row),
        "back": row["back"],
        "canary": bool(row["canary"]),
    }


def show(endpoints: Endpoints) -> None:
    """Show `endpoints` as the live table: what the extension registers for them."""
    display(EndpointsTable(endpoints))
