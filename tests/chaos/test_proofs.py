"""The proofs themselves: they see what is lost, told twice, or was never said to be taken."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from chaos.journal import Journal
from chaos.leaks import Holding, Quiet, compare
from chaos.listeners import EVERYTHING, Listener
from chaos.prove import prove_points, prove_triggers
from convex.alerts.ingest import ingest_points
from convex.db import Database
from convex.metrics.partitions import ensure_partitions
from convex.metrics.push import parse_json
from tests.conftest import Tenant, make_tenant

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def take(database: Database, tenant: Tenant, journal: Journal, count: int) -> None:
    """Points that are taken and written down."""
    points = [
        {
            "framework": "f0",
            "metric": "load",
            "labels": {"n": "s0"},
            "timestamp": (AT + timedelta(seconds=number)).isoformat(),
            "value": number,
        }
        for number in range(count)
    ]
    batch = parse_json(orjson.dumps({"points": points}))
    async with database.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.frameworks (workspace_id, slug, name) VALUES (%s, 'f0', 'F0')",
            (tenant.workspace_id,),
        )
        await ensure_partitions(connection, batch, now=AT)
        result = await ingest_points(connection, tenant.workspace_id, batch, now=AT)
    assert result.accepted == count, result
    for number in range(count):
        journal.points["f0", "s0", AT + timedelta(seconds=number)] = float(number)


async def test_points_that_are_lost_changed_or_unknown_are_named(fresh_worker: Database) -> None:
    journal = Journal()
    await take(fresh_worker, await make_tenant(fresh_worker), journal, 5)
    figures, wrong = await prove_points(fresh_worker, journal)
    assert (figures["taken"], figures["kept"], wrong) == (5, 5, [])

    journal.points["f0", "s0", AT + timedelta(hours=1)] = 1.0
    journal.points["f0", "s0", AT] = 99.0
    del journal.points["f0", "s0", AT + timedelta(seconds=1)]
    _, wrong = await prove_points(fresh_worker, journal)
    assert [line.split(",")[0] for line in wrong] == [
        "1 points were taken and are lost",
        "1 points are there and were never said to be taken",
        "1 points have another value",
    ]


async def test_an_episode_without_its_trigger_is_named(fresh_worker: Database) -> None:
    journal = Journal(episodes={("f0", "e0"): 2, ("f0", "e1"): 1})
    _, wrong = await prove_triggers(fresh_worker, journal)
    assert wrong == ["f0 e0: 0 × opened instead of 1"]


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ([3, 5, 8], ""),
        ([3, 8], "all: 1 missing [5], 0 more []"),
        ([3, 5, 6, 8], "all: 0 missing [], 1 more [6]"),
    ],
    ids=["all", "one_missing", "one_more"],
)
def test_a_subscriber_is_held_against_what_it_should_have_heard(
    heard: list[int], said: str
) -> None:
    listener = Listener(EVERYTHING, random.Random(1))
    listener.start = 2
    for cursor in heard:
        listener._take({"type": "alert", "cursor": cursor}, Counter())
    assert listener.differs([1, 2, 3, 5, 8]) == said
    assert listener.twice == 0
    listener._take({"type": "alert", "cursor": heard[-1]}, Counter())
    assert listener.twice == 1


def quiet(**changes: Any) -> Quiet:
    values: dict[str, Any] = {
        "processes": {"api": [Holding(150.0, 60)]},
        "sessions": {"convex-api": 3},
        "stuck": 0,
        "partitions": 5,
        "metric_files": 10,
        "zombies": 0,
    }
    return Quiet(**{**values, **changes})


@pytest.mark.parametrize(
    ("after", "named"),
    [
        ({}, ""),
        ({"processes": {"api": [Holding(150.0, 1060)]}}, "api holds 1060 files"),
        ({"processes": {"api": [Holding(900.0, 60)]}}, "api holds 900 MB"),
        ({"processes": {}}, "no api runs"),
        ({"sessions": {"convex-api": 90}}, "convex-api has 90 sessions"),
        ({"stuck": 2}, "2 sessions sit in a transaction"),
        ({"partitions": 9}, "9 partitions"),
        ({"metric_files": 500}, "500 files of metrics"),
        ({"zombies": 1}, "1 processes have ended"),
    ],
    ids=[
        "nothing",
        "files",
        "memory",
        "gone",
        "sessions",
        "stuck",
        "partitions",
        "metrics",
        "zombies",
    ],
)
def test_what_has_grown_is_named(after: dict[str, Any], named: str) -> None:
    found = compare(quiet(), quiet(**after))
    assert [line.startswith(named) for line in found] == ([True] if named else [])
