"""OpenTelemetry requests to batches."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from convex.errors import InvalidInput
from convex.metrics.model import STALE_BITS, PointBatch
from convex.metrics.otlp import answer_otlp, parse_otlp

AT = 1_769_860_800_000_000_000


def request(metric: dict[str, object], **resource: str) -> bytes:
    """As JSON of the protocol, camel case and numbers of 64 bits as text."""
    attributes = [
        {"key": key.replace("_", "."), "value": {"stringValue": value}}
        for key, value in resource.items()
    ]
    return orjson.dumps(
        {
            "resourceMetrics": [
                {
                    "resource": {"attributes": attributes},
                    "scopeMetrics": [{"metrics": [{"name": "m", **metric}]}],
                }
            ]
        }
    )


def facts(batch: PointBatch) -> list[tuple[str, dict[str, str], float]]:
    return [
        (batch.metrics[row := batch.row_of(point)], dict(batch.labels[row]), batch.values[point])
        for point in range(len(batch))
    ]


def test_gauges_and_sums_are_points_of_their_metric() -> None:
    point = {"timeUnixNano": str(AT), "asInt": "7", "attributes": []}
    batch = parse_otlp(request({"gauge": {"dataPoints": [point]}}, service_name="Cart"), json=True)
    assert batch.frameworks == ["cart"]
    assert batch.timestamps.tolist() == [AT // 1000]
    assert facts(batch) == [("m", {"service.name": "Cart"}, 7.0)]
    assert not batch.hints["cart", "m"].is_counter


@pytest.mark.parametrize(
    ("temporality", "monotonic", "counter"), [(2, True, True), (1, True, False), (2, False, False)]
)
def test_only_a_cumulative_monotonic_sum_is_a_counter(
    temporality: int, monotonic: bool, counter: bool
) -> None:
    data = {
        "dataPoints": [{"timeUnixNano": str(AT), "asDouble": 1.5}],
        "aggregationTemporality": temporality,
        "isMonotonic": monotonic,
    }
    batch = parse_otlp(request({"sum": data, "unit": "By"}), json=True)
    assert batch.hints["unassigned", "m"].is_counter is counter
    assert batch.hints["unassigned", "m"].unit == "By"


def test_a_histogram_becomes_count_sum_and_buckets() -> None:
    data = {
        "dataPoints": [
            {
                "timeUnixNano": str(AT),
                "count": "6",
                "sum": 12.5,
                "explicitBounds": [1, 2.5],
                "bucketCounts": ["1", "2", "3"],
            }
        ],
        "aggregationTemporality": 2,
    }
    batch = parse_otlp(request({"histogram": data}), json=True)
    assert facts(batch) == [
        ("m_count", {}, 6.0),
        ("m_sum", {}, 12.5),
        ("m_bucket", {"le": "1"}, 1.0),
        ("m_bucket", {"le": "2.5"}, 3.0),
        ("m_bucket", {"le": "+Inf"}, 6.0),
    ]
    assert batch.hints["unassigned", "m_bucket"].is_counter


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200))
def test_quantiles_of_an_exponential_histogram_are_as_good_as_its_buckets(
    observed: list[float],
) -> None:
    scale = 3
    base = 2 ** (2**-scale)
    indexes = [math.ceil(math.log(value, base)) - 1 for value in observed]
    offset = min(indexes)
    counts = [0] * (max(indexes) - offset + 1)
    for index in indexes:
        counts[index - offset] += 1
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    point = metric.exponential_histogram.data_points.add(
        time_unix_nano=AT, count=len(observed), sum=sum(observed), scale=scale
    )
    point.positive.offset = offset
    point.positive.bucket_counts.extend(counts)
    batch = parse_otlp(message.SerializeToString())
    estimated = {
        labels["quantile"]: value for name, labels, value in facts(batch) if "quantile" in labels
    }
    for quantile in (0.5, 0.95, 0.99):
        exact = sorted(observed)[max(0, math.ceil(quantile * len(observed)) - 1)]
        assert estimated[str(quantile)] == pytest.approx(exact, rel=base - 1)


def test_a_summary_keeps_its_quantiles_and_no_value_ends_a_series() -> None:
    summary = {
        "dataPoints": [
            {
                "timeUnixNano": str(AT),
                "count": "2",
                "sum": 3,
                "quantileValues": [{"quantile": 0.5, "value": 1}],
            }
        ]
    }
    batch = parse_otlp(request({"summary": summary}), json=True)
    assert facts(batch)[-1] == ("m", {"quantile": "0.5"}, 1.0)
    gone = {"dataPoints": [{"timeUnixNano": str(AT), "flags": 1}]}
    ended = parse_otlp(request({"gauge": gone}), json=True)
    assert ended.values.view(np.uint64).tolist() == [STALE_BITS]


def test_a_data_point_without_a_time_is_kept_as_rejected() -> None:
    batch = parse_otlp(request({"gauge": {"dataPoints": [{"asDouble": 1}]}}), json=True)
    assert len(batch) == 0
    assert batch.unreadable[0].detail == "the data point has no time"


def test_only_what_tells_instances_apart_is_taken_from_the_resource() -> None:
    point = {
        "timeUnixNano": str(AT),
        "asDouble": 1,
        "attributes": [
            {"key": "ok", "value": {"boolValue": True}},
            {"key": "n", "value": {"intValue": "3"}},
            {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
        ],
    }
    body = request(
        {"gauge": {"dataPoints": [point]}},
        service_name="a",
        telemetry_sdk_version="1",
        host_name="h",
    )
    ((_, labels, _),) = facts(parse_otlp(body, json=True))
    assert labels == {
        "service.name": "a",
        "host.name": "h",
        "ok": "true",
        "n": "3",
        "l": '["a"]',
    }


@given(st.binary(max_size=300), st.booleans())
def test_what_is_no_request_is_refused_and_nothing_worse(body: bytes, json: bool) -> None:
    with contextlib.suppress(InvalidInput):
        parse_otlp(body, json=json)


def test_the_answer_counts_what_was_not_taken() -> None:
    assert answer_otlp(0, "", json=False) == b""
    assert orjson.loads(answer_otlp(0, "", json=True)) == {}
    answer = ExportMetricsServiceResponse.FromString(answer_otlp(3, "why", json=False))
    assert answer.partial_success.rejected_data_points == 3
    assert orjson.loads(answer_otlp(3, "why", json=True))["partialSuccess"]["errorMessage"] == "why"
