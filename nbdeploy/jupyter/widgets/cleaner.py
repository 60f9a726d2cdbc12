"""Cleaner: look through suspect pictures in a notebook and decide, with nothing of yours changed on disk."""

from __future__ import annotations

import os
import threading
import uuid
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import anywidget
import numpy as np
import traitlets
from IPython.display import publish_display_data

from nbdeploy.core.finding import Edit
from nbdeploy.data.findings import Findings
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.journal import Journal
from nbdeploy.data.records import count, shown
from nbdeploy.data.review.acts import edits_for, words_of
from nbdeploy.data.review.queues import QUEUES
from nbdeploy.data.review.review import Count, Look
from nbdeploy.data.review.rows import OPEN, changing, details, row
from nbdeploy.data.review.start import begin, cannot_write, source_of
from nbdeploy.data.review.static import as_html
from nbdeploy.data.review.thumbs import LARGE, picture, shared_thumbs
from nbdeploy.errors import NbdeployError, NbdeployWarning, OutputError
from nbdeploy.jupyter.widgets.base import joined, style

_PARTS = ("dom", "link", "store", "grid", "keys", "bars", "pane", "zoom", "cards", "app")
_FIRST = 48
"""Pictures that are sent with the widget itself, as messages wait while a cell runs."""
_MOST_AT_ONCE = 200
_REDRAW_S = 2.0
_VIEW = "application/vnd.jupyter.widget-view+json"


