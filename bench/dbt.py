"""dbt's full build and its daily increment against the same aggregation as one SQL statement.

    python -m bench.dbt [--triggers 1000000] [--repeat 5]

The statement makes `alert_analytics` straight from the tables of schema convex, by the models' own
SQL, with the facts as parts of it instead of tables. dbt builds every mart on the way, with its
policies, indexes and statistics, in a process that has run dbt before; its data tests are timed
apart. A full build is a refresh from scratch beside the tables that it then replaces. Both sides
have the same memory to sort in, and alternate on the same server, which has fsync off like every
throw-away one.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from bench.trigger_history import write_trigger_history
from convex.analytics import build
from convex.db.migrate import migrate
from convex.db.roles import admin_url, role_url
from convex.embedded.postgres import throwaway_postgres
from convex.settings import Settings

_DAYS = 365
_FRAMEWORKS = 50


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    async with throwaway_postgres() as server:
        settings = Settings(home=server.home)
        await asyncio.to_thread(migrate, settings)
        await _fill(settings, options.triggers)
        await asyncio.to_thread(_run, settings, ["run", "--full-refresh"])
        statement = _as_one_statement(settings)
        times: dict[str, list[float]] = {"statement": [], "full": [], "increment": [], "tests": []}
        for turn in range(options.repeat):
            times["statement"].append(await asyncio.to_thread(_execute, settings, statement))
            times["full"].append(
                await asyncio.to_thread(_timed, lambda: _run(settings, ["run", "--full-refresh"]))
            )
            await _let_a_day_pass(settings, turn, options.triggers)
            times["increment"].append(
                await asyncio.to_thread(_timed, lambda: _run(settings, ["run"]))
            )
            times["tests"].append(
                await asyncio.to_thread(
                    _timed, lambda: _run(settings, ["test", "--select", "test_type:data"])
                )
            )
    _print(times, options.triggers)


async def _fill(settings: Settings, triggers: int) -> None:
    """A year of triggers; as superuser and without checking references, which is not measured."""
    async with await psycopg.AsyncConnection.connect(
        admin_url(settings), row_factory=dict_row
    ) as connection:
        await connection.execute("SELECT set_config('convex.role', 'system', false)")
        found = await connection.execute(
            "WITH owner AS (SELECT convex.create_user('bench@example.com', 'Bench', 'x') AS id)"
            " SELECT id AS user_id, convex.create_workspace('bench', 'Bench', id) AS workspace_id"
            " FROM owner"
        )
        row = await found.fetchone()
        assert row is not None
        await connection.execute("SET session_replication_role = replica")
        await write_trigger_history(
            connection,
            row["workspace_id"],
            row["user_id"],
            now=datetime.now(UTC),
            triggers=triggers,
            frameworks=_FRAMEWORKS,
            days=_DAYS,
        )
        await connection.commit()
        await connection.set_autocommit(True)
        await connection.execute("VACUUM (ANALYZE)")


async def _let_a_day_pass(settings: Settings, turn: int, triggers: int) -> None:
    """What a day changes: a day's triggers are new or newly resolved, and were told of again."""
    moment = datetime.now(UTC) + timedelta(days=2 * (turn + 1))
    share = max(1, triggers // _DAYS)
    async with await psycopg.AsyncConnection.connect(admin_url(settings)) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(
            "UPDATE convex.alert_triggers SET repeat_count = repeat_count + 1, updated_at = %s"
            " WHERE id IN (SELECT id FROM convex.alert_triggers ORDER BY opened_at DESC LIMIT %s)",
            (moment, share),
        )
        await connection.execute(
            "UPDATE convex.alert_notifications SET attempts = attempts + 1, updated_at = %s"
            " WHERE id IN (SELECT id FROM convex.alert_notifications"
            " ORDER BY created_at DESC LIMIT %s)",
            (moment, 2 * share),
        )


def _run(settings: Settings, arguments: list[str]) -> None:
    result = build.run_dbt(settings, arguments)
    assert result.succeeded, result.messages


def _as_one_statement(settings: Settings) -> str:
    """The models' compiled SQL, with both facts as common table expressions."""
    marts = build.target_folder(settings) / "compiled" / "convex" / "models" / "marts"
    text = _without_semicolon(marts / "alert_analytics.sql")
    facts = {
        name: _without_semicolon(marts / f"{name}.sql")
        for name in ("fct_notifications", "fct_alert_triggers")
    }
    parts = ", ".join(f"{name} AS ({body})" for name, body in facts.items())
    rest = text.strip().removeprefix("with")
    assert rest != text.strip()
    statement = f"WITH {parts}, {rest}"
    for name in facts:
        statement = statement.replace(f'"convex"."analytics"."{name}"', name)
    return f"CREATE TABLE analytics.bench AS {statement}"


def _without_semicolon(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("--"))


def _execute(settings: Settings, statement: str) -> float:
    with psycopg.connect(role_url(settings, "convex_dbt"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS analytics.bench")
        connection.execute("SET work_mem = '64MB'")  # as dbt's macro make_room does
        start = time.perf_counter()
        connection.execute(statement.encode())
        return time.perf_counter() - start


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _print(times: dict[str, list[float]], triggers: int) -> None:
    middle = {name: statistics.median(values) for name, values in times.items()}
    table = Table(title=f"dbt on {triggers:,} triggers")
    for column in ("what", "median s", "min–max s", "ratio", "goal"):
        table.add_column(column)
    rows = (
        ("one SQL statement", "statement", None, ""),
        ("dbt, full build", "full", "statement", "≤ 2 × the statement"),
        ("dbt, a day's increment", "increment", "full", "≤ 0.1 × the full build"),
        ("data tests (apart)", "tests", "full", ""),
    )
    for label, name, base, goal in rows:
        ratio = "" if base is None else f"{middle[name] / middle[base]:.2f}"
        spread = f"{min(times[name]):.2f}–{max(times[name]):.2f}"
        table.add_row(label, f"{middle[name]:.2f}", spread, ratio, goal)
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
