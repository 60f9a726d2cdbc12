"""The rows or texts in a request: JSON, plain text, or multipart fields named file. Each is the bytes of a raw file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import payload, pictures
from .model import Model
from .refusal import Refused

MOST = 256
"""Rows or texts in one request."""
_VALUES = 200_000
_ANY = {"", "application/octet-stream", "application/x-www-form-urlencoded"}
"""What says nothing of the body: what curl says of --data unless it is told otherwise, and what is not said."""
_TAKES = {
    "row": 'Send JSON: {"column": value, ...}, or a list of such rows.',
    "text": 'Send text/plain, or JSON: {"text": "..."}, or a list of texts.',
}


class Inputs:
    """What a model is given: found in a body, and made ready."""

    def __init__(self, model: Model, *, most_pixels: int) -> None:
        self.noun, self.most_pixels = model.noun, most_pixels
        self._names = {str(column["name"]) for column in model.columns}

    def found(self, content_type: str, body: bytes) -> list[bytes]:
        """The raw files in a body, in order, at least one. Raises Refused."""
        if self.noun == "picture":
            return payload.pictures(content_type, body)
        kind = content_type.partition(";")[0].strip().lower()
        if not body.strip():
            raise Refused(400, "empty_body", "The request has no body.", hint=_TAKES[self.noun])
        if kind == payload.FORM:
            return self._some(payload.form_files(content_type, body))
        if kind == "application/json" or (kind in _ANY and self.noun == "row"):
            return self._some(self._listed(payload.read_json(body, values=_VALUES, hint=_TAKES[self.noun])))
        if self.noun == "text" and (kind == "text/plain" or kind in _ANY):
            return [body]
        if kind.startswith(("image/", "text/")):
            raise Refused(
                422, f"takes_{self.noun}s", f"This model takes {self.noun}s, not {kind[:40]}.", hint=_TAKES[self.noun]
            )
        raise Refused(415, "unsupported_type", f"The content type {kind[:80]} is not taken.", hint=_TAKES[self.noun])

    def ready(self, classifier: Any, data: bytes) -> np.ndarray:
        """A raw file as the model takes it. Raises Refused."""
        if self.noun == "picture":
            return pictures.pixels(classifier, data, most=self.most_pixels)
        try:
            return classifier.prepare(data)  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            what = f"The {self.noun} cannot be read ({error})."
            raise Refused(422, f"not_a_{self.noun}", what, hint=_TAKES[self.noun]) from error

    def _listed(self, document: Any) -> list[bytes]:
        several = document if isinstance(document, list) else [document]
        if isinstance(document, dict):
            keys = (f"{self.noun}s", "instances")
            several = next((document[key] for key in keys if self._wraps(document, key, list)), several)
        if len(several) > MOST:  # said before each is written anew
            return [b""] * len(several)
        return [self._one(item, number) for number, item in enumerate(several)]

    def _one(self, item: Any, number: int) -> bytes:
        if isinstance(item, dict) and self._wraps(item, self.noun, dict if self.noun == "row" else str):
            item = item[self.noun]
        if self.noun == "row" and isinstance(item, dict):
            return json.dumps(item).encode()
        if self.noun == "text" and isinstance(item, str):
            return item.encode("utf-8", "replace")
        what = {"row": "an object, column -> value", "text": "a text"}[self.noun]
        raise Refused(422, f"takes_{self.noun}s", f"Entry {number} is not {what}.", hint=_TAKES[self.noun])

    def _wraps(self, of: dict[str, Any], key: str, kind: type) -> bool:
        """Whether `of` holds nothing but what is to be asked about; a column may be called so, too."""
        return set(of) - {"parameters"} == {key} and isinstance(of[key], kind) and key not in self._names

    def _some(self, found: list[bytes]) -> list[bytes]:
        if not 1 <= len(found) <= MOST:
            what = f"There are {len(found)} {self.noun}s; 1 to {MOST} are taken."
            raise Refused(422, "how_many", what, hint=_TAKES[self.noun])
        return found


def most_of(noun: str) -> int:
    """How many may be asked about at once."""
    return payload.MOST if noun == "picture" else MOST
