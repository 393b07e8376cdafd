"""numpy arrays straight into, and out of, PostgreSQL's binary arrays.

A list of 1,000 Python floats costs as much to bind as the server needs to insert them; an array of
fixed-width elements is one byte-swap. The layout is that of `array_send`: dimensions, null flag and
element type, length and lower bound, then each element with its length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import AsyncCursor
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.pq import Format
from psycopg.rows import DictRow, TupleRow, tuple_row

from convex.db import Connection
from convex.metrics.model import FloatArray, IntArray

# Object identifiers of pg_type, fixed for ever.
_INT8, _INT8_ARRAY = 20, 1016
_FLOAT8, _FLOAT8_ARRAY = 701, 1022
_TIMESTAMPTZ, _TIMESTAMPTZ_ARRAY = 1184, 1185
_UUID, _UUID_ARRAY = 2950, 2951

_HEAD = struct.Struct("!iiIii")
_EMPTY = struct.Struct("!iiI")
_BIGINT = np.dtype([("length", ">i4"), ("value", ">i8")])
_DOUBLE = np.dtype([("length", ">i4"), ("value", ">f8")])
_UUID_ELEMENT = np.dtype([("length", ">i4"), ("value", "V16")])
_YEAR_2000 = 946_684_800_000_000  # PostgreSQL counts microseconds from 2000-01-01 UTC


@dataclass(frozen=True, slots=True)
class Bigints:
    """bigint[]"""

    values: IntArray


@dataclass(frozen=True, slots=True)
class Doubles:
    """float8[]"""

    values: FloatArray


@dataclass(frozen=True, slots=True)
class Instants:
    """timestamptz[] from microseconds since 1970-01-01 UTC"""

    values: IntArray


@dataclass(frozen=True, slots=True)
class Uuids:
    """uuid[]"""

    values: Sequence[UUID]


def _pack(oid: int, count: int, elements: bytes) -> bytes:
    if count == 0:
        return _EMPTY.pack(0, 0, oid)
    return _HEAD.pack(1, 0, oid, count, 1) + elements


def _fixed(oid: int, layout: np.dtype[Any], values: IntArray | FloatArray) -> bytes:
    packed = np.empty(len(values), layout)
    packed["length"] = 8
    packed["value"] = values
    return _pack(oid, len(values), packed.tobytes())


class _BigintsDumper(Dumper):
    format = Format.BINARY
    oid = _INT8_ARRAY

    def dump(self, obj: Bigints) -> Buffer:
        return _fixed(_INT8, _BIGINT, obj.values)


class _DoublesDumper(Dumper):
    format = Format.BINARY
    oid = _FLOAT8_ARRAY

    def dump(self, obj: Doubles) -> Buffer:
        return _fixed(_FLOAT8, _DOUBLE, obj.values)


class _InstantsDumper(Dumper):
    format = Format.BINARY
    oid = _TIMESTAMPTZ_ARRAY

    def dump(self, obj: Instants) -> Buffer:
        return _fixed(_TIMESTAMPTZ, _BIGINT, obj.values - _YEAR_2000)


class _UuidsDumper(Dumper):
    format = Format.BINARY
    oid = _UUID_ARRAY

    def dump(self, obj: Uuids) -> Buffer:
        count = len(obj.values)
        packed = np.empty(count, _UUID_ELEMENT)
        packed["length"] = 16
        packed["value"] = np.frombuffer(b"".join(one.bytes for one in obj.values), "V16")
        return _pack(_UUID, count, packed.tobytes())


def _unpack(data: Buffer, layout: np.dtype[Any]) -> Any:
    raw = bytes(data)
    if raw[3] == 0:  # no dimension: an empty array
        return np.empty(0, layout)["value"]
    return np.frombuffer(raw, layout, offset=_HEAD.size)["value"]


class _BigintsLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> IntArray:
        return np.asarray(_unpack(data, _BIGINT), np.int64)


class _DoublesLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> FloatArray:
        return np.asarray(_unpack(data, _DOUBLE), np.float64)


class _InstantsLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> IntArray:
        return np.asarray(_unpack(data, _BIGINT), np.int64) + _YEAR_2000


class _InstantLoader(Loader):
    """A single timestamptz as microseconds since 1970-01-01 UTC."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return int.from_bytes(bytes(data), "big", signed=True) + _YEAR_2000


def _bind(adapters: AdaptersMap) -> None:
    adapters.register_dumper(Bigints, _BigintsDumper)
    adapters.register_dumper(Doubles, _DoublesDumper)
    adapters.register_dumper(Instants, _InstantsDumper)
    adapters.register_dumper(Uuids, _UuidsDumper)


def binding_cursor(connection: Connection) -> AsyncCursor[DictRow]:
    """A cursor that binds the array types above, and reads as the connection does."""
    cursor = connection.cursor()
    _bind(cursor.adapters)
    return cursor


def array_cursor(connection: Connection) -> AsyncCursor[TupleRow]:
    """A cursor that binds the array types above, and reads binary: rows as tuples, bigint[],
    float8[] and timestamptz[] (which must hold no NULL) as numpy arrays, timestamptz as
    microseconds since 1970-01-01 UTC.
    """
    cursor = connection.cursor(binary=True, row_factory=tuple_row)
    adapters = cursor.adapters
    _bind(adapters)
    adapters.register_loader(_INT8_ARRAY, _BigintsLoader)
    adapters.register_loader(_FLOAT8_ARRAY, _DoublesLoader)
    adapters.register_loader(_TIMESTAMPTZ_ARRAY, _InstantsLoader)
    adapters.register_loader(_TIMESTAMPTZ, _InstantLoader)
    return cursor
