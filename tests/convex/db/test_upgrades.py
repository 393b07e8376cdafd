"""Upgrades with data: from older schemas and back, and two versions at work on one schema."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from convex.db.migrate import is_current, migrate, read_revision
from convex.db.roles import role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.process import choose_port
from convex.errors import Conflict, NotFound
from convex.secrets import load_secrets
from convex.settings import Settings
from tests.convex.cli.conftest import environment, run_convex
from tests.convex.db.rows import STATEMENTS

CODE = Path(__file__).parents[3]
MIGRATIONS = CODE / "migrations"
RELEASED = (MIGRATIONS / "released.txt").read_text().strip()
REVISIONS = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("0*.py"))
UNRELEASED = [revision for revision in REVISIONS if revision > RELEASED]

# Changes that take something from a released version, each with the reason why none is in use.
CONTRACTIONS: dict[str, str] = {}

# What the previous version's statements may not survive. A table that the migration itself makes is
# nobody's yet.
FORBIDDEN = {
    "drops or renames a column": r"\b(DROP|RENAME)\s+COLUMN\b",
    "drops a table": r"\bDROP\s+TABLE\b",
    "renames a table": r"\bALTER\s+TABLE\s+\S+\s+RENAME\s+TO\b",
    "drops a function": r"\bDROP\s+(FUNCTION|PROCEDURE)\b",
    "changes a type": r"\bALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE\b",
    "makes a column mandatory": r"\bALTER\s+COLUMN\s+\S+\s+SET\s+NOT\s+NULL\b",
    "takes a default away": r"\bALTER\s+COLUMN\s+\S+\s+DROP\s+DEFAULT\b",
    "takes a right away": r"\bREVOKE\b(?!\s+EXECUTE\s+ON\s+FUNCTION)",
    "drops a policy": r"\bDROP\s+POLICY\b",
    "drops a key that ON CONFLICT may name": r"\bDROP\s+CONSTRAINT\s+(uq|pk)_",
}


@pytest.fixture
def empty(postgres: EmbeddedPostgres, tmp_path: Path, redis_url: str) -> Iterator[Settings]:
    """A database without a schema, with the session's roles."""
    name = f"up_{uuid4().hex[:12]}"
    url = postgres.url.rpartition("/")[0] + f"/{name}"
    secrets = load_secrets(Settings(home=postgres.home))
    yield Settings(home=tmp_path, database_url=url, redis_url=redis_url, secrets=secrets)
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        for one in (name, f"{name}_prefect"):
            admin.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(one))
            )


def _fill(settings: Settings) -> set[str]:
    """A workspace with a row in each table that the schema has; the tables."""
    with psycopg.connect(role_url(settings, "convex_worker"), autocommit=True) as worker:
        worker.execute("SELECT set_config('convex.role', 'system', false)")
        made = worker.execute(
            "WITH u AS (SELECT convex.create_user('u@example.com', 'U', 'x') AS id)"
            " SELECT convex.create_workspace('up', 'Up', id) AS w, id AS u FROM u"
        ).fetchone()
    assert made is not None
    given: dict[str, UUID] = {"w": made[0], "u": made[1]}
    with psycopg.connect(settings.database_url, autocommit=True) as admin:
        there = _tables(admin)
        admin.execute("SELECT convex.ensure_point_partitions(now(), now())")
        for table, statement in STATEMENTS.items():
            if table in there:
                admin.execute(statement, given)
    return there


def _tables(admin: psycopg.Connection[Any]) -> set[str]:
    rows = admin.execute(
        "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'convex'::regnamespace"
        " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'alembic_version'"
    )
    return {name for (name,) in rows.fetchall()}


