"""Sources that are databases: PostgreSQL and SQLite, read only, from a cursor on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql as names

from convex.embedded.postgres import EmbeddedPostgres
from convex.errors import InvalidInput, Unavailable
from convex.metrics.sources import SourceBatch
from convex.metrics.sources.sql import SqlConfig, check_address, read_batches
from tests.convex.metrics.sources.web import anywhere

QUERY = "SELECT id, at AS timestamp, amount AS value, country FROM orders"


@pytest.fixture
def postgres_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    database = f"src_{uuid4().hex[:8]}"
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(names.SQL("CREATE DATABASE {}").format(names.Identifier(database)))
    url = postgres.url.rpartition("/")[0] + f"/{database}"
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL,"
            " amount numeric(10, 2), country text)"
        )
    yield url
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(names.SQL("DROP DATABASE {} (FORCE)").format(names.Identifier(database)))


def fill(url: str, *ids: int) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO orders VALUES (%s, '2026-01-01T00:00:00Z'::timestamptz"
            " + make_interval(mins => %s), %s, 'fr')",
            [(n, n, n + 0.25) for n in ids],
        )


def read(
    url: str,
    cursor: Mapping[str, Any] | None = None,
    *,
    folder: Path = Path(),
    size: int = 3,
    **config: Any,
) -> list[SourceBatch]:
    given = {"query": QUERY, "cursor_column": "id", "framework": "shop", "metric": "sales"}
    parsed = SqlConfig.parse({**given, **config})
    return list(
        read_batches(parsed, url, cursor or {}, folder, anywhere, source="pull:x", size=size)
    )


def values(batches: list[SourceBatch]) -> list[float]:
    return [value for batch in batches for value in batch.points.values.tolist()]


def test_rows_are_read_in_batches_and_gone_on_from(postgres_url: str) -> None:
    fill(postgres_url, *range(7))
    batches = read(postgres_url)
    assert [len(batch.points) for batch in batches] == [3, 3, 1]
    assert values(batches) == [n + 0.25 for n in range(7)]
    first = batches[0].points
    assert (first.frameworks[0], first.metrics[0], first.labels[0]) == (
        "shop",
        "sales",
        {"country": "fr"},
    )
    assert [batch.progress for batch in batches] == [3 / 7, 6 / 7, 1]
    for number, batch in enumerate(batches):
        rest = values(read(postgres_url, batch.cursor))
        # The row of the cursor itself comes again: more of its value may have come meanwhile.
        assert rest == [n + 0.25 for n in range(min(6, 3 * number + 2), 7)]
    fill(postgres_url, 7, 8)
    assert values(read(postgres_url, batches[-1].cursor)) == [6.25, 7.25, 8.25]


def test_a_cursor_of_times_keeps_its_kind_and_may_overlap(postgres_url: str) -> None:
    fill(postgres_url, *range(4))
    by_time: dict[str, Any] = {"cursor_column": "timestamp"}
    batches = read(postgres_url, **by_time)
    assert batches[-1].cursor["type"] == "datetime"
    assert values(read(postgres_url, batches[-1].cursor, **by_time)) == [3.25]
    again = read(postgres_url, batches[-1].cursor, overlap_seconds=120, **by_time)
    assert values(again) == [1.25, 2.25, 3.25]


def test_nothing_can_be_written(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "CREATE FUNCTION spoil() RETURNS bigint LANGUAGE sql AS"
            " 'DELETE FROM orders RETURNING id'"
        )
    fill(postgres_url, 1)
    for query in (
        "SELECT spoil() AS id, now() AS timestamp, 1 AS value",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        f"{QUERY}; DELETE FROM orders",
    ):
        with pytest.raises((InvalidInput, Unavailable)):
            read(postgres_url, query=query)
    assert values(read(postgres_url)) == [1.25]


def test_a_sqlite_file_is_read_from_the_sources_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for place in (folder / "a.db", tmp_path / "b.db"):
        with sqlite3.connect(place) as connection:
            connection.execute(
                "CREATE TABLE orders (id integer, at text, amount real, country text)"
            )
            connection.execute("INSERT INTO orders VALUES (1, '2026-01-01T00:00:00Z', 2.5, NULL)")
        connection.close()
    (batch,) = read("sqlite:///a.db", folder=folder)
    assert batch.points.values.tolist() == [2.5]
    assert batch.points.labels == [{}]
    for url in ("sqlite:///../b.db", "sqlite:////etc/passwd", "sqlite://", "sqlite:///c.db"):
        with pytest.raises(InvalidInput, match="SQLite database is a file"):
            read(url, folder=folder)


def test_errors_are_told_without_the_address(postgres_url: str) -> None:
    wrong = postgres_url.replace("@", "wrong@")
    with pytest.raises(Unavailable) as caught:
        read(wrong)
    assert "password" in caught.value.message
    assert wrong not in caught.value.message
    with pytest.raises(InvalidInput, match='relation "nothing" does not exist'):
        read(postgres_url, query="SELECT * FROM nothing")
    with pytest.raises(InvalidInput, match=r"column q\.id does not exist"):
        read(postgres_url, query="SELECT 1 AS value, now() AS timestamp", cursor_column="id")


@pytest.mark.parametrize("url", ["", "what", "oracle+nothing://x", "postgresql://h/db?host=/tmp"])
def test_addresses_that_cannot_work_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_address(url)
        read(url)


def test_a_place_that_is_not_permitted_is_not_called(postgres_url: str) -> None:
    def nobody(host: str, port: int, addresses: list[str]) -> None:
        raise InvalidInput(f"{host} is not called")

    parsed = SqlConfig.parse({"query": QUERY, "cursor_column": "id"})
    with pytest.raises(InvalidInput, match="is not called"):
        list(read_batches(parsed, postgres_url, {}, Path(), nobody, source="x"))


def test_the_time_of_a_point_may_be_a_date_or_a_number(postgres_url: str) -> None:
    query = "SELECT 1 AS id, date '2026-01-01' AS timestamp, 1 AS value"
    (batch,) = read(postgres_url, query=query)
    expected = datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6
    assert batch.points.timestamps.tolist() == [expected]
    number = "SELECT 1 AS id, 1767225600.0::numeric AS timestamp, true AS value"
    (batch,) = read(postgres_url, query=number)
    assert batch.points.timestamps.tolist() == [expected]
    assert batch.points.values.tolist() == [1.0]
