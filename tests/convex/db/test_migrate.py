"""The migrations: up, down, up again, twice without effect, and equal to the metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, create_engine

from convex.db.migrate import is_current, migrate
from convex.db.roles import role_url
from convex.db.schema import metadata
from convex.errors import Unavailable
from convex.settings import Settings

_PARTITION = re.compile(r"points_.*|(hourly|daily)_points_\d+")


@pytest.fixture(scope="module")
def own(clone: Callable[[], Settings]) -> Settings:
    return clone()


def _tables(settings: Settings) -> set[str]:
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'convex'")
        return {name for (name,) in rows.fetchall()}


def test_migrating_again_changes_nothing(own: Settings) -> None:
    migrate(own)
    assert migrate(own) == []


def test_migrations_go_down_and_up_again(own: Settings) -> None:
    migrate(own)
    before = _tables(own)
    migrate(own, "base")
    assert _tables(own) == {"alembic_version"}
    assert not is_current(own.database_url)
    migrate(own)
    assert _tables(own) == before
    assert is_current(role_url(own, "convex_api"))


def test_rules_for_a_whole_framework_go_on_the_way_back(own: Settings) -> None:
    migrate(own)
    with psycopg.connect(own.database_url) as connection:
        connection.execute(
            "WITH w AS (INSERT INTO convex.workspaces (slug, name) VALUES ('w', 'W') RETURNING id),"
            " f AS (INSERT INTO convex.frameworks (workspace_id, slug, name)"
            " SELECT id, 'f', 'F' FROM w RETURNING workspace_id, id)"
            " INSERT INTO convex.alert_rules (workspace_id, framework_id, name, type, condition)"
            " SELECT workspace_id, id, 'r', 'anomaly', 'above' FROM f"
        )
    migrate(own, "0001")
    migrate(own)
    with psycopg.connect(own.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM convex.alert_rules").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM convex.frameworks").fetchone() == (1,)


def test_metadata_equals_the_migrated_schema(own: Settings) -> None:
    migrate(own)

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return name == "convex" if kind == "schema" else True

    def compared(thing: object, name: str | None, kind: str, *_: object) -> bool:
        partition = kind == "table" and _PARTITION.fullmatch(name or "")
        return not partition and name != "alembic_version"

    engine = create_engine(own.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": ours,
                "include_object": compared,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_checks_equal_the_migrated_schema(own: Settings) -> None:
    migrate(own)
    declared = {
        (table.name, str(constraint.name).removeprefix(f"ck_{table.name}_"))
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    with psycopg.connect(own.database_url) as connection:
        found = connection.execute(
            "SELECT r.relname, c.conname FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid"
            " WHERE c.contype = 'c' AND c.connamespace = 'convex'::regnamespace"
            " AND NOT r.relispartition"
        ).fetchall()
    assert {(table, name.removeprefix(f"ck_{table}_")) for table, name in found} == declared


def test_partitions_are_made_ahead_and_only_once(own: Settings) -> None:
    migrate(own)
    with psycopg.connect(role_url(own, "convex_worker"), autocommit=True) as connection:
        call = "SELECT convex.ensure_point_partitions('2013-01-15Z', '2013-03-01Z')"
        assert connection.execute(call).fetchone() == (3,)
        assert connection.execute(call).fetchone() == (0,)


def test_a_server_that_does_not_answer_is_named_in_words(tmp_path: Path) -> None:
    unreachable = Settings(home=tmp_path, database_url="postgresql://u:p@127.0.0.1:1/convex")
    with pytest.raises(Unavailable, match="check CONVEX_DATABASE_URL"):
        migrate(unreachable)
