"""A page of a review that needs no kernel: what a saved notebook shows when it is opened again, or on a web page."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from nbdeploy.core.look import Html, bar, head, html, output, quiet, table, thumbnail
from nbdeploy.data.records import count, shown
from nbdeploy.data.review.queues import QUEUES, Queue
from nbdeploy.data.review.review import Look, Review

_THUMBS = 6
_MOST_BYTES = 300_000
"""Of pictures in one page, since it is saved in the notebook."""
_WORDS = {"exclude": "excluded", "relabel": "relabelled", "rotate": "turned", "merge": "merged into a copy"}
_APPEAR = (
    "<style>@keyframes nbd-appear{from{visibility:hidden}to{visibility:visible}}"
    ".nbd-cleaner-page{animation:nbd-appear 0s 1.5s both}"
    ".jp-OutputArea-child:has(+ .jp-OutputArea-child .nbd-cleaner-page) .jupyter-widgets:not(:has(*)){display:none}"
    "</style>"
)
"""The living widget hides the page; it waits a moment for that. Without a kernel JupyterLab puts an error in the
widget's place, which says nothing that the page does not say."""


def as_html(review: Review, *, name: str, place: str = "") -> str:
    """A fragment with its own style: how far each queue is, its first pictures, what was decided, and how to go on.

    `place` is a class that the living widget hides it by.
    """
    found = [queue for queue in QUEUES if queue.kinds]
    open_ = sum(review.count(queue.name).open for queue in found)
    every = sum(review.count(queue.name).every for queue in found)
    room = _MOST_BYTES
    rows = []
    for queue in found:
        if review.count(queue.name).every:
            thumbs = _thumbs(review, queue) if room > 0 else ""
            room -= len(thumbs)
            rows.append(_row(review, queue, thumbs))
    looked = f"{every - open_:,} of {count(every, 'suspect')} looked at" if every else "Nothing suspect was found"
    made = output(
        head(f"{name}: {count(len(review.items), 'picture')}"),
        quiet(f"{looked}. {_decided(review)}"),
        table(rows, "lwnp", heads=("Queue", "Looked at", "", "The most suspect"), css="nbd-mid nbd-full")
        if rows
        else Html(""),
        quiet(
            # Not the whole path: notebooks are published.
            f"Not connected to a kernel: nothing is lost, decisions are kept in {shown(review.journal.path.name)}. ",
            "Run the cell again to go on.",
        ),
    )
    return f'<div class="nbd-cleaner-page {html(place)}">{_APPEAR}{made}</div>'


def _row(review: Review, queue: Queue, thumbs: Html | str) -> tuple[str, ...]:
    how = review.count(queue.name)
    looked = how.every - how.open
    return queue.title, bar(looked / how.every), f"{looked:,} of {how.every:,}", Html(thumbs)


def _thumbs(review: Review, queue: Queue) -> Html:
    places, _ = review.order(Look(queue.name))
    return Html("".join(thumbnail(review.items[place].path) for place in islice(places, _THUMBS)))


def _decided(review: Review) -> str:
    now = Counter[str](edit.operation for edit in review.edits)
    words = [f"{now[name]:,} {text}" for name, text in _WORDS.items() if now[name]]
    return f"Decided: {', '.join(words)}." if words else "Nothing was changed."
