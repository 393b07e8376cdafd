"""Bodies to batches: by column where they are clean, by row where not, the same points."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.errors import InvalidInput
from convex.metrics.model import PointBatch, Rejection, to_datetime, to_microseconds
from convex.metrics.push import from_rows, parse_csv, parse_json, parse_ndjson
from convex.metrics.timestamps import read_column, read_timestamp

POINT = {
    "framework": "ewr",
    "metric": "delay",
    "labels": {"gate": "a"},
    "timestamp": "2026-01-31T12:00:00Z",
    "value": 0.5,
}
_BOUNDS = datetime(1, 1, 2), datetime(9998, 12, 31)  # noqa: DTZ001  # the strategy wants them so
instants = st.datetimes(*_BOUNDS).map(lambda moment: moment.replace(tzinfo=UTC))


def facts(batch: PointBatch) -> list[tuple[object, ...]]:
    return list(
        zip(
            batch.frameworks,
            batch.metrics,
            [dict(labels) for labels in batch.labels],
            batch.timestamps.tolist(),
            batch.values.tolist(),
            strict=True,
        )
    )


def test_json_ndjson_and_csv_hold_the_same_points() -> None:
    rows = [POINT, {**POINT, "value": 2, "labels": {}}]
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["framework", "metric", "timestamp", "value", "gate"])
    writer.writerow(["ewr", "delay", POINT["timestamp"], "0.5", "a"])
    writer.writerow(["ewr", "delay", POINT["timestamp"], "2", ""])
    batches = [
        parse_json(orjson.dumps({"points": rows})),
        parse_ndjson(b"\n".join(map(orjson.dumps, rows))),
        parse_csv(written.getvalue().encode()),
    ]
    assert facts(batches[0]) == facts(batches[1]) == facts(batches[2])
    assert batches[0].timestamps[0] == to_microseconds(datetime(2026, 1, 31, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    "change",
    [
        {"framework": 5},
        {"metric": None},
        {"timestamp": "yesterday"},
        {"timestamp": True},
        {"timestamp": 1e300},
        {"value": "many"},
        {"value": True},
        {"labels": [1]},
    ],
)
def test_a_row_that_is_no_point_is_kept_apart(change: dict[str, object]) -> None:
    batch = from_rows([POINT, {**POINT, **change}, POINT], "test")
    assert len(batch) == 2
    (rejected,) = batch.unreadable
    assert rejected.reason is Rejection.UNREADABLE
    assert rejected.point == {**POINT, **change}


@pytest.mark.parametrize("value", [None, "NaN", "+Inf", "-inf", 10**400, -(10**400)])
def test_what_json_cannot_hold_comes_in_as_no_finite_number(value: object) -> None:
    batch = from_rows([{**POINT, "value": value}], "test")
    assert not math.isfinite(batch.values[0])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"points": 5}', b'{"points": [1', b'"points"']
)
def test_a_body_that_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_json(body)


@pytest.mark.parametrize("body", [b"", b"a,b\n", b"\xff\xfe", b"metric,metric\n"])
def test_a_csv_without_its_columns_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_csv(body)


def test_a_broken_line_does_not_spoil_the_others() -> None:
    batch = parse_ndjson(orjson.dumps(POINT) + b"\n{oops\n\n" + orjson.dumps(POINT))
    assert len(batch) == 2
    assert batch.unreadable[0].point == "{oops"


@given(st.lists(instants, min_size=1), st.sampled_from([0, 3, 6]))
def test_columns_of_timestamps_read_as_one_by_one(moments: list[datetime], digits: int) -> None:
    spec = {0: "seconds", 3: "milliseconds", 6: "microseconds"}[digits]
    texts = [moment.isoformat(timespec=spec).replace("+00:00", "Z") for moment in moments]
    column = read_column(texts)
    assert column is not None
    assert column.tolist() == [read_timestamp(text) for text in texts]
    whole = [read_timestamp(moment.isoformat()) for moment in moments]
    assert [to_datetime(instant) for instant in whole] == moments


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T12:60:00Z",
        "0000-01-01T12:00:00Z",
        "2026-01-01T12:00:0xZ",
        "2026/01/01T12:00:00Z",
        "2025-02-29T00:00:00Z",
    ],
)
def test_the_fast_way_takes_nothing_that_is_wrong(text: str) -> None:
    assert read_column([text]) is None
    with pytest.raises(ValueError, match="ISO 8601"):
        read_timestamp(text)


def test_numbers_are_seconds() -> None:
    column = read_column([0, 1.5, -1])
    assert column is not None
    assert (
        column.tolist()
        == [0, 1_500_000, -1_000_000]
        == [read_timestamp(one) for one in (0, 1.5, -1)]
    )
    assert read_column([float("nan")]) is None
    assert np.asarray(from_rows([{**POINT, "timestamp": 60}], "t").timestamps).tolist() == [
        60_000_000
    ]
