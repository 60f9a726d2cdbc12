"""The live table of runs in a notebook: narrowed, sorted, compared and drawn without a line of code."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable
from typing import Any

from IPython.display import display

from nbdeploy.core import look
from nbdeploy.errors import NbdeployError
from nbdeploy.jupyter.widgets.base import LiveTable, joined, style
from nbdeploy.tracking import shown
from nbdeploy.tracking.run import Run
from nbdeploy.tracking.runs import Runs
from nbdeploy.tracking.shown import less_is_better, sign, title, took, when

_MOST = 1000
"""Rows that a page is sent."""


class RunsTable(LiveTable):
    """What `nd.runs()` shows in a notebook. It looks anew every few seconds while a page shows it."""

    _esm = joined("runs", ("table",))
    _css = style("runs")

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self.runs = runs
        self._one_at_a_time = threading.Lock()
        self._where, self._kept = "", set[str]()
        self._said: dict[str, str] = {"kind": "", "text": "", "undo": ""}
        self.on_msg(self._heard)
        self._publish()

    def _publish(self) -> None:
        params, metrics = self.runs.names()
        rows = [_row_of(run, params, metrics) for run in self.runs[:_MOST]]
        if self._where:
            rows = [row for row in rows if row["id"] in self._kept]
        self.state = {
            "id": self._id,
            "heads": _heads(params, metrics),
            "rows": rows,
            "heading": self.runs.heading() if self.runs.runs else "No runs",
            "empty": self.runs.empty(),
            "hidden": self.runs.hidden,
            "where": self._where,
            "said": self._said,
        }

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        """A message of the page; work is done beside, so that cells of the notebook can go on."""
        if isinstance(content, dict) and str(content.get("kind")) in self._does():
            threading.Thread(target=self._do, args=(content,), daemon=True).start()

    def _does(self) -> dict[Any, Callable[[dict[str, Any]], None]]:
        return {
            "look": self._look,
            "where": self._narrow,
            "details": lambda asked: self._below(self._one(asked)._repr_html_(), self._one(asked).id),
            "reproduce": lambda asked: self._below(self._one(asked).reproduce()._repr_html_(), "How to do it again"),
            "compare": lambda asked: self._below(self._chosen(asked).compare()._repr_html_(), "Side by side"),
            "history": lambda asked: self._below(_picture(self._chosen(asked).history()), "Epoch by epoch"),
            "plot": lambda asked: self._below(_picture(self._chosen(asked).plot()), "Parallel coordinates"),
            "remove": self._remove,
            "restore": self._restore,
        }

    def _do(self, content: dict[str, Any]) -> None:
        with self._one_at_a_time:
            try:
                self._does()[str(content["kind"])](content)
            except NbdeployError as error:
                self._say("failed", f"{error.message} {error.hint}")
            except Exception as error:  # noqa: BLE001 - an error in here would be seen by nobody
                self._say("failed", f"{type(error).__name__}: {error}")

    def _look(self, _: dict[str, Any]) -> None:
        self.runs = self.runs.again()
        self._keep()
        self._publish()

    def _narrow(self, content: dict[str, Any]) -> None:
        before, self._where = self._where, str(content.get("text", "")).strip()
        try:
            self._keep()
        except NbdeployError:
            self._where = before
            raise
        self._say("", "")

    def _keep(self) -> None:
        self._kept = {run.id for run in self.runs.where(self._where)} if self._where else set()

    def _remove(self, content: dict[str, Any]) -> None:
        run = self._one(content).remove()
        self.runs = self.runs.again()
        self._say("passed", f"{run.id} is no longer listed; what it made stays.", undo=run.id)

    def _restore(self, content: dict[str, Any]) -> None:
        run = self._one(content).restore()
        self.runs = self.runs.again()
        self._keep()
        self._say("passed", f"{run.id} is listed again.")

    def _one(self, content: dict[str, Any]) -> Run:
        return self.runs[str(content.get("id", ""))]

    def _chosen(self, content: dict[str, Any]) -> Runs:
        wanted = {str(one) for one in content.get("ids", ())}
        kept = tuple(run for run in self.runs if run.id in wanted)
        return Runs(kept, self.runs.asked)

    def _below(self, html: str, heading: str) -> None:
        self._say("", "")
        self.send({"kind": "below", "title": heading, "html": html})

    def _say(self, kind: str, text: str, *, undo: str = "") -> None:
        self._said = {"kind": kind, "text": text, "undo": undo}
        self._publish()

    def _page(self) -> str:
        return self.runs._repr_html_()

    def _words(self) -> str:
        return str(self.runs)

    def __repr__(self) -> str:
        return f"Runs({len(self.runs)})"


def _heads(params: list[str], metrics: list[str]) -> list[dict[str, Any]]:
    """Title, whether it holds numbers, and whether the first sorting puts the small ones first."""
    fixed = [("Run", False, True), ("What", False, True), ("Status", False, True), ("Began", False, False)]
    made = [*fixed, ("Took", True, False), *((title(name), True, less_is_better(name)) for name in metrics)]
    made += [(title(name), False, True) for name in params]
    return [{"text": text, "number": figures, "up": up} for text, figures, up in made]


def _row_of(run: Run, params: list[str], metrics: list[str]) -> dict[str, Any]:
    """One row as the page gets it: texts to read, and beside them what they are sorted by."""
    cells: list[tuple[str, Any]] = [
        (run.id, run.id),
        (run.what, run.what),
        (f"{look.SIGNS[sign(run.status)]} {run.status}", run.status),
        (when(run.began), run.began.timestamp()),
        (took(run.took_s), run.took_s),
    ]
    for held, names in ((run.metrics, metrics), (run.params, params)):
        for name in names:
            value = held.get(name)
            cells.append((shown.show(name, value), value if isinstance(value, int | float | str) else None))
    return {
        "id": run.id,
        "kind": sign(run.status),
        "status": run.status,
        "why": run.why,
        "more": " ".join([run.noted, *run.tags, *(f"{key}={value}" for key, value in run.params.items())]),
        "note": run.noted,
        "tags": list(run.tags),
        "cells": [text for text, _ in cells],
        "sort": [value for _, value in cells],
    }


def _picture(figure: Any) -> str:
    """A figure as an element of the page."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=144)
    uri = base64.b64encode(data.getvalue()).decode()
    return f'<img class="nbd-figure" alt="The runs, drawn" src="data:image/png;base64,{uri}">'


def show(runs: Runs) -> None:
    """Show `runs` as the live table: what the extension registers for them."""
    display(RunsTable(runs))
