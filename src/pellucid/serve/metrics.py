"""`/metrics`: counts and times for Prometheus."""

from collections.abc import Collection, Iterator, MutableMapping
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pellucid.serve.served import Models

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
router = APIRouter(include_in_schema=False)


class Metrics:
    """What a server counts."""

    def __init__(self, models: Models, paths: Collection[str]) -> None:
        """paths: those with a route."""
        self.paths = paths
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "pellucid_requests",
            "Requests by path and status; 499: the client went away.",
            ("path", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "pellucid_request_seconds",
            "Seconds from the head of a request to the end of its response.",
            ("path",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Engines(models))

    def observe(self, scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
        """Count a request. Paths without a route are one: others could fill the memory."""
        path = scope["path"] if scope["path"] in self.paths else "other"
        path = getattr(scope.get("route"), "path", path)  # not set if the request was refused
        self.requests.labels(path, status).inc()
        self.seconds.labels(path).observe(seconds)


class _Engines(Collector):
    """Reads the engines when metrics are asked for."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def collect(self) -> Iterator[Metric]:
        queued = GaugeMetricFamily("pellucid_queued", "Requests that wait.", labels=["model"])
        running = GaugeMetricFamily(
            "pellucid_running", "Requests that are being computed.", labels=["model"]
        )
        work = CounterMetricFamily(
            "pellucid_work", "Finished work by outcome.", labels=["model", "outcome"]
        )
        for name, model in self.models.by_name.items():
            queued.add_metric([name], model.engine.queued)
            running.add_metric([name], model.engine.running)
            for outcome, count in dict(model.engine.outcomes).items():
                work.add_metric([name, outcome], count)
        yield from (queued, running, work)


@router.get("/metrics")
async def show_metrics(request: Request) -> Response:
    """Return all counts in Prometheus's text format."""
    return Response(
        generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST
    )
