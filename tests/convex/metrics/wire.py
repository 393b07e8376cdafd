"""Remote write requests as protobuf's own library writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = {"double": 1, "int64": 3, "uint64": 4, "string": 9, "bytes": 12}


def _request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="remote.proto", package="p", syntax="proto3")
    shapes: dict[str, list[tuple[str, int, str, bool]]] = {
        "Label": [("name", 1, "string", False), ("value", 2, "string", False)],
        "Sample": [("value", 1, "double", False), ("timestamp", 2, "int64", False)],
        "Exemplar": [("labels", 1, "Label", True), ("value", 2, "double", False)],
        "TimeSeries": [
            ("labels", 1, "Label", True),
            ("samples", 2, "Sample", True),
            ("exemplars", 3, "Exemplar", True),
        ],
        "MetricMetadata": [
            ("metric_family_name", 2, "string", False),
            ("help", 4, "string", False),
        ],
        "WriteRequest": [
            ("timeseries", 1, "TimeSeries", True),
            ("metadata", 3, "MetricMetadata", True),
        ],
    }
    for name, fields in shapes.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if kind in _TYPES:
                added.type = _TYPES[kind]
            else:
                added.type = 11
                added.type_name = f".p.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p.WriteRequest"))


WriteRequest = _request_class()


def write_request(
    series: Sequence[tuple[Mapping[str, str], Sequence[tuple[float, int]]]],
    *,
    metadata: bool = False,
    exemplars: bool = False,
) -> bytes:
    """Packed: labels, then samples of (value, milliseconds)."""
    request = WriteRequest()
    if metadata:
        request.metadata.add(metric_family_name="up", help="Whether it answers.")
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in sorted(labels.items()):
            one.labels.add(name=name, value=value)
        for number, milliseconds in samples:
            one.samples.add(value=number, timestamp=milliseconds)
        if exemplars:
            one.exemplars.add(value=1.0).labels.add(name="trace_id", value="abc")
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
