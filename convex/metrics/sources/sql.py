"""Pull points from a database: any that SQLAlchemy speaks to, by a query of the member's.

The query's columns are those of a CSV: timestamp and value, framework and metric (or given by the
configuration), `labels` as an object, every other one a label. It is read inside a read-only
transaction, in order of its cursor column, from the last value on: rows of that very value are read
again, since more of them may have come, and change nothing if they have not.

The cursor is `{"after": value, "type": kind of value}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import orjson
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from convex.errors import InvalidInput, Unavailable
from convex.metrics.push import from_rows
from convex.metrics.sources.http import Permit, resolve
from convex.metrics.sources.model import SourceBatch
from convex.metrics.sources.settings import Given

BATCH_ROWS = 10_000
_COLUMNS = ("framework", "metric", "timestamp", "value")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(frozen=True, slots=True)
class SqlConfig:
    """`query` without a semicolon; `cursor_column` one of its columns, ever growing.

    `overlap_seconds`: how far behind the last cursor reading starts again, where rows are committed
    later than their time says (a cursor of times only).
    """

    query: str
    cursor_column: str
    framework: str | None = None
    metric: str | None = None
    overlap_seconds: int = 0

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> Self:
        """Raises `InvalidInput`, naming the setting."""
        given = Given("sql", config)
        found = cls(
            query=given.needed("query").strip().rstrip(";"),
            cursor_column=given.needed("cursor_column"),
            framework=given.text("framework"),
            metric=given.text("metric"),
            overlap_seconds=given.whole("overlap_seconds", 0, 0, 86_400 * 30),
        )
        given.done()
        if not found.query.lower().startswith(("select", "with", "values", "table")):
            raise given.wrong("query", "is one SELECT")
        return found


def check_address(address: str) -> URL:
    """The secret address of the database. Raises `InvalidInput` without repeating it."""
    try:
        url = make_url(address)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        url.get_dialect()
    except NoSuchModuleError as error:
        raise InvalidInput(f"There is no driver for this database here: {error}.") from None
    except (ArgumentError, ImportError) as error:
        raise InvalidInput(f"The database's url cannot be used: {type(error).__name__}.") from None
    return url


def read_batches(
    config: SqlConfig,
    address: str,
    cursor: Mapping[str, Any],
    folder: Path,
    permit: Permit,
    *,
    source: str,
    size: int = BATCH_ROWS,
) -> Iterator[SourceBatch]:
    """Yield what comes after `cursor`; blocks on the network: iterate it in a thread.

    `folder` is where SQLite files may be. Raises `Unavailable` when the database does not answer,
    `InvalidInput` for a query that cannot be run.
    """
    with _connected(check_address(address), folder, permit) as connection:
        quote = connection.dialect.identifier_preparer.quote
        column = f"q.{quote(config.cursor_column)}"
        after = _after(cursor, config.overlap_seconds)
        where = f"{column} IS NOT NULL" if after is None else f"{column} >= :after"
        bound = {} if after is None else {"after": after}
        inner = config.query.replace(":", r"\:")  # a cast of PostgreSQL is no parameter
        with _explained():
            total = connection.execute(
                text(f"SELECT count(*) FROM ({inner}) AS q WHERE {where}"), bound
            ).scalar_one()
            rows = connection.execution_options(stream_results=True, max_row_buffer=size).execute(
                text(f"SELECT * FROM ({inner}) AS q WHERE {where} ORDER BY {column}"), bound
            )
        names, done = list(rows.keys()), 0
        if config.cursor_column not in names:
            raise InvalidInput(f"The query has no column {config.cursor_column!r}.")
        while True:
            with _explained():
                taken = rows.fetchmany(size)
            if not taken:
                return
            found = [dict(zip(names, row, strict=True)) for row in taken]
            done += len(found)
            points = [_as_point(row, config) for row in found]
            yield SourceBatch(
                points=replace(from_rows(points, source)),
                cursor=_cursor(found[-1][config.cursor_column]),
                progress=min(1.0, done / max(1, total)),
            )


@contextmanager
def _connected(url: URL, folder: Path, permit: Permit) -> Iterator[Connection]:
    arguments: dict[str, Any] = {}
    backend = url.get_backend_name()
    if backend == "sqlite":
        file = (folder / (url.database or "")).resolve()
        if not url.database or not file.is_relative_to(folder.resolve()) or not file.is_file():
            raise InvalidInput("A SQLite database is a file in the sources' folder.")
        url = url.set(database=f"file:{file}", query={"mode": "ro", "uri": "true"})
    else:
        host, port = url.host, url.port or _PORTS.get(backend, 0)
        if not host or url.query:
            raise InvalidInput("The database's url has a host, and no further parameters.")
        addresses = resolve(host, port)
        permit(host, port, addresses)
        if backend == "postgresql":
            arguments = {
                "hostaddr": addresses[0],
                "connect_timeout": 15,
                "options": "-c statement_timeout=600000",
            }
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    try:
        with _explained(), engine.connect() as connection:
            if backend == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            elif backend in ("mysql", "mariadb"):
                connection.execute(text("SET SESSION TRANSACTION READ ONLY"))
                connection.rollback()
            try:
                yield connection
            finally:
                connection.rollback()
    finally:
        engine.dispose()


@contextmanager
def _explained() -> Iterator[None]:
    """What the database said, without the address or the query."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines()[0][:300] if error.orig else "no answer"
        if error.connection_invalidated or type(error.orig).__name__ == "OperationalError":
            raise Unavailable(f"The database cannot be read: {said}") from None
        raise InvalidInput(f"The query cannot be run: {said}") from None
    except SQLAlchemyError as error:
        raise InvalidInput(f"The query cannot be run: {type(error).__name__}.") from None


