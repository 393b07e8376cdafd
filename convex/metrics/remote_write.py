"""Prometheus remote write 1.0: a snappy block around a protobuf WriteRequest, as a batch.

A sender repeats the labels of each series with every sample, so the bytes of the labels are the key
of a memory: what was read once is not read again. The last 18 bytes of a series with one sample are
that sample in its usual form (tag, length 16, double, six-byte timestamp); when the bytes before it
are known labels nothing else can have been meant, and all such samples are decoded at once. Every
other form of the same message is read field by field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from uuid import UUID

import cramjam
import numpy as np

from convex.errors import InvalidInput
from convex.metrics.catalog import Key
from convex.metrics.mapping import NAME, MappingRule, SeriesName, name_series
from convex.metrics.model import FloatArray, IntArray, Labels, PointBatch, SeriesKeys

LARGEST = 64 * 1024 * 1024  # bytes of a request once unpacked
_REMEMBERED = 200_000  # series of one workspace, then it starts afresh
_TAIL = np.dtype([("a", "u1"), ("value", "<f8"), ("b", "u1"), ("varint", "u1", 6)])
_SHIFTS = np.array([0, 7, 14, 21, 28, 35], np.int64)
_DOUBLE = struct.Struct("<d")
_MILLISECOND = 1000  # microseconds

_Entry = tuple[SeriesName, Key]


class SeriesMemory:
    """What the labels of one workspace's senders mean, by their bytes.

    `rules` are its mapping; with other rules make another memory.
    """

    def __init__(self, rules: Sequence[MappingRule] = ()) -> None:
        self.rules = tuple(rules)
        self._entries: dict[bytes, _Entry | None] = {}

    @property
    def entries(self) -> dict[bytes, _Entry | None]:
        """By the bytes of the labels; None: not wanted."""
        if len(self._entries) > _REMEMBERED:
            self._entries.clear()
        return self._entries

    def learn(self, raw: bytes, labels: Labels) -> _Entry | None:
        """What a series of these labels is, noted under their bytes."""
        name = name_series(labels, self.rules)
        entry = None
        if name is not None:
            entry = name, (name.framework, name.metric, *name.labels.items())
        self._entries[raw] = entry
        return entry


_memories: dict[UUID, SeriesMemory] = {}


def memory_of(workspace_id: UUID, rules: Sequence[MappingRule]) -> SeriesMemory:
    """This process's memory of a workspace under these rules."""
    kept = _memories.get(workspace_id)
    if kept is None or kept.rules != tuple(rules):
        kept = _memories[workspace_id] = SeriesMemory(rules)
    return kept


def unpack(body: bytes) -> bytes:
    """The snappy block. Raises `InvalidInput` when it is none, or unpacks to too much."""
    size, _ = _length(body)
    if size > LARGEST:
        raise InvalidInput(f"The request unpacks to {size:,} bytes; {LARGEST:,} are allowed.")
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise InvalidInput(f"The body is not a snappy block: {error}.") from None


def parse_remote_write(
    body: bytes, memory: SeriesMemory, *, source: str = "remote_write"
) -> PointBatch:
    """The samples of a request. Histograms, exemplars and metadata are passed over.

    Raises `InvalidInput` for a body that is no such request.
    """
    data = unpack(body)
    try:
        return _parse(data, memory, source)
    except (IndexError, struct.error, UnicodeDecodeError, OverflowError):
        raise InvalidInput("The body is not a remote write 1.0 request.") from None


def _parse(data: bytes, memory: SeriesMemory, source: str) -> PointBatch:
    entries = memory.entries
    names: list[_Entry] = []
    tails: list[bytes] = []
    others: list[tuple[_Entry, list[tuple[float, int]]]] = []
    position, length = 0, len(data)
    while position < length:
        tag = data[position]
        size = data[position + 1]
        position += 2
        if size >= 0x80:
            more = data[position]
            position += 1
            if more < 0x80:
                size = size & 0x7F | more << 7
            else:
                size, position = _varint(data, position - 2)
        end = position + size
        if end > length:
            raise IndexError
        if tag != 0x0A:
            if tag & 7 != 2 or tag >> 3 == 0:
                raise IndexError
            position = end
            continue
        start = end - 18
        if start > position and data[start : start + 3] == b"\x12\x10\x09":
            raw = data[position:start]
            try:
                entry = entries[raw]
            except KeyError:
                pass
            else:
                if entry is not None:
                    names.append(entry)
                    tails.append(data[start + 2 : end])
                position = end
                continue
        raw, samples = _series(data, position, end)
        entry = entries[raw] if raw in entries else memory.learn(raw, _labels(raw))
        if entry is not None and samples:
            others.append((entry, samples))
        position = end
    return _batch(names, tails, others, source)


