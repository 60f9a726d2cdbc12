"""The queues in which findings are looked through, the most urgent first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """Findings that are decided in the same way, one after another."""

    name: str
    title: str
    kinds: tuple[str, ...] = ()
    """Of `nbdeploy.core.finding.KINDS`."""
    grouped: bool = False
    """Whether pictures that belong together stand side by side."""
    what: str = ""
    """What is asked here, in a sentence."""


QUEUES = (
    Queue(
        "unreadable",
        "Unreadable",
        ("empty_file", "not_an_image", "unreadable", "truncated", "image_bomb"),
        what="Files that training could not open. Exclude them, or mend the file and audit again.",
    ),
    Queue(
        "labels",
        "Labels",
        ("label_error",),
        what="A model that did not see these labels doubts them. Accept its label, give another, or keep.",
    ),
    Queue(
        "duplicates",
        "Duplicates",
        ("exact_duplicate", "near_duplicate", "cross_class_duplicate"),
        grouped=True,
        what="The same picture, or nearly. Keep the best of each group, or all where they are no copies.",
    ),
    Queue(
        "leaks",
        "Leaks",
        ("split_leak",),
        grouped=True,
        what="Held out and trained on too, so that accuracy looks better than it is. Keep one side.",
    ),
    Queue(
        "quality",
        "Quality",
        ("blank", "dark", "overexposed", "blurred", "noisy", "garbled"),
        what="Pictures that show little. Exclude those that a person could not name either.",
    ),
    Queue(
        "format",
        "Format",
        (
            "wrong_extension",
            "exif_rotated",
            "sixteen_bit",
            "float_pixels",
            "cmyk",
            "animated",
            "alpha",
            "palette",
            "odd_size",
            "odd_aspect",
        ),
        what="Stored in a way that training may read otherwise than you see it.",
    ),
    Queue("outliers", "Outliers", ("outlier",), what="Unlike all others. Do they belong to this data at all?"),
    Queue("all", "All pictures", what="Every picture, to look through by class, split or confidence."),
    Queue("decided", "Decided", what="What was decided, the newest first."),
)
"""The order in which they stand, and in which the next one is taken."""

BY_NAME = {queue.name: queue for queue in QUEUES}
QUEUE_OF = {kind: queue.name for queue in QUEUES for kind in queue.kinds}