def _as_point(row: Mapping[str, Any], config: SqlConfig) -> dict[str, Any]:
    point: dict[str, Any] = {"framework": config.framework, "metric": config.metric}
    point |= {name: row[name] for name in _COLUMNS if name in row}
    labels = row.get("labels")
    if isinstance(labels, str):
        try:
            labels = orjson.loads(labels)
        except orjson.JSONDecodeError:
            labels = {"labels": labels}
    known = {*_COLUMNS, "labels", config.cursor_column}
    others = {
        name: str(value)
        for name, value in row.items()
        if name not in known and value is not None and value != ""
    }
    moment, value = point.get("timestamp"), point.get("value")
    if isinstance(moment, datetime):
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        point["timestamp"] = moment.isoformat()
    elif isinstance(moment, date):
        point["timestamp"] = f"{moment.isoformat()}T00:00:00Z"
    elif isinstance(moment, Decimal):
        point["timestamp"] = float(moment)
    if isinstance(value, Decimal | bool):
        point["value"] = float(value)
    point["labels"] = {**(labels if isinstance(labels, dict) else {}), **others}
    return point


_READ: Mapping[str, Callable[[Any], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "decimal": Decimal,
    "plain": lambda value: value,
}


def _cursor(value: object) -> dict[str, Any]:
    if isinstance(value, datetime):
        return {"after": value.isoformat(), "type": "datetime"}
    if isinstance(value, date):
        return {"after": value.isoformat(), "type": "date"}
    if isinstance(value, Decimal):
        return {"after": str(value), "type": "decimal"}
    if isinstance(value, int | float | str):
        return {"after": value, "type": "plain"}
    raise InvalidInput(f"A cursor of type {type(value).__name__} cannot be kept.")


def _after(cursor: Mapping[str, Any], overlap: int) -> Any:
    if "after" not in cursor:
        return None
    value = _READ[cursor.get("type", "plain")](cursor["after"])
    return value - timedelta(seconds=overlap) if isinstance(value, datetime) else value
