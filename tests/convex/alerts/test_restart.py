"""A process may die between any two statements, or be one of two: the same triggers come of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from convex.alerts import anomalies, standing, watching
from convex.alerts.model import Condition, NoData, RuleType
from convex.anomaly.service import Detectors
from convex.db import Database
from convex.db.roles import role_url
from convex.metrics import catalog
from convex.metrics.model import Aggregate, PointBatch
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.convex.alerts import replica
from tests.convex.alerts.conftest import NOW, Bench, batch_of, make_bench
from tests.convex.alerts.test_anomalies import ANOMALY
from tests.convex.alerts.test_invariance import facts

GATES = ("a", "b", "c")
RULES: tuple[dict[str, Any], ...] = (
    {"for_seconds": 120, "keep_firing_for_seconds": 60, "recovery_threshold": 8.0},
    {"aggregate": Aggregate.MEAN, "window_seconds": 300, "no_data": NoData.ALERT,
     "no_data_after_seconds": 240},
    {"condition": Condition.CHANGES_BY, "threshold_value": None, "change_percentage": 40.0},
    {"type": RuleType.MILESTONE, "aggregate": Aggregate.SUM, "threshold_value": 400.0},
    {"group_by": ("site",)},
    {"evaluation_offset_seconds": 120},
    {**ANOMALY, "condition": Condition.CHANGES_BY},
    {**ANOMALY, "condition": Condition.CHANGES_BY, "metric_id": None},
)  # fmt: skip


class Killed(Exception):
    """The process is gone."""


@contextmanager
def dying_after(statements: int, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connection is cut, and the process with it, once that many statements were answered."""
    left = statements
    execute = psycopg.AsyncCursor.execute

    async def mortal(self: Any, query: Any, *arguments: Any, **more: Any) -> Any:
        nonlocal left
        done = await execute(self, query, *arguments, **more)
        left -= 1
        if left == 0:
            await self.connection.close()
            raise Killed
        return done

    with patch.context() as within:
        within.setattr(psycopg.AsyncCursor, "execute", mortal)
        yield


def forget_everything() -> None:
    """What a process that starts does not know."""
    catalog._places.clear()
    standing._rules.clear()
    standing._sets.clear()
    standing._watched.clear()
    watching._met.clear()
    anomalies._detectors.__dict__.update(vars(Detectors()))


async def a_workspace(database: Database, worker: Database) -> Bench:
    """Its series are met, and known to the detectors, before the rules are made."""
    bench = await make_bench(database, await make_tenant(worker))
    rng = random.Random(1)
    later, bench.now = bench.now, NOW - timedelta(hours=2)
    quiet = [
        (-5.0 * number, rng.choice((5.0, 6.0, 7.0)), labels_of(gate))
        for gate in GATES
        for number in range(700)
    ]
    await bench.push_batch(batch_of(quiet[::-1], history=True))
    bench.now = later
    for number, fields in enumerate(RULES):
        await bench.rule(**{"deduplication_window_seconds": 0} | fields, name=f"rule {number}")
    return bench


def labels_of(gate: str) -> dict[str, str]:
    return {"gate": gate, "site": "x" if gate < "c" else "y"}


def batches_of(seed: int) -> list[PointBatch]:
    """Batches of some three minutes each, over 75 minutes."""
    rng = random.Random(seed)
    points = [
        (5.0 * number + minute, rng.choice((5.0, 7.0, 9.0, 12.0, 14.0)), labels_of(gate))
        for number in range(15)
        for minute in range(1, 5)
        for gate in GATES
        if rng.random() < 0.8
    ]
    found = [points[start : start + 16] for start in range(0, len(points), 16)]
    return [batch_of(some) for some in found]


@pytest.mark.parametrize("forgetful", [False, True], ids=["lives on", "starts anew"])
async def test_a_death_between_any_two_statements_changes_nothing(
    api: Database, worker: Database, monkeypatch: pytest.MonkeyPatch, forgetful: bool
) -> None:
    calm = await a_workspace(api, worker)
    killed = await a_workspace(api, worker)
    deaths = 0
    for batch in batches_of(1):
        await calm.push_batch(batch)
        for statements in range(1, 200):
            if forgetful:
                forget_everything()
            try:
                with dying_after(statements, monkeypatch):
                    await killed.push_batch(batch)
            except (Killed, psycopg.OperationalError):
                deaths += 1
            else:
                break
        else:
            raise AssertionError("no batch takes so many statements")
    assert deaths > 100
    assert await facts(killed) == await facts(calm)
    rows = "SELECT count(*) AS n, sum(value) AS total FROM convex.points"
    assert await killed.rows(rows) == await calm.rows(rows)
    live = (
        "SELECT data ->> 'rule_name', data ->> 'labels', data ->> 'state' AS state"
        " FROM convex.live_events ORDER BY 1, 2, data ->> 'opened_at', cursor"
    )
    assert await killed.rows(live) == await calm.rows(live)
    triggers = {row["rule_name"] for row in await calm.triggers()}
    assert len(triggers) == len(RULES)  # every kind of rule had something to say


async def test_two_replicas_that_take_turns_decide_as_one_does(
    settings: Settings, api: Database, worker: Database
) -> None:
    alone = await a_workspace(api, worker)
    shared = await a_workspace(api, worker)
    url = role_url(settings, "convex_api")
    replicas = [await replica.start(url), await replica.start(url)]
    turns = random.Random(2)
    try:
        for batch in batches_of(2):
            await alone.push_batch(batch)
            job = (shared.tenant.workspace_id, batch, shared.now)
            await replica.give(turns.choice(replicas), job)
    finally:
        for process in replicas:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
    assert await facts(shared) == await facts(alone)
    assert await shared.triggers()