def _batch(
    names: list[_Entry],
    tails: list[bytes],
    others: list[tuple[_Entry, list[tuple[float, int]]]],
    source: str,
) -> PointBatch:
    values, instants = _decode(tails)
    if others:
        samples = [sample for _, some in others for sample in some]
        values = np.concatenate([values, np.array([one[0] for one in samples], np.float64)])
        instants = np.concatenate([instants, np.array([one[1] for one in samples], np.int64)])
    counts = [1] * len(names) + [len(some) for _, some in others]
    entries = names + [entry for entry, _ in others]
    if len(instants) and not (np.abs(instants) < 2**53 // _MILLISECOND).all():
        raise OverflowError
    return PointBatch(
        [entry[0].framework for entry in entries],
        [entry[0].metric for entry in entries],
        [entry[0].labels for entry in entries],
        instants * _MILLISECOND,
        values,
        source,
        series=SeriesKeys(
            [entry[1] for entry in entries],
            np.repeat(np.arange(len(entries)), np.array(counts, np.int64)).astype(np.int64),
        ),
        creates_frameworks=True,
    )


def _decode(tails: list[bytes]) -> tuple[FloatArray, IntArray]:
    """Values, and milliseconds since 1970, of samples in their usual form."""
    found = np.frombuffer(b"".join(tails), _TAIL)
    varint = found["varint"].astype(np.int64)
    usual = (found["b"] == 0x10) & (varint[:, :5] >= 0x80).all(axis=1) & (varint[:, 5] < 0x80)
    if not usual.all():
        raise IndexError
    instants = ((varint & 0x7F) << _SHIFTS).sum(axis=1)
    return found["value"].astype(np.float64), instants.astype(np.int64)


def _series(data: bytes, position: int, end: int) -> tuple[bytes, list[tuple[float, int]]]:
    """The bytes of the labels of one series, and its samples (value, milliseconds)."""
    labels: list[bytes] = []
    samples: list[tuple[float, int]] = []
    for field, begin, start, stop in _fields(data, position, end):
        if field == 1:
            labels.append(data[begin:stop])
        elif field == 2:
            samples.append(_sample(data, start, stop))
    return b"".join(labels), samples


def _labels(raw: bytes) -> Labels:
    labels: dict[str, str] = {}
    for _, _, start, stop in _fields(raw, 0, len(raw)):
        name = value = ""
        for field, _, left, right in _fields(raw, start, stop):
            if field == 1:
                name = raw[left:right].decode()
            elif field == 2:
                value = raw[left:right].decode()
        labels[name] = value
    if not labels.get(NAME):
        raise InvalidInput("A series of the request has no name (the label __name__).")
    return labels


def _sample(data: bytes, position: int, end: int) -> tuple[float, int]:
    value, instant = 0.0, 0
    while position < end:
        tag = data[position]
        position += 1
        if tag == 0x09:
            (value,) = _DOUBLE.unpack_from(data, position)
            position += 8
        elif tag == 0x10:
            instant, position = _varint(data, position)
            if instant >= 1 << 63:
                instant -= 1 << 64
        else:
            raise IndexError
    return value, instant


def _fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, begin (with its tag), and extent of each length-delimited field."""
    while position < end:
        begin = position
        tag, position = _varint(data, position)
        if tag & 7 != 2:
            raise IndexError
        size, position = _varint(data, position)
        if position + size > end:
            raise IndexError
        yield tag >> 3, begin, position, position + size
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError


def _length(body: bytes) -> tuple[int, int]:
    try:
        return _varint(body, 0)
    except IndexError:
        raise InvalidInput("The body is empty or not a snappy block.") from None
