"""What goes into a deployed model and what comes out: fixed at export, copied unchanged into every bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nbdeploy.core.inputs import KINDS, Rows, Words
from nbdeploy.errors import BundleError

IMAGES = "image_classification"
STEPS = ("crop_resize", "squish_resize", "pad_resize", "center_crop", "exact_size")
RESAMPLES = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
PADS = ("zeros", "border", "reflection")
MAX_LABEL_CHARACTERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing the host does to the decoded picture before the model sees it.

    `op` is one of `STEPS`: cut the largest centred region of the wanted shape and resize it; resize ignoring shape;
    pad to the wanted shape and resize; cut (or pad with zeros) the centre without resizing; or insist on the size.
    """

    op: str
    width: int
    height: int
    resample: str = "bilinear"
    pad: str = "zeros"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """The two values that become 0 and 255 in pictures of more than 8 bits a channel.

    None: such pixels are clipped to 0..255, as Pillow and fastai do by themselves.
    """

    integers: tuple[float, float] | None = None
    """Of pictures with 16 or 32 bits: (0, 65535) uses all of 16."""
    floats: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, list[float] | None]:
        """Plain data: ``{"integers": [0, 65535], "floats": None}``."""
        return {name: None if span is None else list(span) for name, span in asdict(self).items()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any] | None) -> Ranges:
        """Read what `to_dict` wrote. Raises TypeError or ValueError for anything else."""
        found: dict[str, tuple[float, float]] = {}
        for name in ("integers", "floats"):
            if (span := (raw or {}).get(name)) is not None:
                low, high = span
                found[name] = (low + 0, high + 0)
        return cls(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The contract of a Program and of every bundle made from it.

    The model takes one picture as uint8 ``[1, height, width, channels]`` (NHWC, RGB or gray, 0..255), or where `given`
    says so a row of a table or a text, and gives float32 probabilities ``[1, len(labels)]``, in the order of `labels`.
    `graph` says in words what the model does to its input itself, so that no app does it twice.
    """

    labels: tuple[str, ...]
    width: int = 0
    height: int = 0
    channels: int = 0
    steps: tuple[Step, ...] = ()
    exif: bool = False
    """Whether the host turns the picture as its EXIF orientation says."""
    ranges: Ranges = Ranges()
    """What the host does to pictures of more than 8 bits a channel."""
    graph: tuple[str, ...] = ()
    task: str = IMAGES
    input_name: str = "image"
    output_name: str = "probabilities"
    given: Rows | Words | None = None
    """What goes in; None: a picture, of which the fields above speak."""

    @property
    def kind(self) -> str:
        """``image``, ``table`` or ``text``."""
        return "image" if self.given is None else self.given.kind

    @property
    def noun(self) -> str:
        """What a person calls one input: ``picture``, ``row`` or ``text``."""
        return "picture" if self.given is None else self.given.noun

    @property
    def shape(self) -> tuple[int, ...]:
        """The model's input shape; of pictures NHWC."""
        return (1, self.height, self.width, self.channels) if self.given is None else self.given.shape

    @property
    def dtype(self) -> str:
        """Of the model's input: ``uint8``, ``float32`` or ``int32``."""
        return "uint8" if self.given is None else self.given.dtype

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a manifest."""
        of_pictures: dict[str, Any] = {}
        if self.given is None:
            of_pictures = {
                "width": self.width,
                "height": self.height,
                "channels": self.channels,
                "colour": "RGB" if self.channels == 3 else "L",  # noqa: PLR2004 - red, green, blue
            }
        return {
            "task": self.task,
            "input": {
                "name": self.input_name,
                "dtype": self.dtype,
                "layout": "NHWC" if self.given is None else self.given.layout,
                "shape": list(self.shape),
                **of_pictures,
            },
            "host": self._host() if self.given is None else self.given.host(),
            "graph": list(self.graph),
            "output": {"name": self.output_name, "dtype": "float32", "shape": [1, len(self.labels)]},
            "labels": list(self.labels),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Signature:
        """Read what `to_dict` wrote. Raises BundleError for anything that does not fit."""
        try:
            signature = cls(
                task=str(raw["task"]),
                **_of_kind(raw),
                input_name=str(raw["input"]["name"]),
                graph=tuple(str(line) for line in raw["graph"]),
                output_name=str(raw["output"]["name"]),
                labels=tuple(str(label) for label in raw["labels"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"The signature cannot be read ({type(error).__name__}: {error}).",
                hint="It is written at export and not meant to be edited; make the bundle again with nd.deploy.",
            ) from error
        signature.check()
        return signature

    def _host(self) -> dict[str, Any]:
        """What the host does to a picture."""
        return {"exif": self.exif, "ranges": self.ranges.to_dict(), "steps": [asdict(step) for step in self.steps]}

    def _spans(self) -> list[tuple[float, float]]:
        return [span for span in (self.ranges.integers, self.ranges.floats) if span is not None]

    def check(self) -> None:
        """Raise BundleError when the parts do not fit together."""
        wrong = [
            *(f"step {s.op!r}" for s in self.steps if s.op not in STEPS),
            *(f"resample {s.resample!r}" for s in self.steps if s.resample not in RESAMPLES),
            *(f"pad {s.pad!r}" for s in self.steps if s.pad not in PADS),
            *(f"size {s.width}x{s.height}" for s in self.steps if min(s.width, s.height) < 1),
            *(f"range {low}..{high}" for low, high in self._spans() if not -math.inf < low < high < math.inf),
        ]
        wrong += [] if self.given is None else self.given.wrong()
        if self.given is None and self.channels not in {1, 3}:
            wrong.append(f"{self.channels} channels")
        if self.given is None and min(self.width, self.height) < 1:
            wrong.append(f"input size {self.width}x{self.height}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):  # noqa: PLR2004 - a choice needs two
            wrong.append("labels that are fewer than two or not unique")
        if any("\n" in label or "\r" in label for label in self.labels):
            wrong.append("a label with a line break")
        if wrong:
            raise BundleError(f"The signature has {', '.join(wrong)}.", hint="Make the bundle again with nd.deploy.")


def _of_kind(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a signature says of its input, as the fields of Signature."""
    given, host = raw["input"], raw["host"]
    if (kind := KINDS.get(str(raw["task"]))) is not None:
        return {"given": kind.from_host(host, tuple(int(side) for side in given["shape"]))}
    return {
        "width": int(given["width"]),
        "height": int(given["height"]),
        "channels": int(given["channels"]),
        "exif": bool(host["exif"]),
        "ranges": Ranges.from_dict(host.get("ranges")),  # not in bundles of before
        "steps": tuple(Step(**step) for step in host["steps"]),
    }
