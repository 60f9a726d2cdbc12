"""The routes that platforms ask for: SageMaker's, and Vertex AI's from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .health import Health
from .pool import Pool
from .predicting import Predict


def health_routes(health: Health, environ: Mapping[str, str] = os.environ) -> list[Route]:
    """``GET /ping`` and ``$AIP_HEALTH_ROUTE``: 200 when ready."""

    async def ping(request: Request) -> Response:
        return await health.ready(request)

    return [Route(path, ping) for path in dict.fromkeys(["/ping", *_own(environ, "AIP_HEALTH_ROUTE")])]


def predict_routes(pool: Pool, most_pixels: int, environ: Mapping[str, str] = os.environ) -> list[Route]:
    """``POST /invocations`` as /predict, and ``$AIP_PREDICT_ROUTE``, whose answer holds the predictions only."""
    whole, bare = Predict(pool, most_pixels=most_pixels), Predict(pool, most_pixels=most_pixels, bare=True)
    routes = [Route("/invocations", whole.__call__, methods=["POST"])]
    return routes + [Route(path, bare.__call__, methods=["POST"]) for path in _own(environ, "AIP_PREDICT_ROUTE")]


def paths(routes: list[BaseRoute]) -> list[str]:
    """The addresses of routes without parts that vary."""
    return [route.path for route in routes if isinstance(route, Route) and not route.param_convertors]


def _own(environ: Mapping[str, str], name: str) -> list[str]:
    path = environ.get(name, "")
    return [path] if path.startswith("/") and "{" not in path else []
