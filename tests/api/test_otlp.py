"""OpenTelemetry: the SDK's own exporter against the real API."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from tests.api.conftest import Running, Team
from tests.api.test_prometheus import series_of

URL = "/api/v1/otlp/v1/metrics"


class _Telling(OTLPMetricExporter):
    """Remembers how each export ended."""

    results: list[MetricExportResult]

    def export(self, *given: Any, **more: Any) -> MetricExportResult:
        result = super().export(*given, **more)
        self.results.append(result)
        return result


def measure(url: str, key: str) -> list[MetricExportResult]:
    """A program that measures something and ends."""
    exporter = _Telling(endpoint=f"{url}{URL}", headers={"authorization": f"Bearer {key}"})
    exporter.results = []
    provider = MeterProvider(
        resource=Resource.create({"service.name": "Shop", "service.instance.id": "1"}),
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)],
        views=[
            View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation()),
        ],
        shutdown_on_exit=False,
    )
    meter = provider.get_meter("tests")
    meter.create_counter("orders", unit="{order}").add(3, {"country": "fr"})
    meter.create_gauge("stock").set(41.5)
    meter.create_up_down_counter("carts").add(-2)
    for seconds in (0.1, 0.2, 30.0):
        meter.create_histogram("wait", unit="s").record(seconds)
        meter.create_histogram("size").record(seconds * 100)
    provider.force_flush()
    provider.shutdown()
    return exporter.results


async def test_the_sdk_exports_here(running: Running, team: Team) -> None:
    results = await asyncio.to_thread(measure, running.url, team.keys["ingest"])
    assert set(results) == {MetricExportResult.SUCCESS}
    series = await series_of(team, "shop")
    assert {one["metric"] for one in series} == {
        "orders",
        "stock",
        "carts",
        "wait_count",
        "wait_sum",
        "wait_bucket",
        "size_count",
        "size_sum",
        "size",
    }
    orders = next(one for one in series if one["metric"] == "orders")
    assert orders["labels"] == {
        "service.name": "Shop",
        "service.instance.id": "1",
        "country": "fr",
    }
    points = await team.viewer.get(f"/api/v1/series/{orders['id']}/points", params={"step": "0s"})
    assert {one["value"] for one in points.json()["points"]} == {3.0}
    metrics = await team.viewer.get("/api/v1/metrics", params={"framework": "shop"})
    by_name = {one["name"]: one for one in metrics.json()["items"]}
    assert by_name["orders"]["is_counter"]
    assert by_name["wait_bucket"]["is_counter"]
    assert not by_name["carts"]["is_counter"]
    assert by_name["wait_sum"]["unit"] == "s"


@pytest.mark.parametrize("json", [True, False])
async def test_what_cannot_be_taken_is_counted_in_the_answer(team: Team, json: bool) -> None:
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    now = time.time_ns()
    for late in (0, 3_600_000_000_000):
        metric.gauge.data_points.add(time_unix_nano=now + late, as_double=1)
    if json:
        points = [
            {"timeUnixNano": str(one.time_unix_nano), "asDouble": 1}
            for one in metric.gauge.data_points
        ]
        body = orjson.dumps(
            {
                "resourceMetrics": [
                    {
                        "scopeMetrics": [
                            {"metrics": [{"name": "m", "gauge": {"dataPoints": points}}]}
                        ]
                    }
                ]
            }
        )
    else:
        body = message.SerializeToString()
    kind = "application/json" if json else "application/x-protobuf"
    answer = await team.clients["key_ingest"].post(
        URL, content=body, headers={"content-type": kind}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == kind
    if json:
        assert answer.json()["partialSuccess"]["rejectedDataPoints"] == "1"
    else:
        told = ExportMetricsServiceResponse.FromString(answer.content).partial_success
        assert told.rejected_data_points == 1
        assert "in_the_future" in told.error_message


async def test_who_may_send_and_what(team: Team) -> None:
    for name, kind, body, status in (
        ("key_read", "application/json", b"{}", 403),
        ("viewer", "application/json", b"{}", 403),
        ("key_ingest", "application/json", b"{", 422),
        ("key_ingest", "application/x-protobuf", b"\xff", 422),
        ("key_ingest", "text/plain", b"", 415),
        ("key_ingest", "application/json", b"{}", 200),
    ):
        answer = await team.clients[name].post(URL, content=body, headers={"content-type": kind})
        assert answer.status_code == status, (name, kind, answer.text)