class Cleaner(anywidget.AnyWidget):
    """A widget that shows what an audit suspects, queue by queue, and keeps what you decide.

    `images` is an ImageSet or a folder, which need not be fit to train on. With a fastai Learner `learn` labels are
    judged by what its body makes of the pictures. `findings` are those of an audit made before; else one is made, with
    `seed`. Decisions are kept in `journal`, a Journal or a file's name, else in ``decisions.jsonl`` beside the data;
    so another Cleaner of the same data goes on where this one was left. `images` of the Cleaner is the cleaned
    ImageSet. Raises DataError for a folder without pictures.
    """

    _esm = joined("cleaner", _PARTS)
    _css = style("cleaner")
    _start = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        images: ImageSet | str | os.PathLike[str],
        learn: Any = None,
        *,
        findings: Findings | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        seed: int = 42,
    ) -> None:
        self._source = source_of(images, seed=seed)
        self._review = begin(self._source, learn=learn, findings=findings, journal=journal, seed=seed)
        self._place = f"nbd-cleaner-{uuid.uuid4().hex}"
        self._redraw: threading.Timer | None = None
        self._look = Look(self._review.first_queue)
        super().__init__(_start=self._first())
        self.on_msg(self._answer)

    @property
    def images(self) -> ImageSet:
        """The ImageSet with the decisions in force. Raises DataError where the folder is not fit to train on."""
        return self._source.decided(self.journal)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The decisions in force, also those of other notebooks."""
        self._review.refresh()
        return self._review.edits

    @property
    def findings(self) -> Findings:
        """What the audit suspects."""
        return self._review.findings

    @property
    def journal(self) -> Journal:
        """Where decisions are kept."""
        return self._review.journal

    @property
    def counts(self) -> dict[str, Count]:
        """Queue -> how many pictures, or groups of them, it has, how many are open, and how many were changed."""
        self._review.refresh()
        return self._review.counts

    def __repr__(self) -> str:
        return f"Cleaner({count(len(self._review.items), 'picture')}; {shown(self._source.folder)})"

    def _repr_mimebundle_(self, **keywords: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The widget, and for places without a kernel a page that needs none."""
        made = super()._repr_mimebundle_(**keywords)
        if made is not None:
            made[0]["text/html"] = as_html(self._review, name=self._name, place=self._place)
        return made

    def _ipython_display_(self) -> None:
        # JupyterLab shows of one output only the richest form, and that is an error once the kernel is gone. So the
        # page for then is an output of its own below, which the living widget hides.
        bundle = super()._repr_mimebundle_()
        if bundle is None:
            return
        data, metadata = bundle
        publish_display_data(data, metadata)
        self._publish_page(update=False)

    def close(self) -> None:
        """End the widget. What was decided stays."""
        if self._redraw:
            self._redraw.cancel()
        super().close()

    @property
    def _name(self) -> str:
        return shown(self._source.folder.name)

    def _publish_page(self, *, update: bool) -> None:
        page = as_html(self._review, name=self._name, place=self._place)
        data = {"text/html": page, "text/plain": repr(self)}
        publish_display_data(data, transient={"display_id": self._place}, update=update)

    def _first(self) -> dict[str, Any]:
        """All that the first screen needs."""
        view, buffers = self._view()
        places = np.frombuffer(buffers[0], np.uint32)[:_FIRST].tolist()
        have, thumbs = self._have(places, self._look.queue)
        return {
            "name": self._name,
            "place": self._place,
            "total": len(self._review.items),
            "queues": [{"name": q.name, "title": q.title, "what": q.what, "grouped": q.grouped} for q in QUEUES],
            "view": view,
            "viewBuffers": buffers,
            "have": have,
            "haveBuffers": thumbs,
        }

    def _state(self) -> dict[str, Any]:
        """What every answer carries: counts, labels, and what the legend says."""
        review = self._review
        look, remark = review.budget
        return {
            "counts": {name: asdict(one) for name, one in review.counts.items()},
            "labels": review.labels,
            "keys": review.keys,
            "edition": review.edition,
            "budget": look,
            "remark": remark,
            "notes": [one.evidence for one in review.findings.rows if one.kind == "class_imbalance"],
            "journal": shown(review.journal.path),
            "problem": cannot_write(review.journal),
            "unfit": self._source.problem.message if self._source.problem else "",
        }

    def _view(self) -> tuple[dict[str, Any], list[bytes]]:
        self._review.refresh()
        places, groups = self._review.order(self._look)
        flags = np.where(self._review.open_in(self._look.queue), OPEN, 0) | self._review.status
        buffers = [np.asarray(places, np.uint32).tobytes(), flags.astype(np.uint8).tobytes()]
        buffers.append(np.asarray(groups, np.uint32).tobytes())
        return {"kind": "view", "look": asdict(self._look), **self._state()}, buffers

    def _asked(self, content: dict[str, Any]) -> list[int]:
        """The places that a message is about, those that exist."""
        return [place for place in map(int, content["ids"]) if 0 <= place < len(self._review.items)]

    def _have(self, places: Sequence[int], queue: str) -> tuple[dict[str, Any], list[bytes]]:
        review = self._review
        some = places[:_MOST_AT_ONCE]
        made = shared_thumbs().many(review.items[place].path for place in some)
        rows = [row(review, place, queue) for place in some]
        for one, thumb in zip(rows, made, strict=True):
            one["problem"] = thumb.problem
        return {"kind": "have", "rows": rows}, [thumb.data for thumb in made]

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """One message of the page. Whatever goes wrong is an answer too, and the next message is heard."""
        if not isinstance(content, dict):
            return
        back = {key: content[key] for key in ("to", "seq") if key in content}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NbdeployWarning)
                made, buffers = getattr(self, f"_on_{content.get('kind')}", self._on_unknown)(content)
        except OutputError as error:
            hint = f'{error.hint} Here: nd.Cleaner(images, journal="my.jsonl").'
            made, buffers = {"kind": "failed", "message": error.message, "hint": hint}, []
        except NbdeployError as error:
            made, buffers = {"kind": "failed", "message": error.message, "hint": error.hint}, []
        except Exception as error:  # noqa: BLE001 - an error in here would be seen by nobody
            made, buffers = {"kind": "failed", "message": f"{type(error).__name__}: {error}", "hint": ""}, []
        if made:
            self.send({**made, **back}, buffers)

    def _on_unknown(self, _content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        return {}, []

    def _on_ping(self, _content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        return {"kind": "pong"}, []

    def _on_view(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if look := content.get("look"):
            self._look = Look(**look)
        return self._view()

    def _on_need(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        return self._have(self._asked(content), str(content["queue"]))

    def _on_zoom(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        place = int(content["i"])
        made = picture(self._review.items[place].path, LARGE)
        return {"kind": "zoomed", "problem": made.problem, **details(self._review, place)}, [made.data]

    def _on_act(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        places, queue = self._asked(content), str(content["queue"])
        changed = self._review.refresh()
        edits, said = edits_for(
            self._review, str(content["act"]), places, queue=queue, label=str(content.get("label", ""))
        )
        if edits:
            self.journal.record(edits)
        return self._done(said, changed, queue, did=bool(edits))

    def _on_undo(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        again, queue = bool(content.get("again")), str(content["queue"])
        batch = self.journal.redo() if again else self.journal.undo()
        if not batch:
            return self._done(f"Nothing to {'bring' if again else 'take'} back.", set(), queue, did=False)
        edits = [one.edit for one in self.journal.decisions() if one.batch == batch and one.edit]
        return self._done(f"{'Again' if again else 'Taken back'}: {words_of(edits)}", set(), queue, did=True)

    def _done(self, said: str, changed: set[int], queue: str, *, did: bool) -> tuple[dict[str, Any], list[bytes]]:
        changed |= self._review.refresh()
        if did:
            self._redraw_page()
        # A group is open or not as a whole.
        fellows = {one for place in changed if (group := self._review.group_at(queue, place)) for one in group.members}
        rows = [changing(self._review, place, queue) for place in sorted(changed | fellows)]
        return {
            "kind": "done",
            "said": said,
            "did": did,
            "changed": rows,
            **self._state(),
        }, []

    def _redraw_page(self) -> None:
        """Let the page for when the kernel is gone say what was decided, a moment after the last decision."""
        if self._redraw:
            self._redraw.cancel()
        self._redraw = threading.Timer(_REDRAW_S, self._publish_page, kwargs={"update": True})
        self._redraw.daemon = True
        self._redraw.start()
