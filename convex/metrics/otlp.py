"""OpenTelemetry metrics (OTLP/HTTP, protobuf or JSON) as a batch.

A gauge and a sum are points of their metric. A histogram becomes what Prometheus makes of one:
`_count`, `_sum` and `_bucket` with the label `le` (how many were at most that); an exponential one,
whose buckets move, and a summary become quantiles instead. Cumulative monotonic sums are counters;
what comes as delta is a value of its interval and stays one. "No recorded value" ends a series.

The labels are the attributes of the data point and those of the resource that tell instances apart;
what else the resource says of itself would only make more series.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from convex.errors import InvalidInput
from convex.metrics.catalog import Key
from convex.metrics.mapping import NAME, MappingRule, SeriesName, guess_hint, name_series
from convex.metrics.model import (
    STALE_BITS,
    Labels,
    MetricHint,
    PointBatch,
    RejectedPoint,
    Rejection,
    SeriesKeys,
)

_TELLING = frozenset(
    {
        "framework",
        "job",
        "service.name",
        "service.namespace",
        "service.instance.id",
        "deployment.environment",
        "deployment.environment.name",
        "host.name",
        "k8s.pod.name",
    }
)
_NOTHING_RECORDED = 1  # a flag of a data point
_CUMULATIVE = 2  # aggregation temporality
_QUANTILES = (0.5, 0.95, 0.99)
_STALE = float(np.array(STALE_BITS, np.uint64).view(np.float64))

# The metric's name and labels, nanoseconds, value, and what is known of such a metric.
_Point = tuple[str, Labels, int, float, MetricHint]


def parse_otlp(
    body: bytes, rules: Sequence[MappingRule] = (), *, json: bool = False, source: str = "otlp"
) -> PointBatch:
    """The data points of a request. Raises `InvalidInput` for a body that is none."""
    try:
        if json:
            request = Parse(body, ExportMetricsServiceRequest(), ignore_unknown_fields=True)
        else:
            request = ExportMetricsServiceRequest.FromString(body)
    except (DecodeError, ParseError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is not an OTLP metrics request: {error}.") from None
    return _collect(request, rules, source)


def answer_otlp(rejected: int, message: str, *, json: bool) -> bytes:
    """The answer: empty when all was taken, else how many data points were not and why."""
    if json:
        said = {"rejectedDataPoints": str(rejected), "errorMessage": message} if rejected else {}
        return orjson.dumps({"partialSuccess": said} if said else {})
    response = ExportMetricsServiceResponse()
    if rejected:
        response.partial_success.rejected_data_points = rejected
        response.partial_success.error_message = message
    return bytes(response.SerializeToString())


def _collect(request: Any, rules: Sequence[MappingRule], source: str) -> PointBatch:
    named: dict[tuple[str, frozenset[tuple[str, str]]], int | None] = {}
    names: list[SeriesName] = []
    rows: list[int] = []
    instants: list[int] = []
    values: list[float] = []
    hints: dict[tuple[str, str], MetricHint] = {}
    unreadable: list[RejectedPoint] = []
    for resource in request.resource_metrics:
        about = {
            name: text for name, text in _labels(resource.resource.attributes) if name in _TELLING
        }
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for name, labels, instant, value, hint in _points(metric):
                    if instant <= 0:
                        unreadable.append(_untimed(name, {**about, **labels}, value))
                        continue
                    merged = {**about, **labels, NAME: name}
                    key = (name, frozenset(merged.items()))
                    if key not in named:
                        found = name_series(merged, rules)
                        named[key] = None if found is None else len(names)
                        if found is not None:
                            names.append(found)
                            hints.setdefault((found.framework, found.metric), hint)
                    row = named[key]
                    if row is not None:
                        rows.append(row)
                        instants.append(instant // 1000)
                        values.append(value)
    keys: list[Key] = [
        (name.framework, name.metric, *sorted(name.labels.items())) for name in names
    ]
    return PointBatch(
        [name.framework for name in names],
        [name.metric for name in names],
        [name.labels for name in names],
        np.array(instants, np.uint64).astype(np.int64),
        np.array(values, np.float64),
        source,
        unreadable,
        series=SeriesKeys(keys, np.array(rows, np.int64)),
        creates_frameworks=True,
        hints=hints,
    )


def _untimed(name: str, labels: Labels, value: float) -> RejectedPoint:
    point = {"metric": name, "labels": dict(labels), "value": repr(value)}
    return RejectedPoint(Rejection.UNREADABLE, "the data point has no time", point)


def _points(metric: Any) -> Iterator[_Point]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    cumulative = getattr(data, "aggregation_temporality", 0) == _CUMULATIVE
    guessed = guess_hint(metric.name)
    hint = MetricHint(
        unit=metric.unit[:50] if metric.unit != "1" else "",
        category=guessed.category,
        description=metric.description[:1000].replace("\0", ""),
        is_counter=kind == "sum" and cumulative and data.is_monotonic,
    )
    for point in data.data_points:
        labels = dict(_labels(point.attributes))
        instant = point.time_unix_nano
        ended = bool(point.flags & _NOTHING_RECORDED)
        if kind in ("gauge", "sum"):
            number = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
            yield metric.name, labels, instant, _STALE if ended else float(number), hint
        else:
            total = MetricHint("", hint.category, cumulative or kind == "summary", hint.description)
            summed = MetricHint(hint.unit, *_after_unit(total))
            yield from _counted(metric.name, labels, point, kind, ended, hint, total, summed)


def _after_unit(hint: MetricHint) -> tuple[str, bool, str]:
    return hint.category, hint.is_counter, hint.description


def _counted(
    name: str,
    labels: Labels,
    point: Any,
    kind: str,
    ended: bool,
    hint: MetricHint,
    total: MetricHint,
    summed: MetricHint,
) -> Iterator[_Point]:
    """What a data point of many observations becomes."""
    instant = point.time_unix_nano
    yield f"{name}_count", labels, instant, _STALE if ended else float(point.count), total
    if kind == "summary" or point.HasField("sum"):
        yield f"{name}_sum", labels, instant, _STALE if ended else float(point.sum), summed
    if kind == "histogram":
        for bound, count in _buckets(point):
            bucket = {**labels, "le": bound}
            yield f"{name}_bucket", bucket, instant, _STALE if ended else float(count), total
        return
    if kind == "summary":
        quantiles: Iterable[tuple[float, float]] = (
            (one.quantile, one.value) for one in point.quantile_values
        )
    else:
        quantiles = _estimate(point)
    for quantile, value in quantiles:
        yield name, {**labels, "quantile": _number(quantile)}, instant, value, hint


def _buckets(point: Any) -> Iterator[tuple[str, int]]:
    """How many observations were at most each bound, the last without one."""
    below = 0
    bounds = [*map(_number, point.explicit_bounds), "+Inf"]
    for bound, count in zip(bounds, point.bucket_counts, strict=False):
        below += count
        yield bound, below


def _estimate(point: Any) -> Iterator[tuple[float, float]]:
    """Quantiles of an exponential histogram: the bucket's geometric middle, as accurate as its
    scale. Nothing without observations.
    """
    if point.count == 0:
        return
    base = 2.0 ** (2.0**-point.scale)
    steps: list[tuple[float, int]] = []
    for sign, side in ((-1.0, point.negative), (1.0, point.positive)):
        ranked = [
            (sign * _power(base, side.offset + index + 0.5), count)
            for index, count in enumerate(side.bucket_counts)
        ]
        steps += ranked[::-1] if sign < 0 else ranked
        if sign < 0:
            steps.append((0.0, point.zero_count))
    for quantile in _QUANTILES:
        rank, seen = quantile * point.count, 0
        for value, count in steps:
            seen += count
            if count and seen >= rank:
                yield quantile, value
                break


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _labels(attributes: Any) -> Iterator[tuple[str, str]]:
    for one in attributes:
        if text := _text(one.value):
            yield one.key, text


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind in ("int_value", "double_value"):
        return str(getattr(value, kind))
    if kind is None:
        return ""
    return orjson.dumps(_plain(value)).decode()


def _plain(value: Any) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {one.key: _plain(one.value) for one in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return None if kind is None else getattr(value, kind)
