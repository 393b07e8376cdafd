"""The database roles, and the URL under which each process reaches the server.

Roles belong to the whole PostgreSQL server, so their passwords are those of the home (or of the
environment) that migrated last; several homes that share one server must share its secrets.
"""

from __future__ import annotations

from typing import Literal

import psycopg
from psycopg import sql

from convex.db.engine import connection_string
from convex.embedded.postgres import read_url
from convex.secrets import load_secrets
from convex.settings import SecretSettings, Settings

Login = Literal["convex_api", "convex_worker", "convex_dbt", "convex_prefect"]

DATABASE = "convex"
_GROUP_OWNER = "convex_owner"


def admin_url(settings: Settings) -> str:
    """Convex's database as the role that may create roles.

    Raises `convex.errors.Unavailable` when there is neither a URL nor an embedded server.
    """
    return settings.database_url or read_url(settings.home, DATABASE)


def role_url(settings: Settings, role: Login) -> str:
    """Convex's database as one of its own roles."""
    password = _passwords(load_secrets(settings))[role]
    return connection_string(admin_url(settings), user=role, password=password)


def prefect_url(settings: Settings) -> str:
    """Prefect's own database on the same server, in the form that its server takes."""
    url = role_url(settings, "convex_prefect")
    base, _, query = url.partition("?")
    server, _, name = base.rpartition("/")
    asyncpg = server.replace("postgresql://", "postgresql+asyncpg://", 1)
    query = query.replace("sslmode=", "ssl=")  # asyncpg's name for it
    return f"{asyncpg}/{name}_prefect" + (f"?{query}" if query else "")


def create_roles(admin: psycopg.Connection, secrets: SecretSettings) -> None:
    """Create what is missing and set each password; without effect when all is so already.

    None of the logins owns a table or may bypass row level security.
    """
    existing = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles").fetchall()}
    if _GROUP_OWNER not in existing:
        admin.execute("CREATE ROLE convex_owner NOLOGIN")
    admin.execute("GRANT convex_owner TO CURRENT_USER")
    for role, password in _passwords(secrets).items():
        verb = sql.SQL("ALTER ROLE" if role in existing else "CREATE ROLE")
        admin.execute(
            sql.SQL("{} {} LOGIN NOBYPASSRLS PASSWORD {}").format(
                verb, sql.Identifier(role), sql.Literal(password)
            )
        )
    # dbt opens its connections itself and cannot set an identity in each transaction.
    admin.execute("ALTER ROLE convex_dbt SET convex.role = 'system'")


def _passwords(secrets: SecretSettings) -> dict[Login, str]:
    return {
        "convex_api": secrets.api_password,
        "convex_worker": secrets.worker_password,
        "convex_dbt": secrets.dbt_password,
        "convex_prefect": secrets.prefect_password,
    }
