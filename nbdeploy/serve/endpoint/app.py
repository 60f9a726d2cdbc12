"""The application: routes, and the layers that every request passes."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .health import Health
from .pool import Pool
from .predicting import Predict
from .refusal import Refused
from .settings import Settings


def application(pool: Pool, settings: Settings) -> ASGIApp:
    """What answers for the model of `pool`."""
    predict, health = Predict(pool, most_pixels=settings.max_pixels), Health(pool)
    routes = [
        Route("/predict", predict.__call__, methods=["POST"]),
        Route("/healthz", health.live),
        Route("/readyz", health.ready),
    ]
    app = Starlette(routes=routes, exception_handlers={Refused: _refused, HTTPException: _no_route})
    app.router.redirect_slashes = False
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response()


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:  # noqa: PLR2004 - method not allowed
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.method[:20]} is not taken here."
        return Refused(405, "wrong_method", message, hint=f"Allowed: {allowed}.", headers=error.headers).response()
    return Refused(404, "no_such_route", "There is nothing at this address.", hint="GET /docs says what is.").response()
