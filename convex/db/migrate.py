"""Bring a server to today's schema: databases, roles, migrations, partitions. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection as AlchemyConnection
from sqlalchemy import create_engine, pool, text

from convex.db.roles import admin_url, create_roles
from convex.errors import Conflict, NotFound, Unavailable
from convex.secrets import load_secrets
from convex.settings import Settings

_MIGRATIONS = Path(__file__).parents[2] / "migrations"
_LOCK = (1129270872, 3)
_OLDEST_SERVER = 150000


def migrate(settings: Settings, revision: str = "head") -> list[str]:
    """Create databases and roles, run the migrations to `revision`, make points' partitions.

    Returns what was done, a line each; an empty list means that everything was so already. Two at
    once wait for one another. A schema that is newer than this code is left as it is: the newer
    version whose replicas came first has made it so that both work. Raises
    `convex.errors.Unavailable` when the server does not answer, is older than PostgreSQL 15, or its
    role may not create roles; `NotFound` for a revision that there is not.
    """
    url = admin_url(settings)
    done = _create_databases(url)
    with _connect(url) as admin:
        admin.execute("SELECT pg_advisory_lock(%s, %s)", _LOCK)
        create_roles(admin, load_secrets(settings))
        admin.execute("CREATE SCHEMA IF NOT EXISTS convex AUTHORIZATION convex_owner")
        done += _grant_databases(admin, urlsplit(url).path.lstrip("/"))
        if revision == "base":  # dbt's schema is derived, and not the owner's to drop
            admin.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
        with _as_owner(url) as connection:
            before = _revision(connection)
            config = _config(connection)
            known = _revisions(config)
            if revision not in ("head", "base", *known):
                raise NotFound(f"There is no revision {revision!r}; there are {', '.join(known)}.")
            if before is not None and before not in known:
                if revision != "head":
                    raise Conflict(
                        f"The schema is {before}, which a newer Convex made; go to {revision} with"
                        " that one."
                    )
            elif revision == "base" or _is_downgrade(config, before, revision):
                command.downgrade(config, revision)
            else:
                command.upgrade(config, revision)
            after = _revision(connection)
        if before != after:
            done.append(f"schema migrated from {before or 'nothing'} to {after or 'nothing'}")
        if after is not None:
            _prepare_analytics(admin)
            (made,) = admin.execute(
                "SELECT convex.ensure_point_partitions(now() - interval '1 month',"
                " now() + interval '2 months')"
            ).fetchone() or (0,)
            if made:
                done.append(f"{made} partitions of points made")
    return done


def is_current(url: str) -> bool:
    """Whether the schema behind `url` (any of Convex's roles) has all that this code needs.

    One that a newer version migrated has: replicas of two versions work side by side while one
    replaces the other (docs/operations.md).
    """
    known = _revisions(_config())
    with psycopg.connect(url, connect_timeout=5) as connection:
        try:
            row = connection.execute("SELECT version_num FROM convex.alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            return False
    return row is not None and (row[0] == known[0] or row[0] not in known)


def read_revision(url: str) -> str | None:
    """The revision of the schema behind `url`, None when there is none."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        try:
            row = connection.execute("SELECT version_num FROM convex.alembic_version").fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None
    return None if row is None else str(row[0])


@contextmanager
def _connect(url: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"PostgreSQL does not answer ({str(error).strip().splitlines()[0]});"
            " check CONVEX_DATABASE_URL, or start the embedded server with `convex up`."
        ) from None
    with connection:
        yield connection


def _create_databases(url: str) -> list[str]:
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    done = []
    with _connect(urlunsplit(parts._replace(path="/postgres"))) as admin:
        if admin.info.server_version < _OLDEST_SERVER:
            raise Unavailable(
                f"PostgreSQL {admin.info.server_version // 10000} is too old; Convex needs 15."
            )
        admin.execute("SELECT pg_advisory_lock(%s, %s)", _LOCK)
        existing = {row[0] for row in admin.execute("SELECT datname FROM pg_database").fetchall()}
        for database in (name, f"{name}_prefect"):
            if database not in existing:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
                done.append(f"database {database} created")
    return done


def _grant_databases(admin: psycopg.Connection, name: str) -> list[str]:
    prefect = f"{name}_prefect"
    row = admin.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (prefect,)
    ).fetchone()
    admin.execute(
        sql.SQL("GRANT CREATE, CONNECT ON DATABASE {} TO convex_dbt").format(sql.Identifier(name))
    )
    if row is not None and row[0] == "convex_prefect":
        return []
    admin.execute("GRANT convex_prefect TO CURRENT_USER")
    admin.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO convex_prefect").format(sql.Identifier(prefect))
    )
    return [f"database {prefect} given to convex_prefect"]


def _prepare_analytics(admin: psycopg.Connection) -> None:
    """The schema that dbt builds: its own, and readable (row by row) for the API and the flows."""
    admin.execute("GRANT convex_dbt TO CURRENT_USER")
    admin.execute("CREATE SCHEMA IF NOT EXISTS analytics AUTHORIZATION convex_dbt")
    admin.execute("GRANT USAGE ON SCHEMA analytics TO convex_api, convex_worker")
    admin.execute("GRANT SELECT ON convex.alembic_version TO convex_api, convex_worker, convex_dbt")


@contextmanager
def _as_owner(url: str) -> Iterator[AlchemyConnection]:
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        connection.execute(text("SET ROLE convex_owner"))
        connection.commit()
        yield connection
    engine.dispose()


def _config(connection: AlchemyConnection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _revisions(config: Config) -> list[str]:
    """All that this code knows, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def _revision(connection: AlchemyConnection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": "convex"})
    revision = context.get_current_revision()
    connection.rollback()
    return revision


def _is_downgrade(config: Config, current: str | None, target: str) -> bool:
    if current is None or target == "head":
        return False
    older = [
        script.revision
        for script in ScriptDirectory.from_config(config).iterate_revisions(current, "base")
    ]
    return target in older and target != current