def _content(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in an order of its own."""
    found = {}
    with psycopg.connect(settings.database_url) as admin:
        for table in sorted(_tables(admin)):
            rows = admin.execute(
                sql.SQL("SELECT to_jsonb(t) FROM convex.{} AS t").format(sql.Identifier(table))
            ).fetchall()
            found[table] = sorted((row for (row,) in rows), key=lambda row: json.dumps(row))
    return found


def _lost(
    before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]
) -> list[str]:
    """Tables whose rows are not what they were, as far as the columns of then go."""

    def ordered(rows: list[dict[str, Any]], names: set[str]) -> list[str]:
        chosen = [{name: row.get(name) for name in names} for row in rows]
        return sorted(json.dumps(row, sort_keys=True) for row in chosen)

    return [
        table
        for table, rows in before.items()
        for names in [set(rows[0]) if rows else set()]
        if ordered(rows, names) != ordered(after.get(table, []), names)
    ]


@pytest.mark.parametrize("revision", ["0001", RELEASED])
def test_an_upgrade_keeps_every_row_and_the_audit_chain(empty: Settings, revision: str) -> None:
    migrate(empty, revision)
    assert not is_current(empty.database_url) or revision == REVISIONS[-1]
    filled = _fill(empty)
    before = _content(empty)
    assert not [table for table in filled & set(STATEMENTS) if not before[table]]
    migrate(empty)
    assert is_current(role_url(empty, "convex_api"))
    assert _lost(before, _content(empty)) == []
    verified = run_convex("audit", "verify", variables=environment(empty))
    assert verified.status == 0, verified.out + verified.err
    assert migrate(empty) == []


def test_the_way_back_keeps_what_the_older_schema_can_hold_and_the_way_up_again_all_of_it(
    empty: Settings,
) -> None:
    migrate(empty)
    _fill(empty)
    newest = _content(empty)
    back = run_convex("migrate", "--to", RELEASED, "--json", variables=environment(empty))
    assert back.status == 0, back.err
    assert read_revision(empty.database_url) == RELEASED
    older = _content(empty)
    common = {
        table: [{name: row[name] for name in older[table][0]} for row in rows]
        for table, rows in newest.items()
        if older.get(table)
    }
    assert {table for table, rows in newest.items() if rows} >= set(common) >= {"points", "users"}
    assert _lost(common, older) == []
    migrate(empty)
    assert _lost(older, _content(empty)) == []


def test_an_unknown_revision_is_refused_in_words(empty: Settings) -> None:
    migrate(empty, "0001")
    with pytest.raises(NotFound, match="no revision 'tomorrow'"):
        migrate(empty, "tomorrow")


def test_a_schema_that_a_newer_version_made_is_worked_with_and_left_alone(
    fresh_settings: Settings,
) -> None:
    with psycopg.connect(fresh_settings.database_url, autocommit=True) as admin:
        admin.execute("UPDATE convex.alembic_version SET version_num = '9999'")
    assert is_current(role_url(fresh_settings, "convex_api"))
    migrate(fresh_settings)
    assert read_revision(fresh_settings.database_url) == "9999"
    with pytest.raises(Conflict, match="newer Convex"):
        migrate(fresh_settings, RELEASED)


def _statements(revision: str) -> str:
    """The migration's SQL without comments, string bodies of functions, and tables of its own."""
    text = (MIGRATIONS / "sql" / revision / "up.sql").read_text()
    text = re.sub(r"--[^\n]*", "", text)
    text = re.sub(r"\$(\w*)\$.*?\$\1\$", "''", text, flags=re.DOTALL)
    own = re.findall(r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\S+)", text)
    parts = [part.strip() for part in text.split(";")]
    return ";\n".join(part for part in parts if not any(f" {name} " in f" {part} " for name in own))


def _offences(text: str) -> list[str]:
    found = [what for what, how in FORBIDDEN.items() if re.search(how, text, re.IGNORECASE)]
    for clause in re.findall(r"ADD\s+COLUMN\s+[^,;]+", text, re.IGNORECASE):
        mandatory = re.search(r"\bNOT\s+NULL\b", clause, re.IGNORECASE)
        filled = re.search(r"\b(DEFAULT|GENERATED)\b", clause, re.IGNORECASE)
        if mandatory and not filled:
            found.append("adds a column that older statements do not fill")
    return found


@pytest.mark.parametrize("revision", UNRELEASED)
def test_an_unreleased_migration_only_expands(revision: str) -> None:
    if revision not in CONTRACTIONS:
        assert _offences(_statements(revision)) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE convex.series DROP COLUMN ended_at", "drops or renames a column"),
        ("ALTER TABLE convex.series RENAME COLUMN a TO b", "drops or renames a column"),
        ("ALTER TABLE convex.series ALTER COLUMN a SET NOT NULL", "makes a column mandatory"),
        ("ALTER TABLE convex.series ALTER COLUMN a TYPE text", "changes a type"),
        ("DROP TABLE convex.series", "drops a table"),
        ("DROP FUNCTION convex.own_framework", "drops a function"),
        (
            "ALTER TABLE convex.series ADD COLUMN a integer NOT NULL",
            "adds a column that older statements do not fill",
        ),
    ],
    ids=["drop", "rename", "mandatory", "type", "table", "function", "unfilled"],
)
def test_a_contraction_is_seen(statement: str, said: str) -> None:
    assert _offences(statement) == [said]
    assert _offences("ALTER TABLE convex.series ADD COLUMN a integer DEFAULT 0 NOT NULL") == []


