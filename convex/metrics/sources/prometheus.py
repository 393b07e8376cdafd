"""Pull points from a Prometheus, or anything that answers `query_range`.

Each query is asked window by window, all of a window's results being one batch. Windows lie on the
grid of the step, so that asking again gives the same points. The cursor is `{"until": instant}`:
everything up to and with it has been taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import numpy as np
import orjson

from convex.errors import InvalidInput, Unavailable
from convex.metrics.catalog import Key
from convex.metrics.mapping import NAME, MappingRule, name_series, slug_of
from convex.metrics.model import SECOND, Labels, PointBatch, SeriesKeys
from convex.metrics.sources.http import Permit, check_url, get, open_client
from convex.metrics.sources.model import SourceBatch
from convex.metrics.sources.settings import Given

_WINDOW = 500  # steps at once; a Prometheus refuses more than 11,000
_BEGIN = timedelta(hours=1)  # how far back a first run reaches when nothing is said


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """`metric` and `framework` name the results, where the labels do not or shall not."""

    query: str
    metric: str | None = None
    framework: str | None = None


@dataclass(frozen=True, slots=True)
class PrometheusConfig:
    """`start`: from where a first run fills back; `delay_seconds`: how far behind now it ends."""

    url: str
    queries: tuple[RangeQuery, ...]
    step_seconds: int = 60
    start: datetime | None = None
    delay_seconds: int = 30

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> Self:
        """Raises `InvalidInput`, naming the setting."""
        given = Given("prometheus", config)
        queries = []
        for one in given.items("queries"):
            query = Given("prometheus", one)
            queries.append(
                RangeQuery(query.needed("query"), query.text("metric"), query.text("framework"))
            )
            query.done()
        found = cls(
            url=check_url(given.needed("url"), "config.url").rstrip("/"),
            queries=tuple(queries),
            step_seconds=given.whole("step_seconds", 60, 1, 86_400),
            start=given.instant("start"),
            delay_seconds=given.whole("delay_seconds", 30, 0, 86_400),
        )
        given.done()
        return found


def read_batches(
    config: PrometheusConfig,
    headers: Mapping[str, str],
    cursor: Mapping[str, Any],
    permit: Permit,
    rules: Sequence[MappingRule],
    *,
    now: datetime,
    source: str,
    window: int = _WINDOW,
) -> Iterator[SourceBatch]:
    """Yield the windows after `cursor`; blocks on the network: iterate it in a thread."""
    step = config.step_seconds
    last = int((now - timedelta(seconds=config.delay_seconds)).timestamp()) // step * step
    if "until" in cursor:
        begin = int(datetime.fromisoformat(cursor["until"]).timestamp()) + step
    else:
        begin = -(-int((config.start or now - _BEGIN).timestamp()) // step) * step
    first = begin
    with open_client(permit, headers) as client:
        while begin <= last:
            end = min(begin + (window - 1) * step, last)
            results = []
            for query in config.queries:
                body = get(
                    client,
                    f"{config.url}/api/v1/query_range",
                    {"query": query.query, "start": str(begin), "end": str(end), "step": str(step)},
                )
                results.append((query, _matrix(body)))
            yield SourceBatch(
                points=_points(results, rules, source),
                cursor={"until": datetime.fromtimestamp(end, UTC).isoformat()},
                progress=1.0 if last == first else min(1.0, (end - first) / (last - first)),
            )
            begin = end + step


def _matrix(body: bytes) -> list[Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unavailable("The Prometheus answered something that is not JSON.") from None
    if not isinstance(answer, dict) or answer.get("status") != "success":
        said = answer.get("error", "no success") if isinstance(answer, dict) else "no object"
        raise InvalidInput(f"The Prometheus refuses the query: {said}.")
    data = answer.get("data", {})
    if data.get("resultType") != "matrix":
        raise InvalidInput("The query gives no series over time.")
    return list(data["result"])


def _points(
    results: Sequence[tuple[RangeQuery, list[Any]]], rules: Sequence[MappingRule], source: str
) -> PointBatch:
    frameworks: list[str] = []
    metrics: list[str] = []
    labels: list[Labels] = []
    keys: list[Key] = []
    counts: list[int] = []
    moments: list[float] = []
    values: list[float] = []
    for query, series in results:
        for one in series:
            said = dict(one["metric"])
            if query.metric or NAME not in said:
                said[NAME] = query.metric or query.query[:200]
            name = name_series(said, rules)
            if name is None:
                continue
            framework = slug_of(query.framework) if query.framework else name.framework
            frameworks.append(framework)
            metrics.append(name.metric)
            labels.append(name.labels)
            keys.append((framework, name.metric, *sorted(name.labels.items())))
            counts.append(len(one["values"]))
            moments += [float(moment) for moment, _ in one["values"]]
            values += [float(value) for _, value in one["values"]]
    rows = np.repeat(np.arange(len(keys)), np.array(counts, np.int64)).astype(np.int64)
    return PointBatch(
        frameworks,
        metrics,
        labels,
        np.rint(np.array(moments, np.float64) * SECOND).astype(np.int64),
        np.array(values, np.float64),
        source,
        series=SeriesKeys(keys, rows),
        creates_frameworks=True,
    )
