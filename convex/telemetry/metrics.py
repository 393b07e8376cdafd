"""The metrics of Convex by name, and their exposition for Prometheus.

A room counts by importing its metric from here. All names are in docs of the interfaces; labels
have few values by construction (never an id, never a name that a member chose).
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from convex.telemetry.folding import folded

disable_created_metrics()  # type: ignore[no-untyped-call]

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

REGISTRY = CollectorRegistry()


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str, merge: str = "livesum") -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY, multiprocess_mode=merge)  # type: ignore[arg-type]


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _FAST) -> Histogram:
    return Histogram(name, text, labels, registry=REGISTRY, buckets=buckets)


points_ingested = _counter("convex_points_ingested_total", "Points accepted and evaluated.")
points_rejected = _counter("convex_points_rejected_total", "Points kept as rejected.", "reason")
rule_evaluations = _counter(
    "convex_rule_evaluations_total", "Evaluations of a rule on a series.", "outcome"
)
alert_triggers = _counter(
    "convex_alert_triggers_total", "Triggers opened, history apart.", "type", "severity"
)
alert_processing = _histogram(
    "convex_alert_processing_seconds", "From a batch received to its transaction committed."
)
notifications = _counter(
    "convex_notifications_total", "Attempts to deliver a notification.", "channel", "outcome"
)
notification_latency = _histogram(
    "convex_notification_latency_seconds",
    "From the commit of a transition to its notification handed to the channel.",
    buckets=_SLOW,
)
outbox_due = _gauge("convex_outbox_due", "Notifications due and not delivered.", merge="mostrecent")
outbox_oldest = _gauge(
    "convex_outbox_oldest_seconds",
    "How long the oldest due notification has waited.",
    merge="mostrecent",
)
websocket_connections = _gauge("convex_websocket_connections", "Live clients connected.")
live_publish = _histogram(
    "convex_live_publish_seconds", "From a live event committed to its frames written."
)
cache_requests = _counter("convex_cache_requests_total", "Look-ups in a cache.", "cache", "result")
job_runs = _counter("convex_job_runs_total", "Runs of a flow by how they ended.", "job", "state")
detector_seconds = _histogram("convex_detector_seconds", "The anomaly detector on one batch.")
prediction_brier = _gauge(
    "convex_prediction_brier",
    "Brier score of the predictions verified last.",
    "horizon",
    merge="mostrecent",
)
prediction_skill = _gauge(
    "convex_prediction_skill",
    "Skill of the predictions verified last against each rule's base rate, and its 90 % interval.",
    "horizon",
    "bound",
    merge="mostrecent",
)
prediction_auc = _gauge(
    "convex_prediction_auc",
    "How often what fired had been given more than what did not.",
    "horizon",
    merge="mostrecent",
)
prediction_calibration = _gauge(
    "convex_prediction_calibration_error",
    "Mean distance of probability and frequency over ten bins.",
    "horizon",
    merge="mostrecent",
)
predictions_verified = _gauge(
    "convex_predictions_verified",
    "How many predictions stand behind the figures above.",
    "horizon",
    merge="mostrecent",
)
llm_tokens = _counter("convex_llm_tokens_total", "Tokens of the language model.", "kind")
llm_cost = _counter("convex_llm_cost_usd_total", "Cost of the language model in US dollars.")
health_score = _gauge(
    "convex_health_score", "Health of Convex itself, 0 to 100.", merge="mostrecent"
)
http_requests = _counter(
    "convex_http_requests_total", "Requests answered.", "method", "route", "status"
)
http_seconds = _histogram(
    "convex_http_request_seconds", "From a request received to its answer sent.", "method", "route"
)


def exposition(accept: str) -> tuple[bytes, str]:
    """Everything for one scrape and its content type: OpenMetrics or the Prometheus text format.

    `accept` is the Accept header. With PROMETHEUS_MULTIPROC_DIR set, the processes of the home are
    merged, and process metrics are those of the process that answers.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not shared:
        registry.register(REGISTRY)
        return encode(registry), content_type
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    with folded(Path(shared)):
        return encode(registry), content_type
