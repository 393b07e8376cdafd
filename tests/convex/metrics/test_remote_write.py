"""Remote write requests to batches: the same as protobuf reads, whatever their form."""

from __future__ import annotations

import contextlib
import math
import struct
from uuid import uuid4

import cramjam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.errors import InvalidInput
from convex.metrics.mapping import parse_rules
from convex.metrics.model import STALE_BITS, PointBatch
from convex.metrics.remote_write import SeriesMemory, memory_of, parse_remote_write
from tests.convex.metrics.wire import WriteRequest, write_request

UP = {"__name__": "up", "job": "node", "instance": "a:9100"}
WHEN = 1_769_860_800_000

names = st.text("abc_", min_size=1, max_size=5)
labels = st.dictionaries(names, st.text(min_size=1, max_size=200), max_size=5).map(
    lambda some: {**some, "__name__": "m"}
)
samples = st.lists(
    st.tuples(
        st.floats(allow_nan=False),
        st.integers(-(2**40), 2**42) | st.integers(1_500_000_000_000, 1_900_000_000_000),
    ),
    max_size=3,
)


def facts(batch: PointBatch) -> list[tuple[object, ...]]:
    return sorted(
        (
            batch.frameworks[row := batch.row_of(point)],
            batch.metrics[row],
            str(sorted(batch.labels[row].items())),
            int(batch.timestamps[point]),
            float(batch.values[point]),
        )
        for point in range(len(batch))
    )


@given(st.lists(st.tuples(labels, samples), max_size=4), st.booleans(), st.booleans())
def test_any_request_is_read_as_protobuf_reads_it(
    series: list[tuple[dict[str, str], list[tuple[float, int]]]], metadata: bool, exemplars: bool
) -> None:
    body = write_request(series, metadata=metadata, exemplars=exemplars)
    memory = SeriesMemory()
    first = parse_remote_write(body, memory)
    again = parse_remote_write(body, memory)  # by memory now
    request = WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    expected = sorted(
        (
            "unassigned",
            "m",
            str(sorted((x.name, x.value) for x in one.labels if x.name != "__name__")),
            sample.timestamp * 1000,
            sample.value,
        )
        for one in request.timeseries
        for sample in one.samples
    )
    assert facts(first) == facts(again) == expected


@given(st.binary(max_size=200))
def test_what_is_no_request_is_refused_and_nothing_worse(body: bytes) -> None:
    for packed in (body, bytes(cramjam.snappy.compress_raw(body))):
        with contextlib.suppress(InvalidInput):
            parse_remote_write(packed, SeriesMemory())


def test_a_request_that_unpacks_to_too_much_is_not_unpacked() -> None:
    with pytest.raises(InvalidInput, match="unpacks to"):
        parse_remote_write(b"\xff\xff\xff\xff\x0f" + b"\0" * 20, SeriesMemory())


def test_the_stale_marker_keeps_its_bits() -> None:
    (stale,) = struct.unpack("<d", struct.pack("<Q", STALE_BITS))
    request = WriteRequest()
    one = request.timeseries.add()
    for name, value in UP.items():
        one.labels.add(name=name, value=value)
    one.samples.add(value=math.nan, timestamp=WHEN)
    raw = request.SerializeToString().replace(
        struct.pack("<d", math.nan), struct.pack("<Q", STALE_BITS)
    )
    body = bytes(cramjam.snappy.compress_raw(raw))
    memory = SeriesMemory()
    for _ in range(2):
        batch = parse_remote_write(body, memory)
        assert batch.values.view(np.uint64).tolist() == [STALE_BITS]
    assert math.isnan(stale)


def test_labels_name_framework_and_metric() -> None:
    batch = parse_remote_write(write_request([(UP, [(1, WHEN)])]), SeriesMemory())
    assert (batch.frameworks, batch.metrics) == (["node"], ["up"])
    assert batch.labels == [{"job": "node", "instance": "a:9100"}]


def test_rules_of_the_workspace_come_first() -> None:
    rules = parse_rules(
        [
            {"match": {"__name__": "go_.*"}, "drop": True},
            {
                "match": {"job": "node", "instance": "(.*):9100"},
                "framework": "host {instance}",
                "metric": "node_{__name__}",
                "without": ["job"],
            },
        ]
    )
    go = {"__name__": "go_threads", "job": "node"}
    batch = parse_remote_write(
        write_request([(go, [(1, WHEN)]), (UP, [(1, WHEN)])]), memory_of(uuid4(), rules)
    )
    assert (batch.frameworks, batch.metrics) == (["host-a-9100"], ["node_up"])
    assert batch.labels == [{"instance": "a:9100"}]


@pytest.mark.parametrize(
    "rule",
    [
        {"match": {"job": "("}},
        {"match": []},
        {"drop": True},
        {"frameworks": "x"},
        {"match": {"a": "b"}, "framework": ""},
        {"match": {"a": "b"}, "without": [1]},
    ],
)
def test_rules_that_cannot_work_are_refused(rule: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        parse_rules([rule])
