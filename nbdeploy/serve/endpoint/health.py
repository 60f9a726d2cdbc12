"""GET /healthz: the process lives. GET /readyz: the model was loaded and answers its samples as it did when made."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .pool import Pool, State
from .refusal import as_json


class Health:
    """Two answers: a process that loads, or finishes its last requests, lives but is not ready."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def live(self, _: Request) -> Response:
        """200 for as long as the process answers."""
        return as_json({"live": True})

    async def ready(self, _: Request) -> Response:
        """200 with the model, or 503 with the reason."""
        if self.pool.state is State.ready:
            return as_json({"ready": True, "model": self.pool.model.about()})
        return as_json({"ready": False, "why": self.pool.state.value}, status=503, headers={"Retry-After": "1"})
