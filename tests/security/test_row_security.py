"""Row level security under random SQL: one workspace never sees or changes another.

Over every table, partition, mart, view and function that the API's login may touch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest

from convex.analytics import build
from convex.db import Database
from convex.db.roles import role_url
from convex.settings import Settings
from tests.conftest import Tenant
from tests.convex.analytics.history import write_history
from tests.convex.db.rows import STATEMENTS
from tests.security.statements import Attacker, Target

_SECONDS = 12.0  # of each kind, at most
_STATEMENTS = 1500

# Asked before anybody is known, or with what only its holder knows: see docs/security.md.
BY_SECRET = {
    "convex.find_api_key",  # by the hash of a key
    "convex.find_refresh_token",  # by the hash of a token
    "convex.find_user",  # by an e-mail address: signing in
    "convex.workspaces_of",  # by a user's id: where they may sign in
    "convex.touch_api_keys",  # says when a key was used
    "convex.live_cursors",  # a number, for who knows a workspace's id
}
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


def relations_of(admin: psycopg.Connection) -> dict[str, list[tuple[str, str]]]:
    rows = admin.execute(
        "SELECT c.relnamespace::regnamespace || '.' || quote_ident(c.relname),"
        " quote_ident(a.attname), format_type(a.atttypid, NULL) FROM pg_class AS c"
        " INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
        " AND NOT a.attisdropped WHERE c.relnamespace IN ('convex'::regnamespace,"
        " 'analytics'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')"
        " AND c.relname <> 'alembic_version' ORDER BY 1, a.attnum"
    ).fetchall()
    found: dict[str, list[tuple[str, str]]] = {}
    for relation, column, kind in rows:
        found.setdefault(relation, []).append((column, kind))
    return found


def functions_of(admin: psycopg.Connection) -> dict[str, list[str]]:
    rows = admin.execute(
        "SELECT 'convex.' || p.proname, ARRAY(SELECT format_type(t, NULL)"
        " FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n) ORDER BY n) FROM pg_proc AS p"
        " WHERE p.pronamespace = 'convex'::regnamespace AND p.prokind = 'f'"
        " AND p.prorettype <> 'trigger'::regtype"
        " AND has_function_privilege('convex_api', p.oid, 'EXECUTE')"
    ).fetchall()
    return {name: kinds for name, kinds in rows if name not in BY_SECRET}


def belongings(
    admin: psycopg.Connection, target: dict[str, list[tuple[str, str]]], victim: Tenant
) -> Iterator[tuple[str, str]]:
    """Every row of the victim: where it is, and all of it as text."""
    for relation, columns in target.items():
        if any(name == "workspace_id" for name, _ in columns):
            for (text,) in admin.execute(
                f"SELECT to_jsonb(t)::text FROM {relation} AS t WHERE workspace_id = %s ORDER BY 1",
                (victim.workspace_id,),
            ):
                yield relation, text


async def test_nobody_sees_or_changes_another_workspace(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    mine, victim = await write_history(fresh_worker), await write_history(fresh_worker)
    built = await asyncio.to_thread(build.build_marts, fresh_settings)
    assert built.succeeded, built.messages
    await asyncio.to_thread(_attack, fresh_settings, mine, victim)


def _attack(settings: Settings, mine: Tenant, victim: Tenant) -> None:
    with psycopg.connect(settings.database_url, autocommit=True) as admin:
        for tenant in (mine, victim):
            admin.execute("SELECT convex.ensure_point_partitions(now(), now())")
            for statement in STATEMENTS.values():
                with suppress(psycopg.errors.UniqueViolation):  # history has that already
                    admin.execute(statement, {"w": tenant.workspace_id, "u": tenant.user_id})
        relations, functions = relations_of(admin), functions_of(admin)
        assert {"convex.points", "analytics.alert_analytics"} < set(relations)
        before = list(belongings(admin, relations, victim))
        assert len({relation for relation, _ in before}) > 40
        ids = sorted(
            {
                str(value)
                for relation, columns in relations.items()
                if any(name == "workspace_id" for name, _ in columns)
                for name, kind in columns
                if kind == "uuid"
                for (value,) in admin.execute(
                    f"SELECT DISTINCT {name} FROM {relation} WHERE workspace_id = %s"
                    f" AND {name} IS NOT NULL LIMIT 20",
                    (victim.workspace_id,),
                )
            }
            - {str(mine.user_id), str(mine.workspace_id)}
        )
        secrets = [str(victim.workspace_id), victim.slug, victim.email, *ids]
        target = Target(
            relations,
            functions,
            {
                "uuid": [
                    f"'{one}'::uuid" for one in (*ids, victim.workspace_id, mine.workspace_id)
                ],
                "text": ["'x'", "'owner'", "'firing'"],
                "bigint": ["0", "1", "-1", "9007199254740991"],
                "integer": ["0", "1", "100"],
                "boolean": ["true", "false"],
                "jsonb": ["'{}'::jsonb", "'[]'::jsonb"],
                "double precision": ["0", "1e9"],
                "timestamp with time zone": ["now()", "now() - interval '1 d'"],
            },
        )
        attacker = Attacker(target, seed=20261124)
        with psycopg.connect(role_url(settings, "convex_api"), autocommit=True) as connection:
            reads = _try(connection, attacker.reading, mine, secrets, kept=False)
            # An id that the attacker wrote into rows of their own may be shown: the names may not.
            writes = _try(connection, attacker.writing, mine, secrets[1:3], kept=True)
        assert reads > 50, "hardly a statement got as far as the policies"
        assert writes > 10
        after = list(belongings(admin, relations, victim))
    assert after == before


def _try(
    connection: psycopg.Connection,
    making: Callable[[], str],
    mine: Tenant,
    secrets: list[str],
    *,
    kept: bool,
) -> int:
    """How many statements went through; none of them showed a secret that it did not hold."""
    went = 0
    until = time.monotonic() + _SECONDS
    for _ in range(_STATEMENTS):
        if time.monotonic() > until:
            break
        statement = making()
        shown = ""
        try:
            with connection.transaction(force_rollback=not kept):
                connection.execute(
                    "SELECT set_config('convex.workspace_id', %s, true),"
                    " set_config('convex.user_id', %s, true),"
                    " set_config('convex.role', 'owner', true),"
                    " set_config('statement_timeout', '2000', true)",
                    (str(mine.workspace_id), str(mine.user_id)),
                )
                cursor = connection.execute(statement.encode())
                if cursor.description is not None:
                    shown = "\n".join(str(value) for row in cursor.fetchall() for value in row)
            went += 1
        except psycopg.Error as error:
            shown = str(error)
        leaked = [one for one in secrets if one in shown and one not in statement]
        assert not leaked, (statement, leaked, shown[:2000])
    return went
