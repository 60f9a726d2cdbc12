"""POST /predict: pictures, rows or texts in, labels and probabilities out."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .given import Inputs
from .pool import Pool
from .refusal import Refused, encoded


class Predict:
    """Answers with ``{"predictions": [{"label", "probabilities"}], "model", "inference_ms"}``."""

    def __init__(self, pool: Pool, *, most_pixels: int, bare: bool = False) -> None:
        self.pool, self.bare = pool, bare
        self.inputs = Inputs(pool.model, most_pixels=most_pixels)

    async def __call__(self, request: Request) -> Response:
        """One request; `inference_ms` is that of all it asks about."""
        body, kind = await request.body(), request.headers.get("content-type", "")
        answer = await self.pool.run(lambda classifier: self._work(classifier, kind, body))
        return Response(answer, media_type="application/json")

    def _work(self, classifier: Any, kind: str, body: bytes) -> bytes:
        files = self.inputs.found(kind, body)
        rows = [self._one(classifier, file, number, len(files)) for number, file in enumerate(files)]
        predictions = [{"label": row["label"], "probabilities": row["probabilities"]} for row in rows]
        if self.bare:
            return encoded({"predictions": predictions})
        took = round(sum(row["inference_ms"] for row in rows), 3)
        return encoded({"predictions": predictions, "model": self.pool.model.about(), "inference_ms": took})

    def _one(self, classifier: Any, file: bytes, number: int, of: int) -> dict[str, Any]:
        try:
            return classifier.answer(self.inputs.ready(classifier, file))  # type: ignore[no-any-return]
        except Refused as error:
            if of > 1:
                error.message = f"{self.inputs.noun.capitalize()} {number} (counted from 0): {error.message}"
            raise