# -- the previous release on today's schema


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code before the first unreleased migration, from the history of this repository."""
    if not UNRELEASED:
        pytest.skip("today's schema is the released one")

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=CODE, check=True, capture_output=True).stdout

    try:
        versions = [
            str(path.relative_to(CODE))
            for path in (MIGRATIONS / "versions").glob("0*.py")
            if path.name[:4] in UNRELEASED
        ]
        added = git("log", "--diff-filter=A", "--format=%H", "--", *versions).decode().split()
        archive = git("archive", f"{added[-1]}^", "convex", "api", "flows", "migrations")
    except (OSError, subprocess.CalledProcessError, IndexError):
        sys.stderr.write("*** NO HISTORY: the previous release is not tried on this schema. ***\n")
        pytest.skip("the history of the repository is not here")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


async def test_the_previous_release_works_on_todays_schema_beside_todays(
    fresh_settings: Settings, previous: Path
) -> None:
    made = run_convex(
        *("user", "create", "old@example.com", "--workspace", "side", "--json"),
        variables={**environment(fresh_settings), "CONVEX_USER_PASSWORD": "side by side"},
    )
    assert made.status == 0, made.err
    ports = {folder: choose_port(folder, "api") for folder in (previous, CODE)}
    children = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api"),
            cwd=folder,
            env={
                **os.environ,
                **environment(fresh_settings),
                "PYTHONPATH": str(folder),
                "CONVEX_API_PORT": str(port),
                "CONVEX_LOG_LEVEL": "WARNING",
            },
        )
        for folder, port in ports.items()
    ]
    try:
        old, new = [
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30)
            for port in ports.values()
        ]
        async with old, new:
            for client in (old, new):
                await _answering(client)
                signed = await client.post(
                    "/auth/sign-in", json={"email": "old@example.com", "password": "side by side"}
                )
                assert signed.status_code == 200, signed.text
                client.headers["authorization"] = f"Bearer {signed.json()['access_token']}"
            await _use(old, new)
    finally:
        for child in children:
            child.kill()
            await child.wait()


async def _answering(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(240):
        while True:
            try:
                if (await client.get(str(client.base_url.join("/livez")))).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def _use(old: httpx.AsyncClient, new: httpx.AsyncClient) -> None:
    """Each makes, writes and reads what the other does as well."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)

    async def ask(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
        answer = await client.request(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def points(*values: float, minute: int) -> dict[str, Any]:
        return {
            "points": [
                {
                    "framework": "side",
                    "metric": "rate",
                    "labels": {"n": f"{minute // 10}-{number}"},  # one often at it is flapping
                    "timestamp": (began + timedelta(minutes=minute)).isoformat(),
                    "value": value,
                }
                for number, value in enumerate(values)
            ]
        }

    framework = await ask(old, "POST", "/frameworks", json={"slug": "side", "name": "Side"})
    metric = await ask(
        old, "POST", "/metrics", json={"framework_id": framework["id"], "name": "rate"}
    )
    rule = {
        "name": "high",
        "framework_id": framework["id"],
        "metric_id": metric["id"],
        "threshold_value": 10,
        "deduplication_window": 0,
        "lateness": "1h",
    }
    await ask(old, "POST", "/alert-rules", json=rule)
    # Opened by one and ended by the other, both ways.
    for first, second, minute in ((old, new, 0), (new, old, 10)):
        opened = await ask(first, "POST", "/points", json=points(20, 5, 20, minute=minute))
        assert len(opened["triggers"]) == 2, opened
        again = await ask(second, "POST", "/points", json=points(20, 5, 20, minute=minute))
        assert (again["accepted"], again["unchanged"]) == (0, 3)
        one = opened["triggers"][0]
        seen = await ask(second, "POST", f"/alert-triggers/{one}/acknowledge", json={})
        assert seen["state"] == "acknowledged"
        await ask(second, "POST", "/points", json=points(5, 5, 5, minute=minute + 1))
        for trigger in opened["triggers"]:
            found = await ask(first, "GET", f"/alert-triggers/{trigger}")
            assert found["state"] == "resolved", (minute, found)
    for path in ("/alert-rules", "/alert-triggers", "/series", "/ledger", "/audit", "/me"):
        assert (await ask(old, "GET", path)).keys() <= (await ask(new, "GET", path)).keys()
