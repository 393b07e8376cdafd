"""Rows of a query as Parquet, a group at a time. pyarrow is imported for the first of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import orjson
from psycopg import Column

if TYPE_CHECKING:
    import pyarrow as pa


class Sink:
    """Where the bytes of one file go: counted and hashed on their way."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Take some bytes; how many."""
        block = bytes(data)
        self._hash.update(block)
        self.size += len(block)
        self._file.write(block)
        return len(block)

    def tell(self) -> int:
        """The position, as pyarrow asks for it."""
        return self.size

    def flush(self) -> None:
        """Nothing waits here."""

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False

    def close(self) -> None:
        """The archive closes what is beneath."""
        self.closed = True

    @property
    def digest(self) -> str:
        """SHA-256 of what was written, in hex."""
        return self._hash.hexdigest()


class ParquetPart:
    """One Parquet file with the columns of a query."""

    def __init__(self, sink: Sink, columns: Sequence[Column]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._schema = pa.schema([(one.name, _type_of(one)) for one in columns])
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(sink, mode="w"), self._schema, compression="zstd"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """One row group."""
        import pyarrow as pa

        columns = [
            pa.array([_plain(row[field.name], field.type) for row in rows], field.type)
            for field in self._schema
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))


def _type_of(column: Column) -> pa.DataType:
    import pyarrow as pa

    simple = {
        "bool": pa.bool_(),
        "int2": pa.int16(),
        "int4": pa.int32(),
        "int8": pa.int64(),
        "float4": pa.float32(),
        "float8": pa.float64(),
        "timestamptz": pa.timestamp("us", tz="UTC"),
        "timestamp": pa.timestamp("us"),
        "date": pa.date32(),
        "bytea": pa.binary(),
    }
    name = column.type_display
    if name.endswith("[]"):
        return pa.list_(simple.get(name[:-2], pa.string()))
    return simple.get(name, pa.string())


def _plain(value: Any, kind: pa.DataType) -> Any:
    """What pyarrow takes: JSON, UUIDs and numbers of any length as text."""
    if value is None:
        return None
    text = str(kind)
    if text == "string":
        if isinstance(value, dict | list | bool | float | int):
            return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
        return str(value)
    if text.startswith("list") and "string" in text:
        return [None if one is None else str(one) for one in value]
    return bytes(value) if text == "binary" else value
