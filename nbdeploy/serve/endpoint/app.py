"""The application: routes, and the layers that every request passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from . import clouds, openapi, v2
from .bodies import Bodies
from .canary import Canary
from .guard import HERE, Guard
from .health import Health
from .log import Log
from .metrics import Metrics
from .observe import Observe
from .page import Page
from .pool import Pool
from .predicting import Predict
from .refusal import Refused, as_json, fault
from .settings import Settings
from .tensors import LENGTH
from .tokens import Tokens


@dataclass(frozen=True)
class Parts:
    """The routes of one server, in groups: those that need a token, those that do not, and those that predict."""

    free: list[Route]
    predicting: list[Route]
    others: list[Route]

    @property
    def all(self) -> list[Route]:
        return [*self.predicting, *self.free, *self.others]  # what is asked most is looked for first


def application(pool: Pool, settings: Settings, log: Log, *, local: bool) -> ASGIApp:
    """What answers for the model of `pool`. `local`: only this machine can ask. Raises Unusable."""
    metrics, tokens = Metrics(pool), Tokens(settings.tokens, settings.token_sha256)
    parts = _parts(pool, settings, metrics, asked=tokens.asked)
    inner = Starlette(routes=parts.all, exception_handlers=_HANDLERS)
    inner.router.redirect_slashes = False
    app: ASGIApp = inner
    if settings.canary:
        app = Canary(app, file=settings.canary, paths=clouds.paths([*parts.predicting]), metrics=metrics)
    unguarded = local and not tokens.asked and not settings.public
    hosts = {*HERE, settings.host} if unguarded else set()
    app = Guard(app, tokens=tokens, rate=settings.rate, free=clouds.paths([*parts.free]), hosts=hosts)
    if settings.cors:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", LENGTH],
            expose_headers=[LENGTH, "retry-after", "x-request-id"],
        )
    app = Bodies(app, most=settings.max_body, memory=settings.memory, patience=settings.patience)
    return Observe(app, route=_Routes(parts.all).of, metrics=metrics, log=log, pool=pool)


def _parts(pool: Pool, settings: Settings, metrics: Metrics, *, asked: bool) -> Parts:
    health, page = Health(pool), Page(pool.model, asked=asked)
    platform_health = clouds.health_routes(health)
    platform_predict = clouds.predict_routes(pool, settings.max_pixels)
    protocol = v2.OpenInference(pool, most_pixels=settings.max_pixels).routes()
    taken = {"/ping", "/invocations", "/predict", "/healthz", "/readyz"}
    said = openapi.document(
        pool.model,
        asked=asked,
        vertex=[route.path for route in platform_predict if route.path not in taken],
        vertex_health=[route.path for route in platform_health if route.path not in taken],
    )

    async def described(_: Request) -> Response:
        return as_json(said)

    predict = Route("/predict", Predict(pool, most_pixels=settings.max_pixels).__call__, methods=["POST"])
    return Parts(
        free=[
            Route("/healthz", health.live),
            Route("/readyz", health.ready),
            *platform_health,
            *(route for route in protocol if route.path in {v2.LIVE, v2.READY}),
            Route("/openapi.json", described),
            *page.routes(),
        ],
        predicting=[predict, *platform_predict],
        others=[
            Route("/metrics", metrics.page),
            *page.guarded(),
            *(route for route in protocol if route.path not in {v2.LIVE, v2.READY}),
        ],
    )


class _Routes:
    """From a request to the path of its route as it was declared."""

    def __init__(self, routes: list[Route]) -> None:
        self._plain = frozenset(clouds.paths([*routes]))
        self._others = {(route.endpoint, frozenset(route.param_convertors)): route.path for route in routes}

    def of(self, scope: Scope) -> str:
        path: str = scope["path"]
        return path if path in self._plain else self._others.get(self._key(scope), "other")

    def _key(self, scope: Scope) -> Any:
        return scope.get("endpoint"), frozenset(scope.get("path_params", ()))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response(request.url.path)


async def _fault(request: Request, _: Exception) -> Response:
    return fault().response(request.url.path)  # Starlette raises the error once more, for the log


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:  # noqa: PLR2004 - method not allowed
        allowed = (error.headers or {}).get("Allow", "")
        refused = Refused(405, "wrong_method", "This method is not taken here.", hint=f"Allowed: {allowed}.")
        refused.headers["Allow"] = allowed
    else:
        refused = Refused(404, "no_such_route", "There is nothing at this address.", hint="GET /docs says what is.")
    return refused.response(request.url.path)


_HANDLERS = {Refused: _refused, HTTPException: _no_route, Exception: _fault}
