"""GET /metrics, for Prometheus."""

from __future__ import annotations

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from .pool import Pool, State

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10)
_METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"})


class Metrics:
    """Figures of one server."""

    def __init__(self, pool: Pool) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        made: Any = {"registry": self._registry}
        self._requests = Counter(
            "nbdeploy_requests", "Requests answered, by route and status", ["method", "route", "status"], **made
        )
        self._seconds = Histogram(
            "nbdeploy_request_seconds",
            "From a request's head to the end of its answer",
            ["route"],
            buckets=_SECONDS,
            **made,
        )
        self.in_flight = Gauge("nbdeploy_in_flight", "Requests that are not answered yet", **made)
        queued = Gauge("nbdeploy_queue", "Requests that wait for a thread", **made)
        queued.set_function(lambda: pool.queued)
        Gauge("nbdeploy_threads", "Threads that run the model", **made).set(pool.threads)
        ready = Gauge("nbdeploy_ready", "1 where the model answers", **made)
        ready.set_function(lambda: pool.state is State.ready)
        about = {**pool.model.about(), "target": str(pool.model.manifest["target"])}
        about["recipe"] = str(pool.model.manifest["recipe"]["name"])
        Gauge("nbdeploy_model_info", "The model that answers", sorted(about), **made).labels(**about).set(1)
        self.canary = Counter(
            "nbdeploy_canary", "Requests passed on to the canary, by what came of it", ["result"], **made
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    async def page(self, _: Request) -> Response:
        """In Prometheus' own text."""
        return Response(generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
